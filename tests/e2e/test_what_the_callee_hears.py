"""What comes over the line, step by step, as docs/api.md tells it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from devphone.callee.script import Callee, parse_callee
from devphone.happenings import CalleeHungUp, ExtensionKeyed, Happening, Keyed, PickedUp, Spoken
from tests.e2e.conftest import Stack

ON_SQLITE = pytest.mark.parametrize("stack", ["sqlite"], indirect=True, scope="module")

PROMPTS = {"text": "Enter the PIN", "failed_text": "Wrong", "bye_text": "Bye"}
DEAD_AIR_S = 1.0


class Heard:
    """One call from the callee's side."""

    def __init__(self, lines: Sequence[Happening], outcome: dict[str, Any]) -> None:
        self.lines = lines
        self.outcome = outcome["status"], outcome["reason"], int(outcome["attempts"])

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines if isinstance(line, Spoken)]

    def pauses_s(self) -> list[float]:
        """Return how long nothing comes after the callee picked up, or after an entry was ended."""
        return [
            later.at_s - line.at_s
            for line, later in zip(self.lines, self.lines[1:], strict=False)
            if isinstance(line, PickedUp | Keyed)
        ]


def hear(stack: Stack, callee: str | Callee, **fields: Any) -> Heard:
    """Live through a call; a field given as None is left out."""
    request = {name: value for name, value in stack.request(**PROMPTS | fields).items() if value is not None}
    stack.board.phone.directory.scripts[request["to"]] = parse_callee(callee) if isinstance(callee, str) else callee
    response = stack.post(request)
    assert response.status_code == 200, response.text
    outcome = stack.outcome(response.json()["tid"])
    tid = response.json()["tid"]
    audible = PickedUp | ExtensionKeyed | Spoken | Keyed | CalleeHungUp
    lines = [x for x in stack.board.phone.timeline.happenings() if x.tid == tid and isinstance(x, audible)]
    return Heard(lines, outcome)


@ON_SQLITE
@pytest.mark.parametrize(
    ("callee", "texts", "outcome"),
    [
        ("1234", ["Enter the PIN", "Bye"], ("ok", "pin_matched", 1)),
        ("1234#", ["Enter the PIN", "Bye"], ("ok", "pin_matched", 1)),
        ("1111,1234", ["Enter the PIN", "Wrong", "Bye"], ("ok", "pin_matched", 2)),
        ("1111,2222,3333", ["Enter the PIN", "Wrong", "Wrong"], ("failed", "wrong_pin", 3)),
        ("silence,1234", ["Enter the PIN", "Enter the PIN", "Bye"], ("ok", "pin_matched", 2)),
        ("silence,1111,1234", ["Enter the PIN", "Enter the PIN", "Wrong", "Bye"], ("ok", "pin_matched", 3)),
        ("1111,silence,1234", ["Enter the PIN", "Wrong", "Enter the PIN", "Bye"], ("ok", "pin_matched", 3)),
        ("silence,silence,silence", ["Enter the PIN"] * 3, ("failed", "no_input", 3)),
        ("#,1234", ["Enter the PIN", "Enter the PIN", "Bye"], ("ok", "pin_matched", 2)),
        ("*,1234", ["Enter the PIN", "Enter the PIN", "Bye"], ("ok", "pin_matched", 1)),
        ("12*,1111,*,1234", [*["Enter the PIN"] * 2, "Wrong", "Enter the PIN", "Bye"], ("ok", "pin_matched", 2)),
        ("*,*,*,*,1234", ["Enter the PIN"] * 4 + ["Wrong", "Bye"], ("ok", "pin_matched", 2)),
        ("9#", ["Enter the PIN"], ("failed", "callee_rejected", 1)),
        ("9", ["Enter the PIN"], ("failed", "callee_rejected", 1)),
        ("1111,9#", ["Enter the PIN", "Wrong"], ("failed", "callee_rejected", 2)),
        ("1111,hangup", ["Enter the PIN", "Wrong"], ("failed", "hung_up", 1)),
    ],
)  # fmt: skip
def test_each_entry_is_followed_by_its_words(
    stack: Stack, callee: str, texts: list[str], outcome: tuple[str, str, int]
) -> None:
    heard = hear(stack, callee, reject_code="9")

    assert heard.texts == texts
    assert heard.outcome == outcome


