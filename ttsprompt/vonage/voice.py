"""Vonage's Voice API over `requests`: one new connection for each call, sent once whatever happens.

Not through Vonage's SDK: that one keeps the Authorization header in a dict shared between threads, waits for ever by
default, and sends a dropped `POST /v1/calls` again (docs/decisions/0001-requests-instead-of-the-sdk.md).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from requests import Request

from ttsprompt.domain.events import CallEnded
from ttsprompt.domain.model import MachineDetection
from ttsprompt.errors import UnauthenticatedError, VendorUnclearError, VendorUnreachableError
from ttsprompt.net.attempt import Attempt
from ttsprompt.net.attempt_connections import AttemptAdapter
from ttsprompt.ports import CallOrder, VoiceApi
from ttsprompt.vonage.bulkhead import Bulkhead
from ttsprompt.vonage.errors import json_object, vendor_error
from ttsprompt.vonage.webhooks import parse_call_ended

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES: Final = 64 * 1024


class VonageVoiceApi:
    """`VoiceApi` over HTTP.

    Time-outs in seconds: `connect_timeout_s` for each address, `setup_timeout_s` by the wall clock until the request
    leaves (name, addresses, TLS), `read_timeout_s` for each read. The whole is over within `setup_timeout_s` +
    `read_timeout_s` by the wall clock. `most_at_once` requests wait for an answer at a time, hang-ups aside: those come
    only after a token that was accepted, and somebody's phone rings until they are sent.
    """

    def __init__(
        self,
        base_url: str,
        user_agent: str,
        *,
        connect_timeout_s: float = 3.0,
        setup_timeout_s: float = 4.0,
        read_timeout_s: float = 10.0,
        most_at_once: int = 64,
    ) -> None:
        self._bulkhead = Bulkhead(most_at_once)
        self._url = f"{base_url}/v1/calls"
        self._user_agent = user_agent
        self._connect_timeout_s = connect_timeout_s
        self._setup_timeout_s = setup_timeout_s
        self._read_timeout_s = read_timeout_s

    def place_call(self, order: CallOrder, token: str) -> str | None:
        """Ask for one phone call, once; see `VoiceApi`."""
        request = self._request("POST", self._url, token, _order_body(order))
        with self._bulkhead.place():
            answer = self._exchange(request)
        if 200 <= answer.status <= 299:  # noqa: PLR2004 - any success means that the phone may ring
            return _uuid(answer.body)
        raise vendor_error(answer.status, answer.headers, answer.body, token, datetime.now(UTC))

    def look_up(self, uuid: str, token: str) -> CallEnded | None:
        """Ask how a call stands; see `VoiceApi`."""
        with self._bulkhead.place():
            answer = self._ask("GET", uuid, token, None)
        if answer.status in {401, 403}:
            raise UnauthenticatedError(
                "Vonage does not accept the token. Is it signed with this application's own private key?"
            )
        if answer.status == 404:  # noqa: PLR2004 - over for days, or of another application: the token is good
            return None
        if answer.status != 200:  # noqa: PLR2004 - anything else says nothing about the token
            if answer.status >= 500:  # noqa: PLR2004 - others may come of the token, which is anybody's
                log.warning(
                    "vonage_exchange_failed", extra={"fields": {"failure": "status", "http_status": answer.status}}
                )
            raise VendorUnreachableError(f"Vonage answered {answer.status}. Try again.")
        return parse_call_ended(json_object(answer.body))

    def hang_up(self, uuid: str, token: str) -> int:
        """Ask to end a call; see `VoiceApi`."""
        return self._ask("PUT", uuid, token, {"action": "hangup"}).status

    def _ask(self, method: str, uuid: str, token: str, body: dict[str, Any] | None) -> _Answer:
        """Send what may be sent again: no phone rings by it, so no answer is simply none."""
        try:
            return self._exchange(self._request(method, f"{self._url}/{quote(uuid, safe='')}", token, body))
        except VendorUnclearError:
            raise VendorUnreachableError("Vonage did not answer in time. Try again.") from None

    def _request(self, method: str, url: str, token: str, body: dict[str, Any] | None) -> _Request:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": self._user_agent,
            "Connection": "close",
        }
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return _Request(method, url, headers, content, (self._connect_timeout_s, self._read_timeout_s))

    def _exchange(self, request: _Request) -> _Answer:
        """Send the request and return the answer, as far as it came in time once its status is known.

        No error of the HTTP client passes through here: their texts hold the URL and may hold headers. What counts is
        whether a byte of the request may have left: only if none did is it certain that no phone rings.
        """
        attempt = Attempt(time.monotonic() + self._setup_timeout_s + self._read_timeout_s)
        outcome = _Outcome()
        done = threading.Event()

        def work() -> None:
            try:
                _send(request, attempt, outcome)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong, what is known by then decides
                outcome.failure = type(error).__name__
            finally:
                attempt.close()
                done.set()

        # A thread, as nothing can interrupt a look-up in DNS; a daemon, so that it cannot keep the process from ending.
        try:
            threading.Thread(target=work, name="vonage", daemon=True).start()
        except RuntimeError:
            raise VendorUnreachableError("There is no thread to reach Vonage with. Try again.") from None
        if done.wait(self._setup_timeout_s) or not attempt.cut_unless_sending():
            done.wait(max(attempt.left_s(), 0))
        # Looked at before the cut, which may make headers that were still coming look complete.
        answer, failure = outcome.answer, outcome.failure
        attempt.cut()
        if answer is not None:
            return answer
        log.warning("vonage_exchange_failed", extra={"fields": {"failure": failure or "deadline"}})
        if attempt.may_have_sent:
            raise VendorUnclearError("The connection broke, or no answer came in time.")
        raise VendorUnreachableError("No connection was made, so nothing was sent. Try again.")


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeouts_s: tuple[float, float]


@dataclass(slots=True)
class _Answer:
    """Vonage's answer; its status has decided, and `body` is what has come of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class _Outcome:
    """What the sending thread has found out by now; `failure` is the name of an error's class."""

    answer: _Answer | None = None
    failure: str | None = None


