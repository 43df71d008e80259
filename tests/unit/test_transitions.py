"""Every event in every phase: what it changes, and that a repetition changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

from tests.builders import NOW, PIN, TOKEN, a_call
from ttsprompt.domain import events
from ttsprompt.domain.call import GRID, apply
from ttsprompt.domain.events import (
    Answered,
    CallEnded,
    CancelRequested,
    Claimed,
    DeliveryAttempted,
    DeliveryOutcome,
    DigitsEntered,
    EndStatus,
    EraseRequested,
    Event,
    GraceElapsed,
    HumanDetected,
    MachineDetected,
    Overdue,
    Placed,
    PlacementUnclear,
    RedeliveryRequested,
)
from ttsprompt.domain.model import (
    Call,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    MachineDetection,
    Phase,
    State,
    Verdict,
)
from ttsprompt.domain.verdict import Entry, Reason

AT = NOW + timedelta(seconds=2)
"""When the event of each pair happens; all before it happened at NOW."""

COMPLETED = CallEnded(EndStatus.COMPLETED, disconnected_by="user", duration=17, price="0.02")
BUSY = CallEnded(EndStatus.BUSY)


def history(*happened: Event, **overrides: Any) -> Call:
    call = a_call(**overrides)
    for event in happened:
        call = apply(call, event, NOW).call
    return call


KIND: Mapping[str, Any] = {
    "machine_detection": MachineDetection.HANGUP,
    "reference": "order-7",
    "fingerprint": "f",
    "secrets_fingerprint": "s",
}
CALLS = {
    Phase.PLACING: history(**KIND),
    Phase.PLACED: history(Placed("u-1"), **KIND),
    Phase.ANSWERED: history(Answered(), **KIND),
    Phase.DECIDED: history(MachineDetected(), **KIND),
    Phase.GRACE: history(Answered(), CallEnded(EndStatus.COMPLETED), **KIND),
    Phase.SETTLED: history(BUSY, **KIND),
}
"""One call in each phase. Those after PLACED got there by webhooks that were faster than Vonage's answer."""


def due(call: Call) -> datetime:
    assert call.due_at is not None
    return call.due_at


RETRY_AT = AT + timedelta(minutes=1)
TRIED_AT = NOW + timedelta(seconds=15)
"""The first try of a call that was settled at NOW is over by then."""

HAPPENINGS: Mapping[type[Event], Callable[[Call], tuple[Event, datetime]]] = {
    Placed: lambda _: (Placed("u-1"), AT),
    PlacementUnclear: lambda _: (PlacementUnclear(), AT),
    Answered: lambda _: (Answered(), AT),
    HumanDetected: lambda _: (HumanDetected(), AT),
    MachineDetected: lambda _: (MachineDetected(), AT),
    DigitsEntered: lambda _: (DigitsEntered(1, PIN, TOKEN), AT),
    CallEnded: lambda _: (COMPLETED, AT),
    GraceElapsed: lambda _: (GraceElapsed(), AT),
    Claimed: lambda call: (Claimed(due(call) + timedelta(seconds=30)), due(call)),
    Overdue: lambda call: (Overdue(due(call)), AT),
    DeliveryAttempted: lambda call: (DeliveryAttempted(call.due_at, DeliveryOutcome.FAILED, 500, None, RETRY_AT), AT),
    CancelRequested: lambda _: (CancelRequested(), AT),
    RedeliveryRequested: lambda _: (RedeliveryRequested(), TRIED_AT),
    EraseRequested: lambda _: (EraseRequested(), AT),
}


@dataclass(frozen=True)
class Effect:
    """The fields that an event changes, the timeline aside, and what it asks its committer to do."""

    changes: Mapping[str, Any]
    settled: bool = False
    grace: bool = False


def effect(**changes: Any) -> Effect:
    return Effect(changes)


