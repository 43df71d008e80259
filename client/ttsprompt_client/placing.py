"""Places one call, asking again under the same key alone, and says what came of it, or that it is unclear."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from ttsprompt_client.errors import InterruptedCall, NotPlacedError, UnclearError
from ttsprompt_client.outcome import UUID, Placement
from ttsprompt_client.transport import Answer, NoAnswerError

PATIENCE_S: Final = 45
"""How long a request is repeated. The service says `in_progress` for up to 20 s after a request died in its hands."""

_STEPS_S: Final = (0.5, 1, 2, 4)
_OK: Final = 200
_REQUEST_TIMEOUT: Final = 408
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERRORS: Final = range(500, 600)
_SUCCESSES: Final = range(200, 300)

_TRY_AGAIN: Final = frozenset(
    {
        "in_progress",
        "request_timeout",
        "store_unavailable",
        "too_many_calls",
        "vendor_rate_limited",
        "vendor_unreachable",
    }
)
"""Codes after which the same request, under the same key, may succeed."""


class Meaning(Enum):
    """What an answer to `POST /call` means."""

    PLACED = auto()
    UNCLEAR = auto()
    """Sent to Vonage, no clear answer; there is a tid."""
    AGAIN = auto()
    """This request phoned nobody; another may."""
    LOST = auto()
    """Nobody can tell what the request did."""
    REFUSED = auto()


def meaning(answer: Answer) -> Meaning:
    """Return what an answer to `POST /call` means."""
    code, tid = answer.code, answer.body.get("tid")
    has_tid = isinstance(tid, str) and UUID.fullmatch(tid) is not None
    if answer.status == _OK and has_tid:
        return Meaning.PLACED
    if code in _TRY_AGAIN or (code is None and answer.status == _TOO_MANY_REQUESTS):
        return Meaning.AGAIN
    if code == "vendor_refused":
        return Meaning.REFUSED
    # Of a gateway, a proxy or a captive portal, whatever its form: it says nothing of what the service behind it did.
    # Or of a later version of the service, whose new codes keep to the meaning of their status.
    if answer.status in _SERVER_ERRORS or answer.status in _SUCCESSES or answer.status == _REQUEST_TIMEOUT:
        return Meaning.UNCLEAR if has_tid and answer.status in _SERVER_ERRORS else Meaning.LOST
    return Meaning.REFUSED


@dataclass(slots=True)
class Patience:
    """How long to go on asking."""

    seconds: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _tries: int = 0
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew."""
        self._tries = 0
        self._ends_at = self.clock() + self.seconds

    def wait(self, seconds: float | None, ends_at: float = math.inf) -> bool:
        """Wait so long (None: a little longer each time); or return False at once if patience would end before.

        It ends at the clock's `ends_at`, if that comes first.
        """
        # A gateway may say 0, and to a clock that is fast every date has passed.
        given_s = None if seconds is None else max(seconds, _STEPS_S[0])
        step_s = _STEPS_S[min(self._tries, len(_STEPS_S) - 1)] if given_s is None else given_s
        self._tries += 1
        now = self.clock()
        if now + step_s > self._ends_at or now >= ends_at:
            return False
        self.sleep(min(step_s, ends_at - now))
        return True


def place(ask: Callable[[], Answer], key: str, patience: Patience) -> Placement:
    """Send a request until it is clear what came of it.

    Every try goes under the same key, so repeating never phones twice. What takes care is what to *say*: once an answer
    was lost, a refusal of a later try need not mean that nobody was phoned. The lost request may have dialled, or may
    still wait at a gateway.

    Raises:
        NotPlacedError: nobody was phoned, for certain.
        UnclearError: somebody may have been phoned.
        InterruptedCall: Ctrl-C.
    """
    may_have_phoned = False
    while True:
        sending = True
        try:
            answer: Answer | NoAnswerError = _try(ask)
            retry_after_s = None
            if isinstance(answer, NoAnswerError):
                may_have_phoned |= answer.sent
                again = not answer.is_final
            else:
                what = meaning(answer)
                if what is Meaning.PLACED:
                    return Placement(answer.body["tid"], key, "Idempotency-Replayed" in answer.headers)
                if what is Meaning.UNCLEAR:
                    raise UnclearError(answer.detail, tid=answer.body["tid"], idempotency_key=key)
                # Under `in_progress` an earlier request with this key is on its way to Vonage.
                may_have_phoned |= what is Meaning.LOST or answer.code == "in_progress"
                again, retry_after_s = what in {Meaning.LOST, Meaning.AGAIN}, answer.retry_after_s
            # Not before: of an answer that says that the phone rings, an interrupt must not say the opposite.
            sending = False
            if again and patience.wait(retry_after_s):
                continue
        except KeyboardInterrupt:
            raise InterruptedCall(sent=may_have_phoned or sending, idempotency_key=key) from None
        raise _given_up(answer, key, may_have_phoned=may_have_phoned)


def _try(ask: Callable[[], Answer]) -> Answer | NoAnswerError:
    try:
        return ask()
    except NoAnswerError as error:
        return error


def _given_up(answer: Answer | NoAnswerError, key: str, *, may_have_phoned: bool) -> NotPlacedError | UnclearError:
    if may_have_phoned:
        return UnclearError(answer.detail, idempotency_key=key)
    if isinstance(answer, NoAnswerError):
        return NotPlacedError(answer.detail, status=None, code="unreachable")
    return NotPlacedError(**refusal(answer))


def refusal(answer: Answer) -> dict[str, Any]:
    """Return what a `RefusedError` of an answer is made of."""
    return {
        "detail": answer.detail,
        "status": answer.status,
        "code": answer.code or "not_the_service",
        "faults": answer.faults,
        "retry_after_s": answer.retry_after_s,
    }
