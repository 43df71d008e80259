"""What the reference leaves open about Vonage: the service does right whichever way it is."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from devphone.callee.script import Callee, Entry
from devphone.happenings import HangUpRequested
from devphone.vendor.habits import Habit
from devphone.vendor.leg import TOO_EARLY_S, Leg
from tests.e2e.conftest import Stack
from ttsprompt.service.placed_calls import HANG_UP_AGAIN_S

pytestmark = pytest.mark.parametrize("stack", ["sqlite"], indirect=True, scope="module")

RIGHT = ("ok", "pin_matched", "1")
SPEECH_OF_20_S = "x" * 14 * 20
SHORT_PIN = {"pin_code": "12", "reject_code": "9876"}
"""An input then waits for more keys after those of the PIN."""


@pytest.fixture(autouse=True)
def habits(stack: Stack) -> Iterator[None]:
    yield
    stack.board.phone.behaviour.habits = frozenset()


@pytest.fixture
def slow_phone(stack: Stack) -> Iterator[None]:
    """It still rings when the second hang-up comes."""
    speed, stack.board.phone.pace.speed = stack.board.phone.pace.speed, 1
    yield
    stack.board.phone.pace.speed = speed


def outcome(stack: Stack, habit: Habit | None, callee: str | Callee, **fields: object) -> tuple[str, str, str]:
    stack.board.phone.behaviour.habits = frozenset() if habit is None else frozenset({habit})
    request = stack.request(**fields)
    if isinstance(callee, Callee):
        stack.board.phone.directory.scripts[request["to"]] = callee
    else:
        stack.script(request, callee)
    response = stack.post(request)
    assert response.status_code == 200, response.text
    told = stack.outcome(response.json()["tid"])
    return told["status"], told["reason"], told["attempts"]


@pytest.mark.parametrize("habit", [None, Habit.HASH_IN_DIGITS])
def test_a_pin_ended_with_a_hash_is_right_whether_or_not_the_hash_is_reported(
    stack: Stack, habit: Habit | None
) -> None:
    assert outcome(stack, habit, "12#", **SHORT_PIN) == RIGHT


@pytest.mark.parametrize("habit", [None, Habit.TIME_OUT_FROM_SPEECH])
def test_a_callee_who_answers_a_short_text_is_heard_wherever_the_time_out_starts(
    stack: Stack, habit: Habit | None
) -> None:
    assert outcome(stack, habit, "1234") == RIGHT


@pytest.mark.parametrize("habit", [None, Habit.TIME_OUT_FROM_SPEECH])
def test_a_callee_who_interrupts_a_long_text_is_heard_wherever_the_time_out_starts(
    stack: Stack, habit: Habit | None
) -> None:
    callee = Callee(interrupts=True, entries=(Entry("1234"),))

    assert outcome(stack, habit, callee, text=SPEECH_OF_20_S) == RIGHT


@pytest.mark.parametrize(
    ("habit", "expected"), [(None, RIGHT), (Habit.TIME_OUT_FROM_SPEECH, ("failed", "no_input", "3"))]
)
def test_a_callee_who_hears_out_a_text_longer_than_the_time_out_is_heard_only_if_it_starts_after_it(
    stack: Stack, habit: Habit | None, expected: tuple[str, str, str]
) -> None:
    """Each cut speech is a try that was silent: the outcome is an honest one, and there is one."""
    assert outcome(stack, habit, "1234,1234,1234", text=SPEECH_OF_20_S) == expected


@pytest.mark.parametrize(
    ("habit", "expected"),
    [
        (None, ("failed", "hung_up", "0")),
        (Habit.PARTIAL_DIGITS, ("failed", "hung_up", "1")),
        (Habit.LATE_PARTIAL_DIGITS, ("failed", "hung_up", "1")),
    ],
)
def test_half_a_pin_of_a_callee_who_hung_up_is_a_wrong_try_if_reported(
    stack: Stack, habit: Habit | None, expected: tuple[str, str, str]
) -> None:
    assert outcome(stack, habit, "12 hangup") == expected


@pytest.mark.parametrize(
    ("habit", "expected"),
    [(None, ("failed", "hung_up", "0")), (Habit.PARTIAL_DIGITS, RIGHT), (Habit.LATE_PARTIAL_DIGITS, RIGHT)],
)
def test_a_whole_pin_of_a_callee_who_hung_up_before_the_input_ended_is_right_if_reported(
    stack: Stack, habit: Habit | None, expected: tuple[str, str, str]
) -> None:
    assert outcome(stack, habit, "12 hangup", **SHORT_PIN) == expected


@pytest.mark.parametrize("habit", [None, Habit.NULL_DIGITS, Habit.NO_DIGITS])
def test_silence_is_silence_however_it_is_spelled(stack: Stack, habit: Habit | None) -> None:
    assert outcome(stack, habit, "silence", input_timeout=2) == ("failed", "no_input", "3")


@pytest.mark.parametrize("habit", [Habit.PLAIN_UUIDS, Habit.SWAPPED_NUMBERS, Habit.LATE_RINGING])
def test_how_webhooks_name_a_call_and_in_which_order_its_beginning_arrives_does_not_matter(
    stack: Stack, habit: Habit
) -> None:
    assert outcome(stack, habit, "1111,1234") == ("ok", "pin_matched", "2")


@pytest.mark.parametrize("habit", [None, Habit.NO_COMPLETED, Habit.LATE_RINGING])
@pytest.mark.parametrize(
    ("callee", "reason"),
    [("busy", "busy"), ("no-answer", "no_answer"), ("cancel", "cancelled"), ("fail", "unreachable")],
)
def test_a_call_that_nobody_answers_is_settled_by_the_first_that_says_so(
    stack: Stack, habit: Habit | None, callee: str, reason: str
) -> None:
    assert outcome(stack, habit, callee, ringing_timeout=10) == ("error", reason, "0")


@pytest.mark.parametrize(("habit", "seconds"), [(None, "1"), (Habit.RETRY_AFTER, "2")])
def test_429_says_when_to_come_again_whether_or_not_vonage_does(
    stack: Stack, habit: Habit | None, seconds: str
) -> None:
    stack.board.phone.behaviour.habits = frozenset() if habit is None else frozenset({habit})
    response = stack.post(stack.request(to="447700900014"))

    assert (response.status_code, response.headers["Retry-After"]) == (429, seconds)


@pytest.mark.parametrize(
    ("habit", "answers"),
    [
        (None, [204]),
        (Habit.EARLY_PUT_400, [400, 204]),
    ],
)
def test_a_ringing_call_is_cancelled_even_if_vonage_does_not_take_the_first_hang_up(
    stack: Stack, habit: Habit | None, answers: list[int], slow_phone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone refuses the first hang-up here, not the early one: on a busy machine the first may come late."""

    def hang_ups(tid: str | None) -> list[int]:
        happenings = stack.board.phone.timeline.happenings()
        return [x.status for x in happenings if isinstance(x, HangUpRequested) and x.tid == tid]

    monkeypatch.setattr(Leg, "is_too_young", property(lambda leg: leg.habits != set() and not hang_ups(leg.tid)))
    assert HANG_UP_AGAIN_S >= TOO_EARLY_S
    stack.board.phone.behaviour.habits = frozenset() if habit is None else frozenset({habit})
    request = stack.request(ringing_timeout=120)
    stack.board.phone.directory.scripts[request["to"]] = Callee(ring_s=119)
    tid = stack.post(request).json()["tid"]
    headers = {"Authorization": f"Bearer {stack.application.token()}"}
    answer = httpx.delete(f"{stack.service.url}/call/{tid}", headers=headers, timeout=30, trust_env=False)

    assert (answer.status_code, answer.json()["reason"]) == (200, "cancelled")
    assert stack.outcome(tid)["reason"] == "cancelled"
    assert hang_ups(tid) == answers