def settles(reason: str, *, said: str = "", attempts: int = 0, **changes: Any) -> Effect:
    """The call is settled: payload frozen, texts and MACs erased, first try due within a minute."""
    status = {"pin_matched": "ok", "hung_up": "failed"}.get(reason, "error")
    payload = (
        "to=447970513607&tid=6a2827c9-4c68-46fc-b179-115f055dc0eb"
        f"&status={status}&reason={reason}&attempts={attempts}{said}&reference=order-7"
    )
    settling = {
        "settled_at": AT,
        "payload": payload,
        "prompts": None,
        "secrets": None,
        "secrets_fingerprint": None,
        "delivery": Delivery(DeliveryState.PENDING, under_way_until=AT + timedelta(seconds=15)),
        "due_at": AT + timedelta(seconds=60),
        "expire_at": AT + timedelta(days=30),
    }
    return Effect(settling | changes, settled=True)


def swept(reason: str, **changes: Any) -> Effect:
    """The sweep settles it: the try waits for its host, a minute at most with what it takes."""
    effect = settles(reason, **changes)
    delivery = Delivery(DeliveryState.PENDING, under_way_until=AT + timedelta(seconds=60))
    return Effect({**effect.changes, "delivery": delivery}, settled=True)


NOTHING = Effect({})
# bye_text is spoken in 2.25 s.
CANCELS = effect(verdict=Verdict(Reason.CANCELLED, AT), due_at=AT + timedelta(seconds=2.25 + 30))
IS_TOLD = {"duration_s": 17, "price": "0.02"}
SAYS_SO = "&duration=17&price=0.02"
BY_MACHINE = "&answered_by=machine"
IS_PLACED = effect(state=State.PLACED, uuid="u-1")
IS_UNCLEAR = effect(placement_unclear=True)
# The length timer: text 4 x 3.25 s, failed_text 2 x 2.25 s, bye_text 2.25 s, 6 questions of 15 s, 60 s = 169.75 s.
IS_ANSWERED = {"state": State.ANSWERED, "answered_at": AT}
PICKS_UP = effect(**IS_ANSWERED, due_at=AT + timedelta(seconds=170 + 60))
UNTIL_HANGUP = AT + timedelta(seconds=2.25 + 30)
MACHINE = effect(machine_heard=True, verdict=Verdict(Reason.MACHINE, AT), due_at=UNTIL_HANGUP)
HUMAN = effect(human_heard=True)
RIGHT = {"human_heard": True, "entries": (Entry.RIGHT,), "verdict": Verdict(Reason.PIN_MATCHED, AT)}
PUT_OFF = "put off"
"""The date that a claim sets depends on the call."""
IS_OVER: Mapping[str, Any] = {"state": State.ENDED, "ended_at": AT, "disconnected_by": "user", **IS_TOLD}
BEGINS_GRACE = Effect({**IS_OVER, "due_at": AT + timedelta(seconds=3)}, grace=True)
EXPIRES = swept("expired", verdict=Verdict(Reason.EXPIRED, AT), state=State.ENDED, ended_at=AT)

