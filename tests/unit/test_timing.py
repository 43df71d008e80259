"""How long a call may take: the figures are worked out by hand from the rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.builders import NOW, PIN, TOKEN, a_call
from ttsprompt.domain import timing
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import Answered, DigitsEntered, Placed
from ttsprompt.domain.model import Call, Policy, Prompts
from ttsprompt.domain.timing import keying_time_s, speaking_time_s


def length_timer_s(**given: Any) -> int:
    """The timer of a request with `given` fields; it has three replays, and no text but `text`."""
    usual = {"bye_text": None, "failed_text": None, "silence_text": None, "replays": 3, "extension_s": 0}
    return timing.length_timer_s(**(usual | given))


def seconds_until_due(call: Call) -> float:
    assert call.due_at is not None
    return (call.due_at - NOW).total_seconds()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("abcd", 1),
        ("ab", 0.5),
        ("<speak></speak>", 0),
        ("<speak>abcd</speak>", 1),
        ("  <speak>ab</speak>", 1),
        ('<speak>abcd<break time="2s"/></speak>', 3),
        ("<speak>abcd<break time='500ms'/></speak>", 1.5),
        ('<speak>abcd<break time = " 1.5 s " /></speak>', 2.5),
        ('<speak><break strength="strong" time="3s"/>abcd<break time="250ms"/></speak>', 4.25),
        ('<speak>abcd<break strength="strong"/></speak>', 1),
        ('<speak>abcd<break time="soon"/></speak>', 1),
        ('<speak>abcd<prosody time="2s">efgh</prosody></speak>', 2),
        ('<break time="2s"/>ab', 5),
    ],
)
def test_speech_takes_a_second_for_four_characters_plus_its_breaks(text: str, seconds: float) -> None:
    assert speaking_time_s(text) == seconds


def test_the_longest_text_of_brackets_is_measured_at_once() -> None:
    assert speaking_time_s("<speak" + "<break " * 213) > 0


def test_length_timer_with_every_text() -> None:
    # text 4 x 10 s, failed_text 2 x 5 s, bye_text 2 s, 6 questions of 10 + 5 s, 60 s
    seconds = length_timer_s(text="t" * 40, failed_text="f" * 20, bye_text="b" * 8, attempts=3, input_timeout_s=10)
    assert seconds == 40 + 10 + 2 + 90 + 60


def test_length_timer_without_failed_text_counts_the_text_again() -> None:
    # text (4 + 2) x 10 s, 6 questions of 10 + 5 s, 60 s
    seconds = length_timer_s(text="t" * 40, attempts=3, input_timeout_s=10)
    assert seconds == 60 + 90 + 60


def test_length_timer_of_a_single_try_never_speaks_the_failed_text() -> None:
    # text 4 x 1 s, 4 questions of 1 + 5 s, 60 s
    seconds = length_timer_s(text="abcd", failed_text="f" * 400, attempts=1, input_timeout_s=1)
    assert seconds == 4 + 24 + 60


@pytest.mark.parametrize(
    ("attempts", "texts", "spoken_s"),
    [
        # text 10 s, failed_text 5 s: a callee who is silent hears the text, one who is wrong the other.
        (3, {"failed_text": "f" * 20}, 4 * 10 + 2 * 5),
        (4, {"failed_text": "f" * 20}, 4 * 10 + 3 * 5),
        (6, {"failed_text": "f" * 20}, 6 * 10 + 5 * 5),
        (6, {}, 6 * 10 + 5 * 10),
        # silence_text 2 s or 8 s: after each attempt but the last, the longer of the two.
        (3, {"failed_text": "f" * 20, "silence_text": "s" * 8}, 4 * 10 + 2 * 5),
        (3, {"failed_text": "f" * 20, "silence_text": "s" * 32}, 4 * 10 + 2 * 8),
        (6, {"failed_text": "f" * 20, "silence_text": "s" * 32}, 4 * 10 + 5 * 8),
        (3, {"silence_text": "s" * 32}, 4 * 10 + 2 * 10),
        (3, {"silence_text": "s" * 80}, 4 * 10 + 2 * 20),
        (1, {"failed_text": "f" * 400, "silence_text": "s" * 400}, 4 * 10),
    ],
)
def test_length_timer_counts_what_is_spoken_after_a_wrong_entry_and_after_silence(
    attempts: int, texts: dict[str, str], spoken_s: int
) -> None:
    seconds = length_timer_s(text="t" * 40, attempts=attempts, input_timeout_s=10, **texts)

    assert seconds == spoken_s + (attempts + 3) * 15 + 60


@pytest.mark.parametrize(("keys", "seconds"), [("", 0), ("1", 1), ("pppp12#", 4), ("p" * 32, 16)])
def test_each_key_and_pause_of_an_extension_takes_half_a_second(keys: str, seconds: int) -> None:
    assert keying_time_s(keys) == seconds


def test_length_timer_counts_the_extension_once() -> None:
    # text 6 x 1 s, keys 4 s, 6 questions of 15 s, 60 s
    assert length_timer_s(text="abcd", attempts=3, input_timeout_s=10, extension_s=4) == 160


def test_length_timer_counts_the_breaks_each_time_the_text_is_spoken() -> None:
    # text (4 + 1) x (1 + 2) s, 5 questions of 10 + 5 s, 60 s
    text = '<speak>abcd<break time="2s"/></speak>'
    assert length_timer_s(text=text, attempts=2, input_timeout_s=10) == 150


def test_length_timer_is_rounded_up_to_whole_seconds() -> None:
    # text 4 x 1.25 s, failed_text 0.25 s, 5 questions of 6 s, 60 s = 95.25 s
    seconds = length_timer_s(text="abcde", failed_text="f", attempts=2, input_timeout_s=1)
    assert seconds == 96


def test_length_timer_is_at_most_two_hours() -> None:
    text = '<speak>a<break time="3600s"/></speak>'
    assert length_timer_s(text=text, attempts=3, input_timeout_s=10) == 7200


def test_a_new_call_has_the_length_timer_of_its_request_with_three_replays() -> None:
    call = a_call(prompts=Prompts("t" * 40, "b" * 8, "f" * 20), attempts_allowed=3, input_timeout_s=10)
    assert call.length_timer_s == 202


# What a call is given up after: text 40 s, bye_text 2 s, input_timeout 10 s, ringing_timeout 45 s.
PROMPTS = Prompts("t" * 160, "b" * 8)


def test_a_call_that_nobody_answers_is_due_after_ringing_text_and_first_question() -> None:
    assert seconds_until_due(a_call(prompts=PROMPTS)) == 45 + 40 + 10 + 60


def test_the_keys_of_an_extension_put_off_when_a_call_is_given_up() -> None:
    call = a_call(prompts=PROMPTS, extension="p" * 32)
    answered = apply(call, Answered(), NOW).call

    assert seconds_until_due(call) == 45 + 16 + 40 + 10 + 60
    assert seconds_until_due(answered) == 392 + 16 + 60


def test_what_is_spoken_after_silence_puts_off_when_an_answered_call_is_given_up() -> None:
    # text 4 x 1 s, silence_text 2 x 8 s, 6 questions of 15 s, 60 s
    answered = apply(a_call(prompts=Prompts("abcd", silence_text="s" * 32)), Answered(), NOW).call

    assert seconds_until_due(answered) == 4 + 16 + 90 + 60 + 60


def test_placing_does_not_move_the_date_when_it_is_given_up() -> None:
    placed = apply(a_call(prompts=PROMPTS), Placed("u"), NOW + timedelta(seconds=3)).call
    assert seconds_until_due(placed) == 45 + 40 + 10 + 60


def test_an_answered_call_is_due_a_minute_after_its_length_timer() -> None:
    call = a_call(prompts=PROMPTS)
    answered = apply(call, Answered(), NOW + timedelta(seconds=7)).call
    # text 4 x 40 s and 2 x 40 s, bye_text 2 s, 6 questions of 15 s, 60 s
    assert call.length_timer_s == 240 + 2 + 90 + 60
    assert seconds_until_due(answered) == 7 + 392 + 60


def test_a_wrong_entry_does_not_move_the_date_when_an_answered_call_is_given_up() -> None:
    answered = apply(a_call(prompts=PROMPTS), Answered(), NOW + timedelta(seconds=7)).call
    tried = apply(answered, DigitsEntered(1, "1", TOKEN), NOW + timedelta(seconds=60)).call
    assert tried.due_at == answered.due_at


def test_a_decided_call_is_due_half_a_minute_after_the_bye_text() -> None:
    decided = apply(a_call(prompts=PROMPTS), DigitsEntered(1, PIN, TOKEN), NOW + timedelta(seconds=20)).call
    assert seconds_until_due(decided) == 20 + 2 + 30


@pytest.mark.parametrize("events", [[], [Placed("u")], [Answered()], [DigitsEntered(1, PIN, TOKEN)]])
def test_stale_after_counts_from_creation_whatever_the_call_is_doing(
    events: list[Placed | Answered | DigitsEntered],
) -> None:
    policy = Policy(stale_after=timedelta(seconds=5))
    call = a_call(policy=policy)
    for event in events:
        call = apply(call, event, NOW + timedelta(seconds=2), policy).call
    assert seconds_until_due(call) == 5
