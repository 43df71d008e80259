"""The scripted callee: who picks up, what is keyed at each question, and when they hang up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class PickUp(StrEnum):
    """How the attempt to reach the callee ends."""

    ANSWER = "answer"
    MACHINE = "machine"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    REJECT = "reject"
    CANCEL = "cancel"
    UNANSWERED = "unanswered"
    FAIL = "fail"
    PERSON = "person"
    """Whoever sits at the page decides, and keys."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the callee does at one question: nothing, keys, hanging up, or keys and then hanging up."""

    keys: str = ""
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class Callee:
    """A callee; times in telephone seconds. Questions beyond the script are met with silence."""

    pick_up: PickUp = PickUp.ANSWER
    entries: tuple[Entry, ...] = ()
    detail: str | None = None
    ring_s: float = 2.0
    think_s: float = 1.0
    key_s: float = 0.4
    interrupts: bool = False
    """Keys while the speech is still playing; without `bargeIn` those keys are lost."""
    taken_for: Literal["human", "machine"] | None = None
    """The verdict of machine detection; None for what they are. It can be wrong."""
    verdict_s: float = 1.5
    """How long after picking up it comes."""
    extension: str | None = None
    """Behind a switchboard: who does not key this after it picked up reaches nobody."""
    completed_first: bool = False
    """`completed` overtakes the event that says why nobody answered."""

    @property
    def verdict(self) -> Literal["human", "machine"]:
        """What machine detection says."""
        return self.taken_for or ("machine" if self.pick_up is PickUp.MACHINE else "human")

    def entry(self, question: int) -> Entry:
        """Return what the callee does at question number `question`, from 0."""
        return self.entries[question] if question < len(self.entries) else Entry()


_ENTRY: Final = re.compile(r"([0-9*#]*)\s*(hangup)?")


def parse_callee(text: str) -> Callee:
    """Read a script: `busy`, `no-answer`, …; or what is keyed at each question: `1111,1234`, `12 hangup,silence`.

    Raises:
        ValueError: it is none.
    """
    words = text.strip()
    if words in list(PickUp):
        return Callee(pick_up=PickUp(words))
    return Callee(entries=tuple(_parse_entry(part.strip()) for part in words.split(",")))


def _parse_entry(text: str) -> Entry:
    match = _ENTRY.fullmatch("" if text == "silence" else text)
    if match is None:
        msg = f"{text!r} is no entry: give keys (0-9 * #), silence, hangup, or keys and hangup"
        raise ValueError(msg)
    return Entry(match[1], match[2] is not None)
