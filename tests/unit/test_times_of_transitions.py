"""When things happened, as the record has it, where two events tell of one ending; and what faults of SSML are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOW, a_call
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import (
    CallEnded,
    CancelRequested,
    DigitsEntered,
    EndStatus,
    EraseRequested,
    Event,
    MachineDetected,
)
from ttsprompt.domain.model import Call, MachineDetection, Prompts
from ttsprompt.domain.spoken_text import says_something, ssml_fault
from ttsprompt.domain.timing import DECIDED_MARGIN
from ttsprompt.domain.verdict import Reason

LATER = NOW + timedelta(seconds=2)
COMPLETED_FREE = CallEnded(EndStatus.COMPLETED, duration=0, price="0")
OUTSIDE = "the text must be inside one <speak> element"
NOT_HERE = "a character may not stand here; & is written &amp; and < is written &lt;"


def after(*happened: tuple[Event, int], **overrides: object) -> Call:
    """Return a call to which this happened, so many seconds after it was recorded."""
    call = a_call(**overrides)
    for event, second in happened:
        call = apply(call, event, NOW + timedelta(seconds=second)).call
    return call


@pytest.mark.parametrize(
    ("completed", "reason_why", "duration_s", "price"),
    [
        (CallEnded(EndStatus.COMPLETED), CallEnded(EndStatus.BUSY, duration=0, price="0.01"), 0, "0.01"),
        (COMPLETED_FREE, CallEnded(EndStatus.BUSY), 0, "0"),
        (COMPLETED_FREE, CallEnded(EndStatus.BUSY, duration=7, price="1"), 0, "0"),
    ],
)
def test_an_ending_overtaken_by_completed_is_decided_when_it_says_why_and_ended_before(
    completed: CallEnded, reason_why: CallEnded, duration_s: int, price: str
) -> None:
    call = after((completed, 1), (reason_why, 2))

    assert call.verdict is not None
    assert call.ended_at == NOW + timedelta(seconds=1)
    assert (call.settled_at, call.verdict.decided_at, call.verdict.reason) == (LATER, LATER, Reason.BUSY)
    assert (call.duration_s, call.price) == (duration_s, price)
    assert [line.at for line in call.timeline if line.event == "decided"] == [LATER]
    assert [line.at for line in call.timeline if line.event == "ended"] == [NOW + timedelta(seconds=1), LATER]


def test_an_entry_for_a_question_that_is_over_leaves_the_date_that_the_sweep_gave() -> None:
    late = DigitsEntered(7, "1", "token")
    call = replace(after((late, 1)), due_at=NOW + timedelta(days=1))

    assert apply(call, late, LATER).call is call


def test_without_a_farewell_a_decided_call_is_looked_at_after_the_margin_alone() -> None:
    call = after((CancelRequested(), 2), prompts=Prompts(text="Enter the PIN"))

    assert call.due_at == LATER + DECIDED_MARGIN


def test_a_machine_that_ends_the_call_is_in_the_timeline_once() -> None:
    heard = (MachineDetected(), 2)
    call = after(heard, heard, machine_detection=MachineDetection.HANGUP)

    assert [(line.at, line.event) for line in call.timeline[1:]] == [(LATER, "machine"), (LATER, "decided")]


def test_the_erasure_is_in_the_timeline_with_its_time() -> None:
    call = after((CallEnded(EndStatus.BUSY), 1), (EraseRequested(), 2))

    assert call.erased_at == LATER
    assert [line.at for line in call.timeline if line.event == "erased"] == [LATER]
    assert all(line.details == {} for line in call.timeline)
    assert len(call.timeline) > 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<SPEAK>hi</SPEAK>", f"{OUTSIDE}; write it in lower case (line 1, column 1)."),
        ("<p>hi</p>", f"{OUTSIDE} (line 1, column 1)."),
        ("<speak>a < b</speak>", f"{NOT_HERE} (line 1, column 11)."),
        ("<speak>\nR & D</speak>", f"{NOT_HERE} (line 2, column 4)."),
        ("<speak>hi</spoke>", "mismatched tag (line 1, column 12)."),
        ("<speak>hi", "no element found (line 1, column 10)."),
        ("<speak>caf\u00e9</speak>", None),
    ],
)
def test_a_fault_of_ssml_is_told_with_its_place(text: str, told: str | None) -> None:
    assert ssml_fault(text) == told


@pytest.mark.parametrize("text", ["\u200b", "<speak>\u200b</speak>", "\u200b-\u2060"])
def test_what_nobody_hears_says_nothing(text: str) -> None:
    assert not says_something(text)
