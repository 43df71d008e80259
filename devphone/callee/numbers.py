"""Test numbers: reserved for drama by Ofcom, each with a callee, or a Vonage, of its own.

Vonage never learns the PIN, so callees key 1234 as the right one, 1111 as a wrong one and 9 as the reject code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Literal

from devphone.callee.script import Callee, PickUp, parse_callee

PIN: Final = "1234"
REJECT_CODE: Final = "9"
CALLEE: Final = "447700900000"
CALLER: Final = "447700900999"
"""Numbers that Ofcom keeps for drama, with nothing special about them."""


class Vendor(StrEnum):
    """What `POST /v1/calls` does with a number."""

    ACCEPTS = "accepts"
    THROTTLES = "429"
    FAILS = "500"
    SAYS_NOTHING = "silence"


@dataclass(frozen=True, slots=True)
class ReservedNumber:
    """What one number does. The phone's own receiver fails the first `failing_callbacks` tries of its callback."""

    what: str
    callee: Callee = Callee()  # noqa: RUF009 - frozen
    vendor: Vendor = Vendor.ACCEPTS
    failing_callbacks: int = 0


def _right(taken_for: Literal["human", "machine"] | None = None, **how: Any) -> Callee:
    return replace(parse_callee(PIN), taken_for=taken_for, **how)


NUMBERS: Final = {
    "447700900001": ReservedNumber("right first time", parse_callee("1234")),
    "447700900002": ReservedNumber("right on the third", parse_callee("1111,1111,1234")),
    "447700900003": ReservedNumber("three wrong", parse_callee("1111,1111,1111")),
    "447700900004": ReservedNumber("silence", parse_callee("silence")),
    "447700900005": ReservedNumber("hangs up mid-PIN", parse_callee("12 hangup")),
    "447700900006": ReservedNumber("hangs up right after the last digit", parse_callee("1234 hangup")),
    "447700900007": ReservedNumber("rejects with the code", parse_callee("9")),
    "447700900008": ReservedNumber("busy", Callee(PickUp.BUSY)),
    "447700900009": ReservedNumber("no answer", Callee(PickUp.NO_ANSWER)),
    "447700900010": ReservedNumber("rejected, and no `completed`", Callee(PickUp.REJECT)),
    "447700900011": ReservedNumber("cancelled", Callee(PickUp.CANCEL)),
    "447700900012": ReservedNumber("unreachable", Callee(PickUp.FAIL, detail="cannot_route")),
    "447700900013": ReservedNumber("voicemail", Callee(PickUp.MACHINE)),
    "447700900014": ReservedNumber("Vonage answers 429", vendor=Vendor.THROTTLES),
    "447700900015": ReservedNumber("Vonage answers 500", vendor=Vendor.FAILS),
    "447700900016": ReservedNumber("Vonage takes the request and says nothing", vendor=Vendor.SAYS_NOTHING),
    "447700900017": ReservedNumber(
        "right, and the callback endpoint fails twice, then works", parse_callee("1234"), failing_callbacks=2
    ),
    "447700900018": ReservedNumber("a call screener, silent twice, then right", parse_callee("silence,silence,1234")),
    "447700900019": ReservedNumber("right; known for human before the entry", _right(verdict_s=0.2)),
    "447700900020": ReservedNumber(
        "right; known for human during the entry", _right(verdict_s=1.2, interrupts=True, think_s=0.2)
    ),
    "447700900021": ReservedNumber("right; taken for a machine after the entry", _right("machine", verdict_s=30)),
    "447700900022": ReservedNumber("busy, and `completed` overtakes it", Callee(PickUp.BUSY, completed_first=True)),
    "447700900023": ReservedNumber("a switchboard: right at extension 42, else silence", _right(extension="42")),
}


def reserved(number: object) -> ReservedNumber | None:
    """Return what a test number does; None for any other number."""
    return NUMBERS.get(number) if isinstance(number, str) else None
