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
    Event,
    GraceElapsed,
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


CALLS = {
    Phase.PLACING: history(machine_detection=MachineDetection.HANGUP),
    Phase.PLACED: history(Placed("u-1"), machine_detection=MachineDetection.HANGUP),
    Phase.ANSWERED: history(Answered(), machine_detection=MachineDetection.HANGUP),
    Phase.DECIDED: history(MachineDetected(), machine_detection=MachineDetection.HANGUP),
    Phase.GRACE: history(Answered(), CallEnded(EndStatus.COMPLETED), machine_detection=MachineDetection.HANGUP),
    Phase.SETTLED: history(BUSY, machine_detection=MachineDetection.HANGUP),
}
"""One call in each phase. Those after PLACED got there by webhooks that were faster than Vonage's answer."""


def due(call: Call) -> datetime:
    assert call.due_at is not None
    return call.due_at


RETRY_AT = AT + timedelta(minutes=1)

HAPPENINGS: Mapping[type[Event], Callable[[Call], tuple[Event, datetime]]] = {
    Placed: lambda _: (Placed("u-1"), AT),
    PlacementUnclear: lambda _: (PlacementUnclear(), AT),
    Answered: lambda _: (Answered(), AT),
    MachineDetected: lambda _: (MachineDetected(), AT),
    DigitsEntered: lambda _: (DigitsEntered(1, PIN, TOKEN), AT),
    CallEnded: lambda _: (COMPLETED, AT),
    GraceElapsed: lambda _: (GraceElapsed(), AT),
    Claimed: lambda call: (Claimed(due(call) + timedelta(seconds=30)), due(call)),
    Overdue: lambda call: (Overdue(due(call)), AT),
    DeliveryAttempted: lambda call: (DeliveryAttempted(call.due_at, DeliveryOutcome.FAILED, 500, None, RETRY_AT), AT),
    CancelRequested: lambda _: (CancelRequested(), AT),
    RedeliveryRequested: lambda _: (RedeliveryRequested(), AT),
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
        f"&status={status}&reason={reason}&attempts={attempts}{said}"
    )
    settling = {
        "settled_at": AT,
        "payload": payload,
        "prompts": None,
        "secrets": None,
        "delivery": Delivery(DeliveryState.PENDING),
        "due_at": AT + timedelta(seconds=60),
        "expire_at": AT + timedelta(days=30),
    }
    return Effect(settling | changes, settled=True)


NOTHING = Effect({})
# bye_text is spoken in 2.25 s.
CANCELS = effect(verdict=Verdict(Reason.CANCELLED, AT), due_at=AT + timedelta(seconds=2.25 + 30))
IS_TOLD = {"duration_s": 17, "price": "0.02"}
SAYS_SO = "&duration=17&price=0.02"
IS_PLACED = effect(state=State.PLACED, uuid="u-1")
IS_UNCLEAR = effect(placement_unclear=True)
# The length timer: text 4 x 3.25 s, failed_text 2 x 2.25 s, bye_text 2.25 s, 6 questions of 15 s, 60 s = 169.75 s.
IS_ANSWERED = {"state": State.ANSWERED, "answered_at": AT}
PICKS_UP = effect(**IS_ANSWERED, due_at=AT + timedelta(seconds=170 + 60))
UNTIL_HANGUP = AT + timedelta(seconds=2.25 + 30)
MACHINE = effect(machine_heard=True, verdict=Verdict(Reason.MACHINE, AT), due_at=UNTIL_HANGUP)
RIGHT = {"entries": (Entry.RIGHT,), "verdict": Verdict(Reason.PIN_MATCHED, AT)}
PUT_OFF = "put off"
"""The date that a claim sets depends on the call."""
IS_OVER: Mapping[str, Any] = {"state": State.ENDED, "ended_at": AT, "disconnected_by": "user", **IS_TOLD}
BEGINS_GRACE = Effect({**IS_OVER, "due_at": AT + timedelta(seconds=3)}, grace=True)
EXPIRES = settles("expired", verdict=Verdict(Reason.EXPIRED, AT), state=State.ENDED, ended_at=AT)

