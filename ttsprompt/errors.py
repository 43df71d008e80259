"""Everything that can go wrong, as one tree. Each error has a stable `code` that callers see (docs/errors.md).

    TtsPromptError
    ├── MalformedRequestError      malformed            the body or a header cannot be read at all
    ├── UnsupportedMediaTypeError  unsupported_media_type
    ├── TooLargeError              too_large
    ├── RequestTimeoutError        request_timeout      the body did not arrive in time
    ├── InvalidFieldsError         invalid_fields       read, but fields break a rule; lists every fault
    ├── UnauthenticatedError       unauthenticated      no usable credential
    ├── ApplicationNotAllowedError application_not_allowed
    ├── CountryNotAllowedError     country_not_allowed
    ├── NumberNotAllowedError      number_not_allowed   listed, of a kind that is not called, or of no country
    ├── TooManyCallsError          too_many_calls       this number was called often enough for now
    ├── NotFoundError              not_found            no such resource, or not for this token
    │   └── CallNotFoundError
    ├── MethodNotAllowedError      method_not_allowed
    ├── CallExistsError            (never leaves the service) the tid is taken
    ├── IdempotencyConflictError   idempotency_conflict the key was used with another body
    ├── NotSettledError            not_settled          the call has no outcome yet
    ├── NoCallbackError            no_callback          there is nowhere to deliver the outcome to
    ├── TooManyRedeliveriesError   too_many_redeliveries
    ├── InProgressError            in_progress          the first request with this key still waits for Vonage
    ├── CorruptRecordError         store_unavailable    a stored record cannot be understood, by this version at least
    ├── StoreUnavailableError      store_unavailable    the record could not be read or written for sure
    └── VendorError                what Vonage's answer, or its lack, means
        ├── VendorRefusedError       vendor_refused       definite: no call was placed
        ├── VendorRateLimitedError   vendor_rate_limited  definite: no call was placed, try again
        ├── VendorUnreachableError   vendor_unreachable   no connection was made: no call was placed
        └── VendorUnclearError       vendor_unclear       sent, no clear answer: the phone may be ringing

Anything else is a bug and becomes an opaque `internal` 500.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

_NAME: Final = re.compile(r"[a-z_][\w.-]{0,31}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One broken rule of one field. `message` is for people and never quotes the value (it may be a PIN)."""

    field: str
    code: str
    message: str


def shown_name(name: str) -> str:
    """Return as much of a field's name as may be shown, "" if that is nothing.

    Under a wrong content type a whole body, PIN and all, is taken for a name.
    """
    found = _NAME.match(name)
    return found.group() if found else ""


def _seconds(number: int) -> str:
    return f"{number} second{'' if number == 1 else 's'}"


class TtsPromptError(Exception):
    """Base of all expected errors; `detail` is one sentence, safe to show to the caller."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class MalformedRequestError(TtsPromptError):
    """The body or a header cannot be read at all."""

    code = "malformed"


class UnsupportedMediaTypeError(TtsPromptError):
    """The body is of a type this route does not read."""

    code = "unsupported_media_type"


class TooLargeError(TtsPromptError):
    """The body is over the limit."""

    code = "too_large"


class RequestTimeoutError(TtsPromptError):
    """The body did not arrive in time."""

    code = "request_timeout"


class InvalidFieldsError(TtsPromptError):
    """The body was read, but some of its fields break a rule. The detail is the first fault's message."""

    code = "invalid_fields"

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        first, more = faults[0], len(faults) - 1
        name = f"{first.field}: " if first.field else ""
        rest = f" There {'is 1 more fault' if more == 1 else f'are {more} more faults'}; see errors." if more else ""
        super().__init__(f"{name}{first.message}{rest}")
        self.faults = tuple(faults)


class UnauthenticatedError(TtsPromptError):
    """There is no credential, or one that cannot be valid."""

    code = "unauthenticated"


class ApplicationNotAllowedError(TtsPromptError):
    """The operator does not serve this application."""

    code = "application_not_allowed"

    def __init__(self) -> None:
        super().__init__("The operator serves certain Vonage applications only, and yours is not among them.")


class CountryNotAllowedError(TtsPromptError):
    """The operator does not let calls go there."""

    code = "country_not_allowed"

    def __init__(self) -> None:
        super().__init__("The operator lets calls go to certain countries only, and this number's is not among them.")


class NumberNotAllowedError(TtsPromptError):
    """The operator does not let this number, or its kind, be called, or it belongs to no country."""

    code = "number_not_allowed"


class TooManyCallsError(TtsPromptError):
    """This number was called often enough for now; `retry_after_s` says when it may be called again, in seconds."""

    code = "too_many_calls"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"The operator limits how often one number is called. Try again in {_seconds(retry_after_s)}.")
        self.retry_after_s = retry_after_s