def _send(request: _Request, attempt: Attempt, outcome: _Outcome) -> None:
    """Send the request once; tell the answer when its headers are complete, then read its body."""
    # No session, so what could change the request does not exist: proxies, .netrc (its credential would replace the
    # caller's), cookies, redirects.
    prepared = Request(request.method, request.url, headers=request.headers, data=request.body).prepare()
    adapter = AttemptAdapter(attempt)
    try:
        with adapter.send(prepared, timeout=request.timeouts_s, verify=True, proxies={}) as response:
            answer = _Answer(response.status_code, response.headers)
            outcome.answer = answer
            # `read1`, so that the body is there as far as it came when the rest does not come.
            while len(answer.body) < MAX_ANSWER_BYTES and (piece := response.raw.read1(4096, decode_content=False)):
                answer.body += piece
    finally:
        adapter.close()


def _order_body(order: CallOrder) -> dict[str, Any]:
    """Return the request of docs/vonage.md §1.1."""
    callee = {"type": "phone", "number": order.to}
    if order.extension is not None:
        callee["dtmfAnswer"] = order.extension
    body: dict[str, Any] = {
        "to": [callee],
        "from": {"type": "phone", "number": order.from_},
        "event_url": [order.event_url],
        "event_method": "POST",
        "ringing_timer": order.ringing_timer_s,
        "length_timer": order.length_timer_s,
    }
    if order.ncco is not None:
        body["ncco"] = order.ncco
    if order.answer_url is not None:
        body |= {"answer_url": [order.answer_url], "answer_method": "POST"}
    if order.machine_detection is MachineDetection.NOTICE:
        body["advanced_machine_detection"] = {"behavior": "continue", "mode": "default"}
    elif order.machine_detection is not None:
        body["machine_detection"] = order.machine_detection.value
    return body


def _uuid(answer: bytes) -> str | None:
    uuid = json_object(answer).get("uuid")
    return uuid if isinstance(uuid, str) and 0 < len(uuid) <= 64 and uuid.isascii() and uuid.isprintable() else None  # noqa: PLR2004


def _fits(voice: VonageVoiceApi) -> VoiceApi:
    return voice
