"""What can happen to a call, in our own words. Vonage's webhooks become these in `web/`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class TerminalStatus(StrEnum):
    """The statuses after which Vonage sends no more speech or keys (vonage-voice §3.3)."""

    BUSY = "busy"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    UNANSWERED = "unanswered"


class DeliveryOutcome(StrEnum):
    """What one try to deliver the callback came to."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"
    """The receiver answered 410: stop for good (Standard Webhooks)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Vonage accepted the call (201). `uuid` is its name for the leg, None when its answer could not be read."""

    uuid: str | None


@dataclass(frozen=True, slots=True)
class PlacementUnclear:
    """The request to Vonage was sent and no clear answer came."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody, or something, picked up."""


@dataclass(frozen=True, slots=True)
class MachineDetected:
    """Vonage's machine detection heard a machine."""


@dataclass(frozen=True, slots=True)
class KeysEntered:
    """Question number `step` was answered by `keys` ("" is silence). `token` is the key of the call's MACs."""

    step: int
    keys: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Terminated:
    """Vonage says the call is over. `duration` is in seconds, `price` in EUR as a decimal string."""

    status: TerminalStatus
    detail: str | None = None
    disconnected_by: str | None = None
    duration: int | None = None
    price: str | None = None


@dataclass(frozen=True, slots=True)
class GraceElapsed:
    """The handler of the ending event has waited for keys that may still have been on their way."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A sweep takes the call: until then no other sweep works on it.

    `due_at` is the date that the sweep has seen. If it settled the call it holds it until then, and may extend that.
    """

    until: datetime
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Overdue:
    """The sweep that claimed the call until `claimed_until` finds that nothing has happened to it since."""

    claimed_until: datetime


@dataclass(frozen=True, slots=True)
class DeliveryTried:
    """One try to deliver the callback, begun when the call was due at `due_at`.

    `retry_at` is when the next is due, None when the schedule is used up.
    """

    due_at: datetime | None
    outcome: DeliveryOutcome
    http_status: int | None
    fault: str | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The caller does not want the call any more."""


@dataclass(frozen=True, slots=True)
class RedeliveryRequested:
    """The caller wants the callback once more."""


Event = (
    Placed
    | PlacementUnclear
    | Answered
    | MachineDetected
    | KeysEntered
    | Terminated
    | GraceElapsed
    | Claimed
    | Overdue
    | DeliveryTried
    | CancelRequested
    | RedeliveryRequested
)


_TERMINAL: Final = frozenset(TerminalStatus)
_WORD: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)


def parse_ending(fields: Mapping[str, Any]) -> Terminated | None:
    """Return how a call ended, from the fields of a webhook or a lookup (vonage-voice §1.5, §3.3); None if it has not.

    What makes no sense is left out: it is not needed for the outcome.
    """
    status = fields.get("status")
    if not isinstance(status, str) or status not in _TERMINAL:
        return None
    disconnected_by, detail = fields.get("disconnected_by"), fields.get("detail")
    return Terminated(
        status=TerminalStatus(status),
        detail=detail if isinstance(detail, str) and _WORD.fullmatch(detail) else None,
        disconnected_by=disconnected_by if disconnected_by in ("platform", "user") else None,
        duration=_whole_seconds(fields.get("duration")),
        price=_decimal(fields.get("price")),
    )


def _decimal(value: object) -> str | None:
    text = str(value)
    return text if _DECIMAL.fullmatch(text) else None


def _whole_seconds(value: object) -> int | None:
    """Return a duration; Vonage sends it as a string of seconds."""
    text = _decimal(value)
    return None if text is None else math.ceil(float(text))