EXPECTED: Mapping[Phase, Mapping[type[Event], Effect]] = {
    Phase.PLACING: {
        Placed: IS_PLACED,
        PlacementUnclear: IS_UNCLEAR,
        Answered: PICKS_UP,
        MachineDetected: MACHINE,
        DigitsEntered: effect(**IS_ANSWERED, **RIGHT, due_at=UNTIL_HANGUP),
        CallEnded: Effect({**BEGINS_GRACE.changes, "answered_at": AT}, grace=True),
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: EXPIRES,
        DeliveryAttempted: NOTHING,
        CancelRequested: CANCELS,
        RedeliveryRequested: NOTHING,
    },
    Phase.PLACED: {
        Placed: NOTHING,
        PlacementUnclear: NOTHING,
        Answered: PICKS_UP,
        MachineDetected: MACHINE,
        DigitsEntered: effect(**IS_ANSWERED, **RIGHT, due_at=UNTIL_HANGUP),
        CallEnded: Effect({**BEGINS_GRACE.changes, "answered_at": AT}, grace=True),
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: EXPIRES,
        DeliveryAttempted: NOTHING,
        CancelRequested: CANCELS,
        RedeliveryRequested: NOTHING,
    },
    Phase.ANSWERED: {
        Placed: effect(uuid="u-1"),
        PlacementUnclear: IS_UNCLEAR,
        Answered: NOTHING,
        MachineDetected: MACHINE,
        DigitsEntered: effect(**RIGHT, due_at=UNTIL_HANGUP),
        CallEnded: BEGINS_GRACE,
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: EXPIRES,
        DeliveryAttempted: NOTHING,
        CancelRequested: CANCELS,
        RedeliveryRequested: NOTHING,
    },
    Phase.DECIDED: {
        Placed: IS_PLACED,
        PlacementUnclear: IS_UNCLEAR,
        Answered: effect(**IS_ANSWERED),
        MachineDetected: NOTHING,
        DigitsEntered: effect(**IS_ANSWERED),
        CallEnded: settles("machine", said=SAYS_SO, **IS_OVER, answered_at=AT),
        GraceElapsed: NOTHING,
        Claimed: NOTHING,
        Overdue: settles("machine", state=State.ENDED, ended_at=AT),
        DeliveryAttempted: NOTHING,
        CancelRequested: NOTHING,
        RedeliveryRequested: NOTHING,
    },
    Phase.GRACE: {
        Placed: effect(uuid="u-1"),
        PlacementUnclear: IS_UNCLEAR,
        Answered: NOTHING,
        MachineDetected: effect(machine_heard=True, verdict=Verdict(Reason.MACHINE, AT)),
        DigitsEntered: effect(**RIGHT),
        CallEnded: effect(**IS_TOLD),
        GraceElapsed: settles("hung_up", verdict=Verdict(Reason.HUNG_UP, AT)),
        Claimed: NOTHING,
        Overdue: settles("hung_up", verdict=Verdict(Reason.HUNG_UP, AT)),
        DeliveryAttempted: NOTHING,
        CancelRequested: effect(verdict=Verdict(Reason.CANCELLED, AT)),
        RedeliveryRequested: NOTHING,
    },
    Phase.SETTLED: {
        Placed: effect(uuid="u-1"),
        PlacementUnclear: IS_UNCLEAR,
        Answered: NOTHING,
        MachineDetected: NOTHING,
        DigitsEntered: NOTHING,
        CallEnded: effect(**IS_TOLD),
        GraceElapsed: NOTHING,
        Claimed: effect(due_at=PUT_OFF),
        Overdue: NOTHING,
        DeliveryAttempted: effect(
            delivery=Delivery(DeliveryState.PENDING, 1, (DeliveryAttempt(AT, 500, None),)), due_at=RETRY_AT
        ),
        CancelRequested: NOTHING,
        RedeliveryRequested: effect(
            redeliveries=1, due_at=AT + timedelta(seconds=60), expire_at=AT + timedelta(days=30)
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


@pytest.mark.parametrize(
    ("phase", "kind"), [pair for pair in PAIRS if pair[1] not in {DeliveryAttempted, RedeliveryRequested}]
)
def test_an_event_that_is_repeated_changes_nothing_more(phase: Phase, kind: type[Event]) -> None:
    """Tries and requests to deliver are left out: they count each time, since each time there was one."""
    event, at = HAPPENINGS[kind](CALLS[phase])
    once = apply(CALLS[phase], event, at).call
    again = apply(once, event, at + timedelta(milliseconds=900))
    assert again.call is once
    assert not again.settled
    assert not again.grace


def test_the_first_uuid_stands() -> None:
    assert apply(CALLS[Phase.PLACED], Placed("u-2"), AT).call.uuid == "u-1"


def test_only_a_completed_with_a_duration_shows_that_somebody_answered() -> None:
    ended = apply(CALLS[Phase.PLACED], CallEnded(EndStatus.FAILED, duration=3), AT).call
    assert ended.answered_at is None
    assert ended.verdict == Verdict(Reason.UNREACHABLE, AT)
