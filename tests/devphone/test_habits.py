"""Both ways of each fact that the reference leaves open."""

from __future__ import annotations

from typing import Any

import pytest

from devphone.callee.script import Callee, Entry
from devphone.vendor.habits import Habit
from tests.devphone.line import INPUT, TALK, Played, play

SPOKEN_AT = 3.0
"""After two seconds of ringing and one of speech."""


def play_with(habit: Habit | None, callee: str | Callee, **fields: Any) -> Played:
    return play(callee, habits=frozenset() if habit is None else frozenset({habit}), **fields)


def order_of(played: Played) -> list[str]:
    return [body.get("status", path) for _, path, body in played.service.received]


@pytest.mark.parametrize(("habit", "digits"), [(None, "12"), (Habit.HASH_IN_DIGITS, "12#")])
def test_the_hash_that_submits_may_be_among_the_digits(habit: Habit | None, digits: str) -> None:
    assert play_with(habit, "12#").service.inputs()[0]["dtmf"] == {"digits": digits, "timed_out": False}


@pytest.mark.parametrize(("habit", "at"), [(None, SPOKEN_AT + 10), (Habit.TIME_OUT_FROM_SPEECH, SPOKEN_AT - 1 + 10)])
def test_silence_may_be_counted_from_the_start_of_the_speech(habit: Habit | None, at: float) -> None:
    assert play_with(habit, "silence").service.time_of("/input") == pytest.approx(at)


def test_a_time_out_from_the_start_of_the_speech_cuts_a_long_one() -> None:
    long = [{**TALK, "text": "x" * 14 * 20}, INPUT]

    service = play_with(Habit.TIME_OUT_FROM_SPEECH, "1234", ncco=long).service
    assert service.inputs()[0]["dtmf"] == {"digits": "", "timed_out": True}
    assert service.time_of("/input") == pytest.approx(2 + 10)


def test_a_time_out_from_the_start_of_the_speech_starts_anew_with_a_key() -> None:
    service = play_with(Habit.TIME_OUT_FROM_SPEECH, "12").service

    assert service.time_of("/input") == pytest.approx(SPOKEN_AT + 1 + 2 * 0.4 + 10)


def test_without_barge_in_the_time_out_counts_from_the_end_of_the_speech_all_the_same() -> None:
    calm = [{**TALK, "bargeIn": False}, INPUT]

    service = play_with(Habit.TIME_OUT_FROM_SPEECH, "silence", ncco=calm).service
    assert service.time_of("/input") == pytest.approx(SPOKEN_AT + 10)


@pytest.mark.parametrize(("script", "digits"), [("12 hangup", "12"), ("hangup", "")])
@pytest.mark.parametrize(
    ("habit", "end"),
    [
        (None, ["completed"]),
        (Habit.PARTIAL_DIGITS, ["/input", "completed"]),
        (Habit.LATE_PARTIAL_DIGITS, ["completed", "/input"]),
    ],
)
def test_what_was_keyed_before_a_hang_up_may_be_reported_before_or_after_the_end(
    habit: Habit | None, end: list[str], script: str, digits: str
) -> None:
    played = play_with(habit, script)

    assert order_of(played) == ["started", "ringing", "answered", *end]
    assert {body["dtmf"]["digits"] for body in played.service.inputs()} <= {digits}


@pytest.mark.parametrize(
    ("habit", "dtmf"),
    [
        (None, {"digits": "", "timed_out": True}),
        (Habit.NULL_DIGITS, {"digits": None, "timed_out": True}),
        (Habit.NO_DIGITS, {"timed_out": True}),
    ],
)
def test_silence_has_three_spellings(habit: Habit | None, dtmf: dict[str, Any]) -> None:
    assert play_with(habit, "silence").service.inputs()[0]["dtmf"] == dtmf


def test_webhooks_may_name_the_call_without_dashes() -> None:
    played = play_with(Habit.PLAIN_UUIDS, "1234", machine_detection="continue")
    plain = played.leg.uuid.replace("-", "")

    assert {body.get("uuid", body.get("call_uuid")) for _, _, body in played.service.received} == {plain}
    assert played.leg.details()["uuid"] == played.leg.uuid != plain


@pytest.mark.parametrize("habit", [None, Habit.SWAPPED_NUMBERS])
def test_the_numbers_of_an_input_may_be_swapped(habit: Habit | None) -> None:
    (report,) = play_with(habit, "1234").service.inputs()
    pair = (report["from"], report["to"])

    assert pair == (("447700900000", "447700900001") if habit else ("447700900001", "447700900000"))


@pytest.mark.parametrize(("habit", "end"), [(None, ["busy", "completed"]), (Habit.NO_COMPLETED, ["busy"])])
def test_completed_may_not_follow_a_call_that_nobody_answered(habit: Habit | None, end: list[str]) -> None:
    assert play_with(habit, "busy").service.statuses() == ["started", "ringing", *end]


@pytest.mark.parametrize(
    ("script", "statuses"),
    [
        ("busy", ["busy", "started", "ringing", "completed"]),
        ("1234", ["answered", "started", "ringing", "completed"]),
    ],
)
def test_the_beginning_may_be_overtaken(script: str, statuses: list[str]) -> None:
    assert play_with(Habit.LATE_RINGING, script).service.statuses() == statuses


def test_speech_plays_while_an_interrupting_callee_keys() -> None:
    callee = Callee(interrupts=True, entries=(Entry("1234"),))

    assert play_with(None, callee, ncco=[TALK, {**TALK, "bargeIn": False}, INPUT]).service.time_of(
        "/input"
    ) == pytest.approx(2 + 1 + 4 * 0.4)