EXPECTED: Mapping[Phase, Mapping[type[Event], Effect]] = {
    Phase.PLACING: {
        Placed: IS_PLACED,
        PlacementUnclear: IS_UNCLEAR,
        Answered: PICKS_UP,
        HumanDetected: HUMAN,
        MachineDetected: MACHINE,
        DigitsEntered: effect(**IS_ANSWERED, **RIGHT, due_at=UNTIL_HANGUP),
        CallEnded: Effect({**BEGINS_GRACE.changes, "answered_at": AT}, grace=True),
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: EXPIRES,
        DeliveryAttempted: NOTHING,
        CancelRequested: CANCELS,
        RedeliveryRequested: NOTHING,
        EraseRequested: NOTHING,
    },
    Phase.PLACED: {
        Placed: NOTHING,
        PlacementUnclear: NOTHING,
        Answered: PICKS_UP,
        HumanDetected: HUMAN,
        MachineDetected: MACHINE,
        DigitsEntered: effect(**IS_ANSWERED, **RIGHT, due_at=UNTIL_HANGUP),
        CallEnded: Effect({**BEGINS_GRACE.changes, "answered_at": AT}, grace=True),
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: EXPIRES,
        DeliveryAttempted: NOTHING,
        CancelRequested: CANCELS,
        RedeliveryRequested: NOTHING,
        EraseRequested: NOTHING,
    },
    Phase.ANSWERED: {
        Placed: effect(uuid="u-1"),
        PlacementUnclear: IS_UNCLEAR,
        Answered: NOTHING,
        HumanDetected: HUMAN,
        MachineDetected: MACHINE,
        DigitsEntered: effect(**RIGHT, due_at=UNTIL_HANGUP),
        CallEnded: BEGINS_GRACE,
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: EXPIRES,
        DeliveryAttempted: NOTHING,
        CancelRequested: CANCELS,
        RedeliveryRequested: NOTHING,
        EraseRequested: NOTHING,
    },
    Phase.DECIDED: {
        Placed: IS_PLACED,
        PlacementUnclear: IS_UNCLEAR,
        Answered: effect(**IS_ANSWERED),
        HumanDetected: HUMAN,
        MachineDetected: NOTHING,
        DigitsEntered: effect(**IS_ANSWERED, human_heard=True),
        CallEnded: settles("machine", said=BY_MACHINE + SAYS_SO, **IS_OVER, answered_at=AT),
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: swept("machine", said=BY_MACHINE, state=State.ENDED, ended_at=AT),
        DeliveryAttempted: NOTHING,
        CancelRequested: NOTHING,
        RedeliveryRequested: NOTHING,
        EraseRequested: NOTHING,
    },
    Phase.GRACE: {
        Placed: effect(uuid="u-1"),
        PlacementUnclear: IS_UNCLEAR,
        Answered: NOTHING,
        HumanDetected: HUMAN,
        MachineDetected: effect(machine_heard=True, verdict=Verdict(Reason.MACHINE, AT)),
        DigitsEntered: effect(**RIGHT),
        CallEnded: effect(**IS_TOLD),
        GraceElapsed: settles("hung_up", verdict=Verdict(Reason.HUNG_UP, AT)),
        Claimed: NOTHING,
        Overdue: swept("hung_up", verdict=Verdict(Reason.HUNG_UP, AT)),
        DeliveryAttempted: NOTHING,
        CancelRequested: effect(verdict=Verdict(Reason.CANCELLED, AT)),
        RedeliveryRequested: NOTHING,
        EraseRequested: NOTHING,
    },
    Phase.SETTLED: {
        Placed: effect(uuid="u-1"),
        PlacementUnclear: IS_UNCLEAR,
        Answered: NOTHING,
        HumanDetected: NOTHING,
        MachineDetected: NOTHING,
        DigitsEntered: NOTHING,
        CallEnded: effect(**IS_TOLD),
        GraceElapsed: NOTHING,
        Claimed: effect(
            due_at=PUT_OFF, delivery=Delivery(DeliveryState.PENDING, under_way_until=NOW + timedelta(seconds=60 + 30))
        ),
        Overdue: NOTHING,
        DeliveryAttempted: effect(
            delivery=Delivery(DeliveryState.PENDING, 1, (DeliveryAttempt(AT, 500, None),)), due_at=RETRY_AT
        ),
        CancelRequested: NOTHING,
        RedeliveryRequested: effect(
            redeliveries=1,
            redelivered_at=TRIED_AT,
            delivery=Delivery(DeliveryState.PENDING, under_way_until=TRIED_AT + timedelta(seconds=15)),
            due_at=TRIED_AT + timedelta(seconds=60),
        ),
        EraseRequested: effect(
            to="",
            callback=None,
            payload=None,
            reference=None,
            fingerprint=None,
            delivery=Delivery(DeliveryState.UNDELIVERABLE),
            due_at=None,
            erased_at=AT,
        ),
    },
}

PAIRS = [(phase, kind) for phase in Phase for kind in get_args(Event)]
"""All there are, whether or not this page or the code knows them."""


def changes_between(before: Call, after: Call) -> dict[str, Any]:
    names = [f.name for f in fields(Call) if f.name != "timeline"]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def test_the_table_knows_every_event_in_every_phase_and_no_other() -> None:
    assert {(phase, kind) for kind, row in GRID.items() for phase, _ in zip(Phase, row, strict=True)} == set(PAIRS)


def test_every_event_that_is_defined_belongs_to_the_union() -> None:
    defined = {kind for kind in vars(events).values() if hasattr(kind, "__dataclass_fields__")}
    assert set(get_args(Event)) == defined


@pytest.mark.parametrize("phase", Phase)
def test_there_is_a_call_in_each_phase(phase: Phase) -> None:
    assert CALLS[phase].phase is phase


