"""What the service needs from outside. Adapters implement these; tests may replace them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from ttsprompt.domain.call import Call, Transition
from ttsprompt.domain.events import CallEnded
from ttsprompt.domain.model import CallbackFormat, CallbackMethod, MachineDetection
from ttsprompt.domain.ncco import Ncco

STORE_TIMEOUT_S: Final = 4.0
"""What the store steps of one handler may take together; Vonage waits 5 s for an NCCO (docs/vonage.md §3.4)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A call as the store holds it. `version` and `document`, all of the record, mean something to the store alone."""

    call: Call
    version: object
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Update:
    """What `CallStore.update` committed, and the call as it is stored now. `written`: there was something to commit."""

    transition: Transition
    stored: Stored
    written: bool


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call that needs attention since `due_at`; `stored` is None when its record, as of `version`, makes no sense."""

    tid: str
    due_at: datetime
    stored: Stored | None
    version: object = None


class CallStore(Protocol):
    """Calls by tid. Every method may raise StoreUnavailableError, and every one is over within `timeout_s`."""

    def create(self, call: Call, *, timeout_s: float = STORE_TIMEOUT_S) -> Stored:
        """Store a new call.

        Raises:
            CallExistsError: the tid is taken; nothing was written.
        """

    def get(self, tid: str, *, timeout_s: float = STORE_TIMEOUT_S) -> Stored:
        """Return the call.

        Raises:
            CallNotFoundError: there is none.
        """

    def update(
        self,
        tid: str,
        fn: Callable[[Call], Transition],
        *,
        expected: Stored | None = None,
        timeout_s: float = STORE_TIMEOUT_S,
    ) -> Update:
        """Replace the call by what `fn` makes of it, unless somebody else wrote in between: then run `fn` again.

        `fn` must be pure. When it returns the very call it was given, nothing is written. An exception of `fn` passes
        through and nothing is written. `expected` saves the first read; if it is out of date, the call
        is read after all.

        Raises:
            CallNotFoundError: there is no such call, or no longer.
        """

    def delete(
        self,
        tid: str,
        condition: Callable[[Call], bool],
        *,
        expected: Stored | None = None,
        timeout_s: float = STORE_TIMEOUT_S,
    ) -> bool:
        """Delete the call if `condition` holds for it as it is at that moment; tell whether it is gone."""

    def due(
        self, now: datetime, limit: int, *, after: DueCall | None = None, timeout_s: float = STORE_TIMEOUT_S
    ) -> list[DueCall]:
        """Return calls whose `due_at` is `now` or earlier, the oldest first; `after` goes on where a page ended."""

    def quarantine(self, due: DueCall, until: datetime, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Make a record that cannot be read due at `until`, so that it does not come up with every sweep.

        One that somebody has written meanwhile stays as it is: they can read it.
        """

    def purge(self, now: datetime, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Delete what has outlived its retention, unless the database does that by itself; of the quota too."""

    def scrub(self, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Leave nothing of what was overwritten in files of the store's own."""


class QuotaStore(Protocol):
    """Holders that are taken for a while: at most so many for each key. Kept beside the calls."""

    def acquire(
        self,
        key: str,
        holder: str,
        *,
        now: datetime,
        window: timedelta,
        most: int,
        timeout_s: float = STORE_TIMEOUT_S,
    ) -> datetime | None:
        """Let `holder` in as of now; return None, or when there will be room if there is none.

        Exact under any number of rivals. A holder who is in already, and comes again, holds as of now.

        Raises:
            StoreUnavailableError: it is not known whether the holder is in.
        """

    def release(self, key: str, holder: str, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Let `holder` go, if it is in.

        Raises:
            StoreUnavailableError: it may still be in; it will be gone with its window.
        """


@dataclass(frozen=True, slots=True)
class CallOrder:
    """What Vonage is asked to do; exactly one of `ncco` and `answer_url` is set. Times are in seconds."""

    to: str = field(repr=False)
    from_: str = field(repr=False)
    event_url: str = field(repr=False)
    ringing_timer_s: int
    length_timer_s: int
    ncco: Ncco | None = field(default=None, repr=False)
    answer_url: str | None = field(default=None, repr=False)
    machine_detection: MachineDetection | None = None
    extension: str | None = field(default=None, repr=False)
    """Keys to send when the call is answered; `p` is a pause of half a second."""


class VoiceApi(Protocol):
    """The Voice API of Vonage. `token` is the caller's application JWT, used for this one request."""

    def place_call(self, order: CallOrder, token: str) -> str | None:
        """Ask for one phone call, once; return Vonage's uuid, or None when it accepted but its answer is unreadable.

        Raises:
            VendorRefusedError, VendorRateLimitedError, VendorUnreachableError: no call was placed.
            VendorUnclearError: the request was sent and no clear answer came; the phone may be ringing.
        """

    def look_up(self, uuid: str, token: str) -> CallEnded | None:
        """Return how the call ended, as far as Vonage says; None when it has not, or is not known there.

        Raises:
            UnauthenticatedError: Vonage does not accept the token.
            VendorUnreachableError: Vonage gave no answer that tells.
        """

    def hang_up(self, uuid: str, token: str) -> int:
        """Ask to end a call; return Vonage's HTTP status.

        Raises:
            VendorUnreachableError: Vonage gave no answer.
        """


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """One callback to send; `payload` is sent as it is, in the query (GET) or as the body (POST)."""

    webhook_id: str
    url: str = field(repr=False)
    method: CallbackMethod
    format: CallbackFormat
    payload: str = field(repr=False)


BUSY: Final = "busy"
"""The fault of a try that did not begin for want of our own resources: it is none."""


@dataclass(frozen=True, slots=True)
class CallbackResponse:
    """What came of it: the receiver's status, or the kind of fault that kept it from answering."""

    http_status: int | None = None
    fault: str | None = None
    retry_after_s: float | None = None


class CallbackSender(Protocol):
    """Sends callbacks to addresses that callers chose, so that it must be safe whatever they chose."""

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        """Send once and return within `timeout_s` by the wall clock; a failure is a value, never an exception."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Return the time of day, UTC."""

    def monotonic(self) -> float:
        """Return seconds that only go forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
