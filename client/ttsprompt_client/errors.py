"""Everything that can go wrong, as one tree. A message is one or two sentences, safe to show: no key, token or PIN.

ClientError
├── UsageError           the arguments, a setting or a file make no sense; nothing was sent
├── RefusedError         the service said no, for certain, or could not be reached
│   └── NotPlacedError   the same for a call: nobody was phoned
├── UnclearError         somebody may have been phoned, and the outcome is not known (yet)
└── VerificationError    a callback is not signed by any of the keys, or makes no sense
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ClientError(Exception):
    """Base of all expected errors."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UsageError(ClientError):
    """The arguments, a setting or a file make no sense; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule of one field, in the service's words. `code` is stable, `message` never quotes the value."""

    field: str
    code: str
    message: str


class RefusedError(ClientError):
    """The service refused, or could not be reached.

    Attributes:
        status: the answer's HTTP status; None if there was no answer.
        code: the service's stable code (docs/errors.md); `unreachable` if no connection was made, `not_the_service` if
            something else answered.
        faults: what is wrong with which field.
        retry_after_s: seconds after which the same may succeed, when the service says so.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None,
        code: str,
        faults: Sequence[Fault] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.faults = tuple(faults)
        self.retry_after_s = retry_after_s


class NotPlacedError(RefusedError):
    """Nobody was phoned, for certain."""


class UnclearError(ClientError):
    """Somebody may have been phoned, and the outcome is not known (yet).

    Attributes:
        tid: follow the call by it; None if no answer named one.
        idempotency_key: the same request under this key phones nobody twice, and is answered with the tid.
    """

    def __init__(self, detail: str, *, tid: str | None = None, idempotency_key: str | None = None) -> None:
        super().__init__(detail)
        self.tid = tid
        self.idempotency_key = idempotency_key


class InterruptedCall(KeyboardInterrupt):
    """A KeyboardInterrupt that came while a call was being placed or followed.

    Attributes:
        sent: a request was sent: somebody may have been phoned. If not, nobody was.
        tid, idempotency_key: as in `UnclearError`.
    """

    def __init__(self, *, sent: bool, tid: str | None = None, idempotency_key: str | None = None) -> None:
        super().__init__()
        self.sent = sent
        self.tid = tid
        self.idempotency_key = idempotency_key


class VerificationError(ClientError):
    """A callback is not to be believed, or cannot be read. `code` is stable, for programs."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
