"""What can happen to a call, in our own words. Vonage's webhooks become these in `web/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EndStatus(StrEnum):
    """The statuses after which Vonage sends no more speech or keys (docs/vonage.md §3.3)."""

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
class HumanDetected:
    """Vonage's machine detection heard a person."""


@dataclass(frozen=True, slots=True)
class MachineDetected:
    """Vonage's machine detection heard a machine."""


@dataclass(frozen=True, slots=True)
class DigitsEntered:
    """Question number `step` was answered by `digits` ("" is silence). `token` is the key of the call's MACs."""

    step: int
    digits: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Vonage says the call is over.

    `duration` is in seconds, `price` in EUR as a decimal string, `sip_code` the status that SIP ended the call with.
    """

    status: EndStatus
    detail: str | None = None
    disconnected_by: str | None = None
    duration: int | None = None
    price: str | None = None
    sip_code: int | None = None


@dataclass(frozen=True, slots=True)
class GraceElapsed:
    """The handler of the ending event has waited for keys that may still have been on their way."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A sweep takes a settled call for a try to deliver: until then no other sweep works on it.

    `due_at` is the date that the sweep has seen. If it settled the call it holds it until then, and may extend that.
    """

    until: datetime
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Overdue:
    """A sweep has seen the call due at `due_at`, and nothing has happened to it since."""

    due_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryAttempted:
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
    """The caller wants the callback once more. `at_once`: it is tried right after this; else the sweep begins."""

    at_once: bool = True


@dataclass(frozen=True, slots=True)
class EraseRequested:
    """The caller wants what the record holds of persons to be gone."""


Event = (
    Placed
    | PlacementUnclear
    | Answered
    | HumanDetected
    | MachineDetected
    | DigitsEntered
    | CallEnded
    | GraceElapsed
    | Claimed
    | Overdue
    | DeliveryAttempted
    | CancelRequested
    | RedeliveryRequested
    | EraseRequested
)