@ON_SQLITE
def test_who_says_nothing_hears_the_silence_text(stack: Stack) -> None:
    heard = hear(stack, "silence,1111,1234", silence_text="Hello?")

    assert heard.texts == ["Enter the PIN", "Hello?", "Wrong", "Bye"]


@ON_SQLITE
@pytest.mark.parametrize("detection", ["hangup", "continue", "notice", None])
def test_only_detection_that_is_waited_for_keeps_a_person_in_silence(stack: Stack, detection: str | None) -> None:
    callee = Callee(ring_s=0.1, verdict_s=4, entries=parse_callee("1234").entries)

    heard = hear(stack, callee, machine_detection=detection)

    assert heard.outcome == ("ok", "pin_matched", 1)
    assert (heard.pauses_s()[0] >= callee.verdict_s) is (detection in {"hangup", "continue"})


@ON_SQLITE
def test_the_keys_of_an_extension_come_before_the_first_word(stack: Stack) -> None:
    heard = hear(stack, "1234", extension="pp204#")

    assert [type(line) for line in heard.lines[:3]] == [PickedUp, ExtensionKeyed, Spoken]
    assert heard.lines[2].at_s - heard.lines[0].at_s >= 1
    assert heard.outcome == ("ok", "pin_matched", 1)


@ON_SQLITE
def test_without_texts_of_their_own_the_question_is_asked_again_and_the_end_is_silent(stack: Stack) -> None:
    heard = hear(stack, "1111,1234", failed_text=None, bye_text=None)

    assert heard.texts == ["Enter the PIN", "Enter the PIN"]


@ON_SQLITE
def test_keys_pressed_during_the_speech_count_and_nobody_has_to_hear_it_out(stack: Stack) -> None:
    callee = Callee(interrupts=True, ring_s=1, think_s=1, entries=parse_callee("1111,1234").entries)
    of_100_s = "x" * 14 * 100

    heard = hear(stack, callee, text=of_100_s, failed_text=of_100_s)

    assert heard.outcome == ("ok", "pin_matched", 2)
    assert heard.lines[-1].at_s - heard.lines[0].at_s < 100


@ON_SQLITE
@pytest.mark.parametrize(
    "text",
    [
        "Müller & Söhne: 3 < 4 > 2 \"quoted\" 'too'",
        "📞 Ring ring 👩‍🚒",
        "שלום, הקש את הקוד",
        "x" * 1500,
        "<speak>Enter <break time='1s'/> the &amp; PIN</speak>",
    ],
)
def test_a_text_comes_over_the_line_as_it_was_given(stack: Stack, text: str) -> None:
    heard = hear(stack, Callee(interrupts=True, entries=parse_callee("1234").entries), text=text, bye_text=text)

    assert heard.texts == [text, text]
    assert heard.outcome[0] == "ok"


@pytest.fixture
def as_in_life(stack: Stack) -> Iterator[None]:
    """Seconds of the telephone's are seconds of ours, and the callee is quick."""
    speed, stack.board.phone.pace.speed = stack.board.phone.pace.speed, 1
    yield
    stack.board.phone.pace.speed = speed


@pytest.mark.usefixtures("as_in_life")
def test_there_is_no_dead_air_between_the_steps(stack: Stack) -> None:
    callee = Callee(ring_s=0.1, think_s=0.1, key_s=0.02, entries=parse_callee("1111,*#,2222,1234").entries)

    heard = hear(stack, callee, text="Pin", failed_text="No", bye_text="Bye")

    assert len(heard.texts) == 5
    assert len(heard.pauses_s()) == 5
    assert max(heard.pauses_s()) < DEAD_AIR_S
