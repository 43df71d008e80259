"""The library: one service, one Vonage application."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Unpack

from ttsprompt_client import __version__
from ttsprompt_client.credential import Credential, KeptToken, read_credential
from ttsprompt_client.errors import InterruptedCall, RefusedError, UnclearError, UsageError
from ttsprompt_client.fields import CallFields, request_body
from ttsprompt_client.outcome import UUID, Call, Outcome, Placement, read_call
from ttsprompt_client.placing import PATIENCE_S, Patience, place, refusal
from ttsprompt_client.transport import READ_S, Answer, NoAnswerError, Transport

WAIT_S: Final = 50
"""The longest that the service lets a request wait for the outcome."""

LIVE_WAIT_S: Final = 2
"""How long one request waits where somebody watches: an answer is the only news."""

LAST_S: Final = 15
"""How much longer than a given time the last answer may take: the service may have to ask Vonage about the token."""

PAUSE_S: Final = 1.0
"""Before asking again when an answer came early: the service had no place for one more to wait."""

HANG_UP_S: Final = 60
"""How long a decided call is waited for to end. The outcome stands; duration and price may still come."""

USER_AGENT: Final = f"ttsprompt-client/{__version__}"
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_SERVER_ERRORS: Final = range(500, 600)
_KEY: Final = range(0x21, 0x7F)


class Client:
    """Places calls at one service for one Vonage application.

    Args:
        url: where the service runs.
        application_id: the Vonage application's id.
        private_key: the path of its private key, or the key's PEM text. It stays here: the service gets tokens.
        patience_s: seconds for which requests that came to nothing are repeated.
        sleep, clock: for tests.

    Raises:
        UsageError: an argument makes no sense.
    """

    def __init__(
        self,
        url: str,
        application_id: str | None,
        private_key: str | Path | None,
        *,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = Transport(url, USER_AGENT)
        self._credential: Credential | None = None
        if application_id is not None and private_key is not None:
            self._credential = read_credential(application_id, private_key)
        self._patience_s = patience_s
        self._sleep, self._clock = sleep, clock

    def call(
        self,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        on_change: Callable[[Call], None] | None = None,
        **fields: Unpack[CallFields],
    ) -> Outcome:
        """Phone somebody once and return the outcome, which takes as long as the call.

        After an unclear answer that names a tid the call is followed all the same.

        Args:
            idempotency_key: the same key with the same fields phones once, however often it is sent; default: new.
            timeout_s: seconds to wait for the outcome; default: as long as it takes.
            on_change: called when there is news of the call.
            fields: the request; `from_` is the field `from`.

        Raises:
            UsageError: nothing was sent.
            NotPlacedError: nobody was phoned.
            UnclearError: somebody may have been phoned, and the outcome is not known (yet).
        """
        try:
            tid = self.place(idempotency_key=idempotency_key, **fields).tid
        except UnclearError as error:
            if error.tid is None:
                raise
            tid = error.tid
        return self.wait(tid, timeout_s=timeout_s, on_change=on_change)

    def place(self, *, idempotency_key: str | None = None, **fields: Unpack[CallFields]) -> Placement:
        """Phone somebody once and return as soon as that is under way; as `call` otherwise."""
        body = request_body(fields)
        if body.get("dry_run"):
            raise UsageError("A dry run places no call: use dry_run().")
        key = str(uuid.uuid4()) if idempotency_key is None else _checked_key(idempotency_key)
        credential = self._needed_credential()

        def ask() -> Answer:
            headers = {"Idempotency-Key": key}
            return self._transport.ask("POST", "/call", token=credential.token(), body=body, headers=headers)

        return place(ask, key, self._patience())

    def dry_run(self, **fields: Unpack[CallFields]) -> Mapping[str, Any]:
        """Return what a request would come to; nobody is phoned. A credential is shown to Vonage, if there is one.

        Raises:
            RefusedError: the request would be refused, or the service cannot be reached.
        """
        body = request_body(fields) | {"dry_run": True}
        token = None if self._credential is None else self._credential.token()
        return self._ask("POST", "/call", token, body=body)

    def wait(
        self, tid: str, *, timeout_s: float | None = None, on_change: Callable[[Call], None] | None = None
    ) -> Outcome:
        """Return the outcome of a call, as soon as there is one.

        Raises:
            UnclearError: it is not known after `timeout_s`, or cannot be asked for; its cause is the service's refusal.
            InterruptedCall: Ctrl-C; the call goes on.
        """
        try:
            return self._wait(tid, timeout_s, on_change)
        except KeyboardInterrupt:
            raise InterruptedCall(sent=True, tid=tid) from None

    def _wait(self, tid: str, timeout_s: float | None, on_change: Callable[[Call], None] | None) -> Outcome:
        patience = self._patience()
        began_at = self._clock()
        ends_at = math.inf if timeout_s is None else began_at + timeout_s
        token = KeptToken(self._needed_credential(), began_at)
        decided_at: float | None = None
        outcome: Outcome | None = None
        last = None
        while True:
            now = self._clock()
            left_s = ends_at - now
            wait_s = int(max(0, min(WAIT_S if on_change is None else LIVE_WAIT_S, left_s)))
            try:
                call, retry_after_s = self._look(
                    tid, token.at(now), wait_s, min(wait_s + READ_S, max(left_s, 0) + LAST_S)
                )
            except RefusedError as error:
                grew_old = error.status == _UNAUTHORIZED and token.was_taken
                if grew_old:
                    token.renew(now)
                if grew_old or (_may_pass(error) and patience.wait(error.retry_after_s, ends_at)):
                    continue
                return _known(outcome, f"The call cannot be followed. {error.detail}", tid, error)
            patience.renew()
            token.was_taken = True
            if on_change is not None and call.timeline != last:
                on_change(call)
            last = call.timeline
            if call.outcome is not None:
                # It stays, whatever comes; what is waited for is how long the call was, and its price.
                outcome = call.outcome
                decided_at = self._clock() if decided_at is None else decided_at
                if call.is_settled or self._clock() - decided_at > HANG_UP_S:
                    return outcome
            if left_s <= 0:
                return _known(outcome, f"There was no outcome within {timeout_s:g} seconds.", tid, None)
            if self._clock() - now < wait_s or wait_s == 0:
                self._sleep(min(max(PAUSE_S, retry_after_s or 0), left_s))

    def status(self, tid: str) -> Call:
        """Return how a call stands.

        Raises:
            RefusedError: there is no such call, or the service does not say.
        """
        return self._retried("GET", _path(tid))

    def cancel(self, tid: str) -> Call:
        """Have a call end, and return how it stands then. An outcome that is decided already stays.

        Raises:
            RefusedError: there is no such call, or the service does not say.
        """
        return self._retried("DELETE", _path(tid))

    def about(self) -> Mapping[str, Any]:
        """Return what the service says of itself: name, version, and the public keys of its callbacks.

        Raises:
            RefusedError: it does not answer.
        """
        return self._ask("GET", "/", None)

    def _retried(self, method: str, path: str) -> Call:
        """Ask for something that may be asked for as often as one likes."""
        patience, token = self._patience(), self._needed_credential().token()
        while True:
            try:
                return _read(self._ask(method, path, token))
            except RefusedError as error:
                if not (_may_pass(error) and patience.wait(error.retry_after_s)):
                    raise

    def _look(self, tid: str, token: str, wait_s: int, read_s: float) -> tuple[Call, float | None]:
        query = {"wait": str(wait_s)} if wait_s else None
        answer = self._answer("GET", _path(tid), token=token, query=query, read_s=read_s)
        return _read(answer.body), answer.retry_after_s

    def _ask(
        self, method: str, path: str, token: str | None, *, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        return self._answer(method, path, token=token, body=body).body

    def _answer(self, method: str, path: str, **options: Any) -> Answer:
        try:
            answer = self._transport.ask(method, path, **options)
        except NoAnswerError as error:
            code = "unreachable" if error.is_final else "no_answer"
            raise RefusedError(error.detail, status=None, code=code) from None
        if answer.status != _OK or not answer.body:
            raise RefusedError(**refusal(answer))
        return answer

    def _patience(self) -> Patience:
        return Patience(self._patience_s, self._sleep, self._clock)

    def _needed_credential(self) -> Credential:
        if self._credential is None:
            raise UsageError("An application id and its private key are needed.")
        return self._credential


def _known(outcome: Outcome | None, detail: str, tid: str, cause: RefusedError | None) -> Outcome:
    if outcome is None:
        raise UnclearError(detail, tid=tid) from cause
    return outcome


def _may_pass(error: RefusedError) -> bool:
    """Tell whether the same question may be answered later on."""
    if error.status is None:
        return error.code != "unreachable"
    return error.status in _SERVER_ERRORS or error.status in {408, 409, 429} or error.code == "not_the_service"


def _read(body: Mapping[str, Any]) -> Call:
    try:
        return read_call(body)
    except ValueError as error:
        raise RefusedError(f"The answer makes no sense: {error}.", status=_OK, code="not_the_service") from None


def _path(tid: str) -> str:
    if not UUID.fullmatch(tid):
        raise UsageError("A tid is a UUID, as the service gave it.")
    return f"/call/{tid.lower()}"


def _checked_key(key: str) -> str:
    """Return a key that the service takes as it is: 1 to 255 printable ASCII characters, no comma, quote or blank."""
    if not (1 <= len(key) <= 255) or any(ord(c) not in _KEY or c in ',"' for c in key):  # noqa: PLR2004 - its rule
        raise UsageError("An idempotency key has 1 to 255 ASCII characters, without blanks, commas and quotes.")
    return key
