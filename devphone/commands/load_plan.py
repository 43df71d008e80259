"""What a load run does, from one seed: who is called, what they do, and what may come of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

PIN: Final = "1234"
FIRST_NUMBER: Final = 447700910000
"""Within Ofcom's numbers for drama and beyond the test numbers: each call has one of its own."""

MOST_CALLS: Final = 80_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: the callee's script, the outcome when nothing goes wrong, and request fields of its own."""

    script: str
    status: str
    reason: str
    fields: Mapping[str, object]

    @property
    def keys_the_pin(self) -> bool:
        """Whether the callee keys the right PIN: without that, no fault may make it `ok`."""
        return self.status == "ok"


KINDS: Final[Mapping[str, Kind]] = {
    "right": Kind(PIN, "ok", "pin_matched", {}),
    "third": Kind(f"0000,1111,{PIN}", "ok", "pin_matched", {}),
    "late": Kind(f"{PIN} hangup", "ok", "pin_matched", {}),
    "wrong": Kind("0000,1111,2222", "failed", "wrong_pin", {}),
    "silent": Kind("silence,silence", "failed", "no_input", {"attempts": 2, "input_timeout": 1}),
    "hangup": Kind("0000,hangup", "failed", "hung_up", {}),
    "reject": Kind("9", "failed", "callee_rejected", {"reject_code": "9", "input_timeout": 1}),
    "busy": Kind("busy", "error", "busy", {}),
    "unanswered": Kind("no-answer", "error", "no_answer", {"ringing_timeout": 10}),
    "declined": Kind("reject", "error", "rejected", {}),
}

DEFAULT_MIX: Final = "right=40,third=10,late=10,wrong=10,silent=5,hangup=5,reject=5,busy=5,unanswered=5,declined=5"


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of the run."""

    number: str
    kind: Kind
    sent_twice: bool


def plan(calls: int, mix: Mapping[str, int], repeat: float, seed: int) -> Iterator[PlannedCall]:
    """Return the calls of a run; the same seed gives the same ones."""
    dice = random.Random(seed)
    names: Sequence[str] = list(mix)
    for position in range(calls):
        (name,) = dice.choices(names, [mix[name] for name in names])
        yield PlannedCall(str(FIRST_NUMBER + position), KINDS[name], dice.random() < repeat)


def parse_mix(text: str) -> dict[str, int]:
    """Read `right=40,busy=10`.

    Raises:
        ValueError: it names an unknown kind, or a weight that is no whole number, or none above 0.
    """
    mix = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if name not in KINDS or not weight.isascii() or not weight.isdigit():
            msg = f"{part.strip()!r} is not one of {', '.join(KINDS)} with its weight, such as right=40"
            raise ValueError(msg)
        mix[name] = int(weight)
    if not any(mix.values()):
        msg = "at least one weight must be above 0"
        raise ValueError(msg)
    return mix
