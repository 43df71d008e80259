from __future__ import annotations

import pytest

from devphone.callee.script import Callee, Entry, PickUp, parse_callee


@pytest.mark.parametrize(
    ("script", "entries"),
    [
        ("1111,1234", (Entry("1111"), Entry("1234"))),
        ("silence,12#", (Entry(), Entry("12#"))),
        ("1,,2", (Entry("1"), Entry(), Entry("2"))),
        ("hangup", (Entry(hangs_up=True),)),
        ("1111, 12 hangup", (Entry("1111"), Entry("12", hangs_up=True))),
    ],
)
def test_a_script_says_what_is_keyed_at_each_question(script: str, entries: tuple[Entry, ...]) -> None:
    assert parse_callee(script) == Callee(entries=entries)


@pytest.mark.parametrize("pick_up", list(PickUp))
def test_a_word_says_how_the_attempt_to_reach_the_callee_ends(pick_up: PickUp) -> None:
    assert parse_callee(str(pick_up)) == Callee(pick_up=pick_up)


@pytest.mark.parametrize("script", ["12x", "1 2", "hangup 12", "busy,1234"])
def test_what_is_no_script_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="no entry"):
        parse_callee(script)


def test_questions_beyond_the_script_are_met_with_silence() -> None:
    assert parse_callee("1234").entry(1) == Entry()
