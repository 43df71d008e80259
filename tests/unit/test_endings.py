"""Every way a call can go, in Vonage's own words: what the caller is told in the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.builders import NOW, PIN, TOKEN
from tests.histories import ANSWERED, DONE, HUNG_UP, RINGING, STARTED, Steps, Webhook, ev, live, outcome, typed
from ttsprompt.domain.call import apply, found_ended
from ttsprompt.domain.events import (
    CallEnded,
    CancelRequested,
    DigitsEntered,
    EndStatus,
    GraceElapsed,
    Placed,
    PlacementUnclear,
)
from ttsprompt.domain.model import MachineDetection, Phase, Policy, State
from ttsprompt.domain.timing import GRACE
from ttsprompt.vonage.webhooks import parse_call_ended

HANGUP = {"machine_detection": MachineDetection.HANGUP}
CONTINUE = {"machine_detection": MachineDetection.CONTINUE}
NOTICE = {"machine_detection": MachineDetection.NOTICE}

WAIT = GraceElapsed()
HUMAN = Webhook({"status": "human", "call_uuid": "u-1"})
MACHINE = Webhook({"status": "machine", "call_uuid": "u-1", "conversation_uuid": "CON-1"})

UNEXPLAINED = ev("completed", duration="0", sip_code=200)
"""It may have overtaken the event that says why."""

ENDINGS: dict[str, tuple[Steps, str, str, int]] = {
    # -- the callee answers and keys something
    "right PIN": ([STARTED, RINGING, ANSWERED, typed(1, PIN), DONE], "ok", "pin_matched", 1),
    "right PIN with #": ([ANSWERED, typed(1, PIN + "#"), DONE], "ok", "pin_matched", 1),
    "right at the last try": ([ANSWERED, typed(1, "1"), typed(2, ""), typed(3, PIN), DONE], "ok", "pin_matched", 3),
    "right, then hung up": ([ANSWERED, typed(1, PIN), HUNG_UP], "ok", "pin_matched", 1),
    "right after three replays": (
        [ANSWERED, typed(1, "*"), typed(2, "*"), typed(3, "*"), typed(4, PIN), DONE],
        "ok",
        "pin_matched",
        1,
    ),
    "replays without end": (
        [ANSWERED, *(typed(step, "*") for step in range(1, 7)), DONE],
        "failed",
        "wrong_pin",
        3,
    ),
    "wrong three times": ([ANSWERED, typed(1, "1"), typed(2, "2"), typed(3, "3"), DONE], "failed", "wrong_pin", 3),
    "silence three times": ([ANSWERED, typed(1, ""), typed(2, ""), typed(3, ""), DONE], "failed", "no_input", 3),
    "silence as null": ([ANSWERED, typed(1, None), typed(2, None), typed(3, None), DONE], "failed", "no_input", 3),
    "silence, and wrong once": ([ANSWERED, typed(1, ""), typed(2, "7"), typed(3, ""), DONE], "failed", "wrong_pin", 3),
    "reject code": ([ANSWERED, typed(1, "9"), DONE], "failed", "callee_rejected", 1),
    "reject code at the last try": (
        [ANSWERED, typed(1, "1"), typed(2, "1"), typed(3, "9#"), DONE],
        "failed",
        "callee_rejected",
        3,
    ),
    "legacy DTMF string": ([ANSWERED, Webhook({"dtmf": PIN, "timed_out": False}, 1), DONE], "ok", "pin_matched", 1),
    "legacy silence": (
        [ANSWERED, *(Webhook({"dtmf": "", "timed_out": True}, step) for step in (1, 2, 3)), DONE],
        "failed",
        "no_input",
        3,
    ),
    "input without dtmf": ([ANSWERED, *(Webhook({}, step) for step in (1, 2, 3)), DONE], "failed", "no_input", 3),
    "webhooks without uuid": (
        [Webhook({"status": "answered"}), typed(1, PIN), Webhook({"status": "completed"})],
        "ok",
        "pin_matched",
        1,
    ),
    "webhooks with another uuid": ([ev("answered", uuid="u-2"), typed(1, PIN), DONE], "ok", "pin_matched", 1),
    # -- the callee answers and hangs up, or is cut off
    "hung up at once": ([ANSWERED, HUNG_UP, WAIT], "failed", "hung_up", 0),
    "hung up between tries": ([ANSWERED, typed(1, "1"), HUNG_UP, WAIT], "failed", "hung_up", 1),
    "hung up after a replay": ([ANSWERED, typed(1, "*"), HUNG_UP, WAIT], "failed", "hung_up", 0),
    "cut off by Vonage": ([ANSWERED, typed(1, "1"), DONE, WAIT], "error", "vendor_error", 1),
    "cut off by nobody knows whom": ([ANSWERED, ev("completed", duration="3"), WAIT], "failed", "hung_up", 0),
    "completed that nobody announced": ([HUNG_UP, WAIT], "failed", "hung_up", 0),
    "completed after a second, unannounced": ([ev("completed", duration="1"), WAIT], "failed", "hung_up", 0),
    "keys that nobody announced": ([typed(1, "1"), HUNG_UP, WAIT], "failed", "hung_up", 1),
    "failed after the answer": ([ANSWERED, ev("failed", detail="internal_error"), WAIT], "failed", "hung_up", 0),
    # -- nobody answers
    "busy": ([STARTED, RINGING, ev("busy")], "error", "busy", 0),
    "timeout": ([RINGING, ev("timeout")], "error", "no_answer", 0),
    "unanswered": ([RINGING, ev("unanswered", detail="timeout")], "error", "no_answer", 0),
    "unavailable": ([RINGING, ev("unanswered", detail="unavailable")], "error", "unreachable", 0),
    "failed": ([STARTED, ev("failed", detail="number_out_of_service")], "error", "unreachable", 0),
    "failed inside Vonage": ([STARTED, ev("failed", detail="internal_error")], "error", "vendor_error", 0),
    "rejected": ([STARTED, ev("rejected", detail="declined")], "error", "rejected", 0),
    "cancelled": ([RINGING, ev("cancelled")], "error", "cancelled", 0),
    "completed without an answer": ([RINGING, UNEXPLAINED, WAIT], "error", "no_answer", 0),
    "completed and nothing more": ([ev("completed", duration=None), WAIT], "error", "no_answer", 0),
    "completed by Vonage without an answer": (
        [ev("completed", duration="0", disconnected_by="platform"), WAIT],
        "error",
        "no_answer",
        0,
    ),
    "no clear answer, then busy": ([PlacementUnclear(), ev("busy")], "error", "busy", 0),
    # -- in an order of their own
    "busy, started, ringing, completed": ([ev("busy"), STARTED, RINGING, DONE], "error", "busy", 0),
    "busy before Vonage's answer": ([ev("busy"), Placed("u-1")], "error", "busy", 0),
    "completed before answered": ([HUNG_UP, ANSWERED, WAIT], "failed", "hung_up", 0),
    "completed before answered and PIN": ([HUNG_UP, ANSWERED, typed(1, PIN), WAIT], "ok", "pin_matched", 1),
    "completed before busy": ([RINGING, UNEXPLAINED, ev("busy")], "error", "busy", 0),
    "completed before cancelled": ([UNEXPLAINED, ev("cancelled")], "error", "cancelled", 0),
    "completed before failed": ([UNEXPLAINED, ev("failed", detail="internal_error")], "error", "vendor_error", 0),
    "completed before unanswered": ([UNEXPLAINED, ev("unanswered", detail="unavailable")], "error", "unreachable", 0),
    "completed before busy and rejected": ([UNEXPLAINED, ev("busy"), ev("rejected")], "error", "busy", 0),
    "completed before busy, three seconds late": ([UNEXPLAINED, WAIT, ev("busy")], "error", "no_answer", 0),
    "completed twice before busy": ([UNEXPLAINED, UNEXPLAINED, ev("busy")], "error", "busy", 0),
    "completed before answered, then busy": ([UNEXPLAINED, ANSWERED, ev("busy"), WAIT], "failed", "hung_up", 0),
    "completed twice, the second of some seconds": (
        [UNEXPLAINED, HUNG_UP, ev("busy"), WAIT],
        "failed",
        "hung_up",
        0,
    ),
    "completed before the PIN alone": ([UNEXPLAINED, typed(1, PIN), ev("busy"), WAIT], "ok", "pin_matched", 1),
    "busy twice": ([ev("busy"), ev("busy")], "error", "busy", 0),
    "every webhook twice": (
        [ANSWERED, ANSWERED, typed(1, "1"), typed(1, "1"), typed(2, PIN), typed(2, PIN), DONE, DONE],
        "ok",
        "pin_matched",
        2,
    ),
    "the last wrong entry three times": (
        [ANSWERED, typed(1, "1"), typed(1, "1"), typed(1, "1"), HUNG_UP, WAIT],
        "failed",
        "hung_up",
        1,
    ),
    "another answer to a judged question": (
        [ANSWERED, typed(1, "1"), typed(1, PIN), HUNG_UP, WAIT],
        "failed",
        "hung_up",
        1,
    ),
    "an answer to a question not asked": ([ANSWERED, typed(2, PIN), HUNG_UP, WAIT], "failed", "hung_up", 0),
    "the PIN after the last try": (
        [ANSWERED, typed(1, "1"), typed(2, "1"), typed(3, "1"), typed(4, PIN), DONE],
        "failed",
        "wrong_pin",
        3,
    ),
    "the PIN after a rejection": ([ANSWERED, typed(1, "9"), typed(2, PIN), DONE], "failed", "callee_rejected", 1),
    "a wrong entry after the right one": ([ANSWERED, typed(1, PIN), typed(2, "1"), DONE], "ok", "pin_matched", 1),
    "the PIN after the outcome": ([ev("busy"), typed(1, PIN)], "error", "busy", 0),
    "another ending in the grace period": ([ANSWERED, HUNG_UP, ev("failed"), WAIT], "failed", "hung_up", 0),
    # -- keys that are still on their way when the call ends
    "PIN in the grace period": ([ANSWERED, HUNG_UP, typed(1, PIN), WAIT], "ok", "pin_matched", 1),
    "rejection in the grace period": ([ANSWERED, HUNG_UP, typed(1, "9"), WAIT], "failed", "callee_rejected", 1),
    "wrong entry in the grace period": ([ANSWERED, HUNG_UP, typed(1, "1"), WAIT], "failed", "hung_up", 1),
    "last try in the grace period": (
        [ANSWERED, typed(1, ""), typed(2, ""), HUNG_UP, typed(3, "5"), WAIT],
        "failed",
        "wrong_pin",
        3,
    ),
    "PIN after the grace period": ([ANSWERED, HUNG_UP, WAIT, typed(1, PIN)], "failed", "hung_up", 0),
    "PIN in the grace period, repeated": ([HUNG_UP, typed(1, PIN), typed(1, PIN), WAIT], "ok", "pin_matched", 1),
}

MACHINES: dict[str, tuple[dict[str, Any], Steps, str, str]] = {
    "hangup": (HANGUP, [ANSWERED, MACHINE, DONE], "error", "machine"),
    "hangup, machine before answered": (HANGUP, [MACHINE, ANSWERED, DONE], "error", "machine"),
    "hangup, machine twice": (HANGUP, [ANSWERED, MACHINE, MACHINE, DONE], "error", "machine"),
    "hangup, after completed": (HANGUP, [ANSWERED, DONE, MACHINE, WAIT], "error", "machine"),
    "hangup, after the PIN": (HANGUP, [ANSWERED, typed(1, PIN), MACHINE, DONE], "ok", "pin_matched"),
    "hangup, then the PIN": (HANGUP, [ANSWERED, MACHINE, typed(1, PIN), DONE], "error", "machine"),
    "hangup, but a human": (HANGUP, [ANSWERED, HUMAN, typed(1, PIN), DONE], "ok", "pin_matched"),
    "hangup, before busy": (HANGUP, [MACHINE, ev("busy")], "error", "machine"),
    "hangup, unexplained": (HANGUP, [UNEXPLAINED, MACHINE, ev("busy"), WAIT], "error", "machine"),
    "notice": (NOTICE, [ANSWERED, MACHINE, typed(1, PIN), DONE], "ok", "pin_matched"),
    "notice, machine alone": (NOTICE, [ANSWERED, MACHINE, HUNG_UP, WAIT], "failed", "hung_up"),
    "notice, human alone": (NOTICE, [HUMAN, UNEXPLAINED, ev("busy")], "error", "busy"),
    "continue": (CONTINUE, [ANSWERED, MACHINE, typed(1, PIN), DONE], "ok", "pin_matched"),
    "not asked for": ({}, [ANSWERED, MACHINE, typed(1, PIN), DONE], "ok", "pin_matched"),
}


@pytest.mark.parametrize(("steps", "status", "reason", "tries"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_call_ends_as(steps: Steps, status: str, reason: str, tries: int) -> None:
    call = live(steps)
    assert (*outcome(call), call.attempts_used) == (status, reason, tries)
    assert call.payload is not None
    assert f"&status={status}&reason={reason}&attempts={tries}" in call.payload


@pytest.mark.parametrize(("overrides", "steps", "status", "reason"), MACHINES.values(), ids=MACHINES.keys())
def test_a_call_that_a_machine_may_have_answered_ends_as(
    overrides: dict[str, Any], steps: Steps, status: str, reason: str
) -> None:
    assert outcome(live(steps, **overrides)) == (status, reason)


@pytest.mark.parametrize("detection", [CONTINUE, NOTICE, {}])
@pytest.mark.parametrize("who", [HUMAN, MACHINE])
def test_who_picked_up_is_noted_once_and_decides_nothing(detection: dict[str, Any], who: Webhook) -> None:
    call = live([ANSWERED, who, who], **detection)
    assert call.verdict is None
    assert call.due_at == live([ANSWERED], **detection).due_at
    assert [line.event for line in call.timeline].count(who.body["status"]) == 1


@pytest.mark.parametrize(
    ("steps", "answered_by"),
    [
        ([ANSWERED, typed(1, ""), HUNG_UP, WAIT], None),
        ([ANSWERED, typed(1, "7"), HUNG_UP, WAIT], "human"),
        ([ANSWERED, typed(1, "*"), HUNG_UP, WAIT], "human"),
        ([ANSWERED, typed(1, "#"), HUNG_UP, WAIT], "human"),
        ([ANSWERED, typed(2, "7"), HUNG_UP, WAIT], "human"),
        ([ANSWERED, HUMAN, HUNG_UP, WAIT], "human"),
        ([HUMAN, ANSWERED, HUNG_UP, WAIT], "human"),
        ([ANSWERED, MACHINE, HUNG_UP, WAIT], "machine"),
        ([ANSWERED, MACHINE, typed(1, ""), typed(2, ""), typed(3, ""), DONE], "machine"),
        ([ANSWERED, MACHINE, typed(1, ""), typed(2, "7"), HUNG_UP, WAIT], "human"),
        ([ANSWERED, typed(1, "7"), MACHINE, HUNG_UP, WAIT], "human"),
        ([ANSWERED, MACHINE, HUMAN, HUNG_UP, WAIT], "human"),
        ([ANSWERED, HUMAN, MACHINE, HUNG_UP, WAIT], "human"),
        ([ANSWERED, HUNG_UP, MACHINE, WAIT], "machine"),
        ([ANSWERED, HUNG_UP, HUMAN, WAIT], "human"),
        ([ANSWERED, HUNG_UP, typed(1, "7"), WAIT], "human"),
        ([ANSWERED, typed(1, ""), typed(2, ""), typed(3, ""), MACHINE, DONE], "machine"),
        ([ANSWERED, typed(1, ""), typed(2, ""), typed(3, ""), HUMAN, DONE], "human"),
        ([ANSWERED, typed(1, ""), typed(2, ""), typed(3, ""), typed(4, "7"), DONE], "human"),
        ([ANSWERED, HUNG_UP, CancelRequested(), typed(1, "7"), WAIT], "human"),
        ([ANSWERED, HUNG_UP, WAIT, HUMAN, MACHINE, typed(1, "7")], None),
        ([ev("busy")], None),
    ],
)
@pytest.mark.parametrize("detection", [NOTICE, {}], ids=["notice", "off"])
def test_the_call_was_answered_by(detection: dict[str, Any], steps: Steps, answered_by: str | None) -> None:
    call = live(steps, **detection)
    said = dict(parse_qsl(call.payload or ""))
    assert (call.answered_by, said.get("answered_by")) == (answered_by, answered_by)


@pytest.mark.parametrize("allowed", [1, 2, 10])
def test_as_many_tries_as_allowed_and_no_more(allowed: int) -> None:
    wrong = [typed(step, "1") for step in range(1, allowed + 1)]
    assert live(wrong[:-1], attempts_allowed=allowed).verdict is None
    assert live([*wrong, typed(allowed + 1, PIN), DONE], attempts_allowed=allowed).attempts_used == allowed
    assert outcome(live([*wrong, DONE], attempts_allowed=allowed)) == ("failed", "wrong_pin")


def test_the_right_pin_decides_at_once_and_the_outcome_follows_the_end_of_the_call() -> None:
    call = live([ANSWERED, typed(1, PIN)])
    assert call.phase is Phase.DECIDED
    assert call.payload is None


def test_the_settling_event_tells_its_committer_to_deliver_and_a_repetition_does_not() -> None:
    call = live([ANSWERED, typed(1, PIN)])
    ending = CallEnded(EndStatus.COMPLETED, duration=4)
    settled = apply(call, ending, NOW + timedelta(seconds=9))
    assert settled.settled
    assert not apply(settled.call, ending, NOW + timedelta(seconds=10)).settled


def test_an_open_question_makes_the_ending_event_wait_three_seconds_and_decide_nothing() -> None:
    ended_at = NOW + timedelta(seconds=9)
    transition = apply(live([ANSWERED]), CallEnded(EndStatus.COMPLETED, duration=4), ended_at)
    assert transition.grace
    assert transition.call.verdict is None
    assert transition.call.due_at == ended_at + timedelta(seconds=3)


def test_an_ending_that_says_nothing_makes_its_event_wait_for_one_that_does() -> None:
    transition = apply(live([RINGING]), CallEnded(EndStatus.COMPLETED, duration=0), NOW)
    assert (transition.grace, transition.settled) == (True, False)
    assert transition.call.due_at == NOW + timedelta(seconds=3)

    explained = apply(transition.call, CallEnded(EndStatus.BUSY), NOW + timedelta(seconds=1))
    assert (explained.grace, explained.settled) == (False, True)
    assert explained.call.ended_at == NOW


@pytest.mark.parametrize("status", ["busy", "timeout", "unanswered", "failed", "rejected", "cancelled"])
def test_an_ending_that_says_why_nobody_answered_waits_for_nothing(status: str) -> None:
    transition = apply(live([RINGING]), CallEnded(EndStatus(status)), NOW)
    assert (transition.grace, transition.settled) == (False, True)


def test_keys_in_the_grace_period_leave_the_settling_to_the_one_who_waits() -> None:
    transition = apply(live([ANSWERED, HUNG_UP]), DigitsEntered(1, PIN, TOKEN), NOW + timedelta(seconds=3))
    assert not transition.settled
    assert transition.call.phase is Phase.GRACE
    assert transition.call.due_at == NOW + timedelta(seconds=1) + GRACE


def test_a_repeated_ending_never_cuts_the_grace_period_short_whatever_its_machines_clock_says() -> None:
    ending = CallEnded(EndStatus.COMPLETED, disconnected_by="user", duration=12, price="0.01")
    call = live([ANSWERED, HUNG_UP])
    repeated = apply(call, ending, NOW + timedelta(hours=1))
    assert (repeated.call, repeated.settled, repeated.grace) == (call, False, False)
    keyed = apply(repeated.call, DigitsEntered(1, PIN, TOKEN), NOW + timedelta(seconds=2)).call
    assert outcome(apply(keyed, WAIT, NOW + timedelta(seconds=4)).call) == ("ok", "pin_matched")


def test_price_and_duration_that_come_later_are_kept_for_people() -> None:
    call = live([ev("busy"), ev("completed", duration="0", price="0.00")])
    assert (call.duration_s, call.price) == (0, "0.00")
    assert outcome(call) == ("error", "busy")


def test_the_first_price_and_duration_stand() -> None:
    call = live([ANSWERED, typed(1, PIN), DONE, ev("completed", duration="99", price="9.99")])
    assert (call.duration_s, call.price) == (12, "0.01")


@pytest.mark.parametrize(
    ("steps", "sip_code"),
    [
        ([ev("busy", sip_code=486)], 486),
        ([ev("busy", sip_code="486")], 486),
        ([ev("busy", sip_code=486), ev("completed", sip_code=200)], 486),
        ([ev("busy"), ev("completed", sip_code=200)], 200),
        ([UNEXPLAINED, ev("busy", sip_code=486)], 486),
        ([UNEXPLAINED, ev("busy")], 200),
        ([ANSWERED, HUNG_UP, ev("completed", sip_code=200), WAIT], 200),
        *(([ev("failed", sip_code=code)], None) for code in (None, True, 4040, 99, "abc", [486], "７８９", 48.6)),
    ],
)
def test_the_sip_code_is_that_of_the_event_that_tells_how_the_call_ended(steps: Steps, sip_code: int | None) -> None:
    assert live(steps).sip_code == sip_code


def test_price_and_duration_of_an_ending_that_overtook_its_reason_stand() -> None:
    call = live([ev("completed", duration="0", price="0.00"), ev("busy", duration="9", price="9.99")])
    assert (call.duration_s, call.price) == (0, "0.00")
    assert outcome(call) == ("error", "busy")


def test_keys_for_a_question_not_asked_show_at_least_that_somebody_answered() -> None:
    call = live([Placed("u-1"), typed(2, PIN)])

    assert (call.state, call.entries) == (State.ANSWERED, ())
    assert call.due_at is not None
    assert call.due_at > NOW + timedelta(seconds=call.length_timer_s)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"detail": "cannot_route"}, CallEnded(EndStatus.FAILED, detail="cannot_route")),
        ({"detail": "Not a word."}, CallEnded(EndStatus.FAILED)),
        ({"detail": ["declined"]}, CallEnded(EndStatus.FAILED)),
        ({"disconnected_by": "user"}, CallEnded(EndStatus.FAILED, disconnected_by="user")),
        ({"disconnected_by": "platform"}, CallEnded(EndStatus.FAILED, disconnected_by="platform")),
        ({"disconnected_by": "447970513607"}, CallEnded(EndStatus.FAILED)),
        ({"price": 0.5, "duration": 1.2}, CallEnded(EndStatus.FAILED, price="0.5", duration=2)),
        ({"price": "-1", "duration": True}, CallEnded(EndStatus.FAILED)),
        ({"price": [0.5], "duration": None}, CallEnded(EndStatus.FAILED)),
    ],
)
def test_of_what_vonage_says_about_an_ending_only_what_makes_sense_is_taken(
    fields: dict[str, Any], expected: CallEnded
) -> None:
    assert parse_call_ended({"status": "failed", **fields}) == expected


def test_an_ending_that_a_lookup_finds_is_left_to_the_sweep() -> None:
    policy = Policy(retention=timedelta(days=3))
    unsettled = found_ended(live([ANSWERED]), CallEnded(EndStatus.COMPLETED), NOW, policy)
    settled = found_ended(live([ANSWERED, typed(1, PIN)]), CallEnded(EndStatus.COMPLETED), NOW, policy)

    assert (unsettled.grace, unsettled.settled, unsettled.call.due_at) == (False, False, NOW + GRACE)
    assert (settled.grace, settled.settled, settled.call.due_at) == (False, True, NOW)
    assert settled.call.expire_at == NOW + policy.retention


def test_after_a_lookup_has_settled_a_call_no_try_is_under_way_that_would_hold_off_a_redelivery() -> None:
    settled = found_ended(live([ANSWERED, typed(1, PIN)]), CallEnded(EndStatus.COMPLETED), NOW, Policy())

    assert settled.call.redelivery_allowed_at is None


def test_a_lookup_that_settles_a_call_without_a_callback_leaves_the_sweep_nothing_to_do() -> None:
    settled = found_ended(live([ANSWERED, typed(1, PIN)], callback=None), CallEnded(EndStatus.COMPLETED), NOW, Policy())

    assert (settled.settled, settled.call.due_at) == (True, None)