class NotFoundError(TtsPromptError):
    """Nothing is here, or nothing that this token may see."""

    code = "not_found"

    def __init__(self, detail: str = "There is nothing at this path. GET /openapi.json lists the paths.") -> None:
        super().__init__(detail)


class CallNotFoundError(NotFoundError):
    """The store holds no such call."""

    def __init__(self) -> None:
        super().__init__("No call of your Vonage application has this tid.")


class MethodNotAllowedError(TtsPromptError):
    """The path exists, but not for this method."""

    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        *others, last = allowed
        super().__init__(f"This path takes {', '.join(others)}{' or ' if others else ''}{last}.")
        self.allowed = tuple(allowed)


class CallExistsError(TtsPromptError):
    """A call of this tid is already stored."""

    code = "internal"

    def __init__(self) -> None:
        super().__init__("A call of this tid is already stored.")


class IdempotencyConflictError(TtsPromptError):
    """The idempotency key was used before, with another body."""

    code = "idempotency_conflict"

    def __init__(self) -> None:
        super().__init__("The first request with this key had another body. Send that body again, or a new key.")


class NotSettledError(TtsPromptError):
    """The call has no outcome yet."""

    code = "not_settled"

    def __init__(self) -> None:
        super().__init__("The call is still under way. GET /call/{tid}?wait=50 waits for its end.")


class NoCallbackError(TtsPromptError):
    """There is nowhere to deliver the outcome to."""

    code = "no_callback"

    def __init__(self) -> None:
        super().__init__("The call was placed without a callback. GET /call/{tid} tells its outcome.")


class TooManyRedeliveriesError(TtsPromptError):
    """A redelivery was asked for too soon; `retry_after_s` says when it may be, in seconds."""

    code = "too_many_redeliveries"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "A callback is sent again at most once a minute, and not while a try is under way. "
            f"Try again in {_seconds(retry_after_s)}."
        )
        self.retry_after_s = retry_after_s


class InProgressError(TtsPromptError):
    """The first request with this idempotency key still waits for Vonage."""

    code = "in_progress"

    def __init__(self) -> None:
        super().__init__(
            "The first one with this Idempotency-Key still waits for Vonage. Send this one again in a second."
        )


class CorruptRecordError(TtsPromptError):
    """A stored record cannot be understood: written by something else, or by a later version that may be back soon."""

    code = "store_unavailable"

    def __init__(self, tid: str) -> None:
        super().__init__("The record of this call cannot be read at the moment. Try again.")
        self.tid = tid


class StoreUnavailableError(TtsPromptError):
    """The store did not answer, so it is not known whether the write was applied."""

    code = "store_unavailable"

    def __init__(self, detail: str = "The store did not answer in time. Try again.") -> None:
        super().__init__(detail)


class VendorError(TtsPromptError):
    """What Vonage's answer means; `trace_id` is Vonage's reference for its support."""

    code = "vendor_refused"

    def __init__(self, detail: str, *, trace_id: str | None = None) -> None:
        super().__init__(detail)
        self.trace_id = trace_id


class VendorRefusedError(VendorError):
    """Vonage refused for certain: no call was placed. `vendor_status` is its HTTP status."""

    def __init__(
        self,
        detail: str,
        *,
        vendor_status: int,
        faults: Sequence[FieldFault] = (),
        trace_id: str | None = None,
    ) -> None:
        super().__init__(detail, trace_id=trace_id)
        self.vendor_status = vendor_status
        self.faults = tuple(faults)


class VendorRateLimitedError(VendorError):
    """Vonage throttled the request: no call was placed. `asked_for_s`: its Retry-After in seconds, if it sent one."""

    code = "vendor_rate_limited"

    def __init__(self, detail: str, *, asked_for_s: float | None = None, trace_id: str | None = None) -> None:
        super().__init__(detail, trace_id=trace_id)
        self.asked_for_s = asked_for_s

    @property
    def retry_after_s(self) -> int:
        """When the caller may ask again, in whole seconds."""
        return 1 if self.asked_for_s is None else max(1, math.ceil(self.asked_for_s))


class VendorUnreachableError(VendorError):
    """No connection to Vonage was made: no call was placed."""

    code = "vendor_unreachable"


class VendorUnclearError(VendorError):
    """The request was sent and no clear answer came: the phone may be ringing, so it must not be sent again.

    The detail is what is known and what to do. The use case fills in `tid`, so that the caller can follow the call.
    """

    code = "vendor_unclear"
    tid: str | None = None

    def __init__(self, what: str, *, trace_id: str | None = None) -> None:
        super().__init__(
            f"{what} The phone may be ringing: follow the tid instead of placing another call.", trace_id=trace_id
        )
