"""A call's data, and the phases its life goes through. What moves it from one to the next is in `call.py`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ttsprompt.domain import timing
from ttsprompt.domain.verdict import Entry, Reason, Secrets, Status, attempts_used, reason_of_entries

UUID: Final = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
"""How tids and Vonage's application ids are written: a pattern that means the same in Python and in JSON Schema.

Stricter than `uuid.UUID`, which also reads braces, URNs and digits of other alphabets.
"""

DELIVERY_ATTEMPTS_KEPT: Final = 50
"""How many tries to deliver are kept; a redelivered call may have more behind it."""


class State(StrEnum):
    """How far the call has come; it only moves forward."""

    PLACING = "placing"
    PLACED = "placed"
    ANSWERED = "answered"
    ENDED = "ended"


class Phase(StrEnum):
    """What the call is waiting for. Derived from the call's data, so the two cannot disagree."""

    PLACING = "placing"
    """Recorded; Vonage has not answered yet, or not clearly."""
    PLACED = "placed"
    """Vonage has taken the call; nobody has picked up."""
    ANSWERED = "answered"
    """Somebody picked up and the question is open."""
    DECIDED = "decided"
    """The verdict is known and the call has not ended."""
    GRACE = "grace"
    """The call ended with its question open: keys, or the event that says why, may still be on their way."""
    SETTLED = "settled"
    """The verdict is known and the call is over: the callback is due, or done."""


class DeliveryState(StrEnum):
    """How far the callback has come."""

    NONE = "none"
    PENDING = "pending"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"


class CallbackMethod(StrEnum):
    """How the callback is made."""

    GET = "GET"
    POST = "POST"


class CallbackFormat(StrEnum):
    """What a POST callback carries."""

    FORM = "form"
    JSON = "json"


class MachineDetection(StrEnum):
    """What Vonage does when a machine picks up (docs/vonage.md §1.1)."""

    HANGUP = "hangup"
    CONTINUE = "continue"
    NOTICE = "notice"
    """Vonage detects beside the conversation: nobody waits, and the verdict of the call never depends on it."""


class AnsweredBy(StrEnum):
    """Who picked up, as far as is known."""

    HUMAN = "human"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome; decided once and never replaced."""

    reason: Reason
    decided_at: datetime

    @property
    def status(self) -> Status:
        """The outcome in the tutorial's words."""
        return self.reason.status


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the callee hears, and in which voice (talk options: docs/vonage.md §2.1). Erased when the call settles."""

    text: str = field(repr=False)
    bye_text: str | None = field(default=None, repr=False)
    failed_text: str | None = field(default=None, repr=False)
    silence_text: str | None = field(default=None, repr=False)
    language: str = "en-US"
    style: int | None = None
    premium: bool | None = None


@dataclass(frozen=True, slots=True)
class CallbackTarget:
    """Where and how the outcome is reported."""

    url: str = field(repr=False)
    method: CallbackMethod = CallbackMethod.POST
    format: CallbackFormat = CallbackFormat.FORM


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try to deliver the callback: the receiver's status, or what went wrong before there was one."""

    at: datetime
    http_status: int | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The callback's progress. `attempts_made` counts since the schedule began; `tries` keeps the last ones."""

    state: DeliveryState = DeliveryState.NONE
    attempts_made: int = 0
    tries: tuple[DeliveryAttempt, ...] = ()
    under_way_until: datetime | None = None
    """A try has begun and is over by then; None when none is known to be under way."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Something that happened, for people. `details` holds no number, PIN or key."""

    at: datetime
    event: str
    details: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices that the rules depend on."""

    retry_schedule: tuple[timedelta, ...] = tuple(
        timedelta(seconds=s) for s in (60, 300, 1800, 7200, 14400, 28800, 43200, 57600, 86400, 86400)
    )
    retention: timedelta = timedelta(days=30)
    stale_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request's call, from the record made before dialling to the callback's last try."""

    tid: str
    application_id: str
    to: str = field(repr=False)
    callback: CallbackTarget | None
    attempts_allowed: int
    max_digits: int
    input_timeout_s: int
    ringing_timeout_s: int
    length_timer_s: int
    token_hash: str = field(repr=False)
    created_at: datetime
    expire_at: datetime
    due_at: datetime | None
    prompts: Prompts | None = None
    secrets: Secrets | None = field(default=None, repr=False)
    reference: str | None = None
    machine_detection: MachineDetection | None = None
    extension_s: int = 0
    """How long the keys take that are sent to an extension before anything is spoken."""
    fingerprint: str | None = field(default=None, repr=False)
    secrets_fingerprint: str | None = field(default=None, repr=False)
    """The same for PIN and reject code alone: erased when the call settles, and no longer compared then."""
    state: State = State.PLACING
    uuid: str | None = None
    placement_unclear: bool = False
    verdict: Verdict | None = None
    entries: tuple[Entry, ...] = ()
    human_heard: bool = False
    machine_heard: bool = False
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    settled_at: datetime | None = None
    disconnected_by: str | None = None
    duration_s: int | None = None
    price: str | None = None
    sip_code: int | None = None
    payload: str | None = field(default=None, repr=False)
    delivery: Delivery = Delivery()
    redeliveries: int = 0
    """How often the schedule was begun anew on request."""
    redelivered_at: datetime | None = None
    erased_at: datetime | None = None
    timeline: tuple[TimelineEntry, ...] = ()

    @property
    def phase(self) -> Phase:
        """What the call is waiting for."""
        if self.settled_at is not None:
            return Phase.SETTLED
        if self.state is State.ENDED:
            return Phase.GRACE
        if self.verdict is not None:
            return Phase.DECIDED
        return Phase(self.state.value)

    @property
    def attempts_used(self) -> int:
        """How many entries were judged, the right one and a rejection included."""
        return attempts_used(self.entries)

    @property
    def answered_by(self) -> AnsweredBy | None:
        """Who picked up; a person once one was heard or keyed anything, whatever else was heard."""
        if self.human_heard:
            return AnsweredBy.HUMAN
        return AnsweredBy.MACHINE if self.machine_heard else None

    @property
    def redelivery_allowed_at(self) -> datetime | None:
        """From when on a redelivery may be asked for; None when at once. For settled calls with a callback."""
        minute_over = None if self.redelivered_at is None else self.redelivered_at + timing.REDELIVERY_PAUSE
        return max((at for at in (minute_over, self.delivery.under_way_until) if at is not None), default=None)

    @property
    def current_step(self) -> int:
        """The number of the last question asked; the first is 1 and is asked when the call is placed."""
        decided_by_entry = reason_of_entries(self.entries, self.attempts_allowed) is not None
        return len(self.entries) if decided_by_entry else len(self.entries) + 1

    def is_authentic(self, token: str) -> bool:
        """Tell in constant time whether `token` is the one given to Vonage for this call."""
        return hmac.compare_digest(hash_token(token), self.token_hash)

    def noted(self, at: datetime, event: str, **details: str | int | None) -> Call:
        """Return the call with one more line in its timeline; details that are None are left out."""
        known = {name: value for name, value in details.items() if value is not None}
        return replace(self, timeline=(*self.timeline, TimelineEntry(at, event, known)))


def hash_token(token: str) -> str:
    """Return SHA-256 of the webhook token, in hex: all that the store keeps of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Transition:
    """The call after an event. It is the very same object when nothing changed, so nothing needs to be stored."""

    call: Call
    settled: bool = False
    """This event settled the call: whoever commits it delivers the callback."""
    grace: bool = False
    """This event began the grace period: whoever commits it waits, then applies `GraceElapsed`."""