@pytest.mark.parametrize(("phase", "kind"), PAIRS)
def test_an_event_changes_exactly_what_is_declared_here(phase: Phase, kind: type[Event]) -> None:
    call = CALLS[phase]
    event, at = HAPPENINGS[kind](call)
    transition = apply(call, event, at)
    expected = EXPECTED[phase][kind]
    changes = dict(expected.changes)
    if changes.get("due_at") == PUT_OFF:
        changes["due_at"] = due(call) + timedelta(seconds=30)
    assert changes_between(call, transition.call) == changes
    assert (transition.settled, transition.grace) == (expected.settled, expected.grace)


@pytest.mark.parametrize(("phase", "kind"), PAIRS)
def test_an_event_that_changes_nothing_returns_the_very_same_call(phase: Phase, kind: type[Event]) -> None:
    call = CALLS[phase]
    event, at = HAPPENINGS[kind](call)
    changed = bool(EXPECTED[phase][kind].changes)
    assert (apply(call, event, at).call is call) is not changed


@pytest.mark.parametrize(("phase", "kind"), [pair for pair in PAIRS if pair[1] is not DeliveryAttempted])
def test_an_event_that_is_repeated_changes_nothing_more(phase: Phase, kind: type[Event]) -> None:
    """Tries to deliver are left out: they count each time, since each time there was one."""
    event, at = HAPPENINGS[kind](CALLS[phase])
    once = apply(CALLS[phase], event, at).call
    again = apply(once, event, at + timedelta(milliseconds=900))
    assert again.call is once
    assert not again.settled
    assert not again.grace


@pytest.mark.parametrize("kind", HAPPENINGS)
def test_an_erased_call_stays_as_it_is_but_for_what_a_late_webhook_adds(kind: type[Event]) -> None:
    erased = apply(history(Placed("u-1"), BUSY, **KIND), EraseRequested(), TRIED_AT).call
    event, _ = HAPPENINGS[kind](CALLS[Phase.SETTLED])

    changes = changes_between(erased, apply(erased, event, TRIED_AT + timedelta(hours=1)).call)

    assert changes == {CallEnded: IS_TOLD, PlacementUnclear: IS_UNCLEAR.changes}.get(kind, {})


def test_of_an_erased_call_the_outcome_and_its_times_stay_and_no_detail() -> None:
    call = history(Placed("u-1"), Answered(), DigitsEntered(1, PIN, TOKEN), COMPLETED, **KIND)
    erased = apply(call, EraseRequested(), AT).call

    gone = {"to", "callback", "payload", "reference", "uuid", "fingerprint", "delivery", "due_at", "erased_at"}
    assert set(changes_between(call, erased)) == gone
    assert [(line.at, line.event) for line in erased.timeline[:-1]] == [(line.at, line.event) for line in call.timeline]
    assert {line.event for line in erased.timeline} >= {"entry", "decided", "ended"}
    assert not any(line.details for line in erased.timeline)


def test_what_was_delivered_or_given_up_stays_so_when_it_is_erased() -> None:
    tried = DeliveryAttempted(CALLS[Phase.SETTLED].due_at, DeliveryOutcome.DELIVERED, 204, None, None)
    delivered = apply(CALLS[Phase.SETTLED], tried, AT).call

    assert apply(delivered, EraseRequested(), AT).call.delivery == delivered.delivery


def test_a_call_without_a_callback_is_settled_with_nothing_left_to_do() -> None:
    settled = apply(history(callback=None), BUSY, AT)

    assert settled.settled
    assert (settled.call.payload, settled.call.delivery, settled.call.due_at) == (None, Delivery(), None)
    assert settled.call.expire_at == AT + timedelta(days=30)
    assert apply(settled.call, RedeliveryRequested(), AT + timedelta(days=1)).call is settled.call


def test_the_first_uuid_stands() -> None:
    assert apply(CALLS[Phase.PLACED], Placed("u-2"), AT).call.uuid == "u-1"


def test_only_a_completed_with_a_duration_shows_that_somebody_answered() -> None:
    ended = apply(CALLS[Phase.PLACED], CallEnded(EndStatus.FAILED, duration=3), AT).call
    assert ended.answered_at is None
    assert ended.verdict == Verdict(Reason.UNREACHABLE, AT)
