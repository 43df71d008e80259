"""One exchange with the service: a bounded request, and what its answer or the lack of one means."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import LocationParseError

from ttsprompt_client.errors import Fault, UsageError
from ttsprompt_client.exchange import BrokenError, within

CONNECT_S: Final = 5
READ_S: Final = 40
"""Longer than the service takes at most to place a call: it waits for its store and for Vonage."""

MAX_BYTES: Final = 1024 * 1024
"""No answer of the service comes near it."""

_PIECE_BYTES: Final = 16 * 1024
_HANDSHAKE: Final = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""OpenSSL's words for a handshake with somebody else."""

_UNUSABLE: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    LocationParseError,
    UnicodeError,
)

_REDIRECTS: Final = range(300, 400)


class NoAnswerError(Exception):
    """There was no answer, or none that can be read.

    Attributes:
        sent: the service may have taken the request. If not, it has not, for certain.
        is_final: another try would come to the same.
    """

    def __init__(self, detail: str, *, sent: bool, is_final: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.sent = sent
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `body` is empty if it was no JSON object."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str | None:
        """The problem's stable code; None if this is no problem of the service's (a proxy's page, say)."""
        code = self.body.get("code")
        return code if isinstance(code, str) else None

    @property
    def detail(self) -> str:
        """What went wrong, in the service's words."""
        if self.code is not None:
            return str(self.body.get("detail", self.code))
        if self.status in _REDIRECTS:
            return f"The service's address redirects ({self.status}) to {self.headers.get('Location', 'nowhere')}."
        return f"Something that is not the service answered {self.status}."

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with which field."""
        return faults_of(self.body.get("errors"))

    @property
    def retry_after_s(self) -> float | None:
        """`Retry-After` in seconds (RFC 9110 §10.2.3), None without a readable one."""
        text = self.headers.get("Retry-After", "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text, re.ASCII):
            return math.ceil(float(text))
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            return None


def faults_of(told: Any) -> tuple[Fault, ...]:
    """Return what an answer tells of fields, in its `errors` or `warnings`."""
    found = [fault for fault in told if isinstance(fault, dict)] if isinstance(told, list) else []
    return tuple(Fault(*(str(fault.get(name, "")) for name in ("field", "code", "message"))) for fault in found)


class _Bearer(AuthBase):
    """Sets the token. Without an `auth` of its own, requests would send what a `.netrc` has for the host instead."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """The way to one service. May be used by several threads at once."""

    def __init__(self, url: str, user_agent: str) -> None:
        self.url = checked_url(url)
        self._user_agent = user_agent

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        read_s: float = READ_S,
    ) -> Answer:
        """Send one request, once, and return the answer. Redirects are not followed: they would change the request.

        Raises:
            NoAnswerError: there was none, `read_s` seconds long or within `CONNECT_S + read_s` by the wall clock, or
                none that can be read.
        """

        # A connection of its own for each: one that was kept may be closed by now, and the request be lost in it.
        def exchange(session: requests.Session) -> Answer:
            with session.request(
                method,
                f"{self.url}{path}",
                json=body,
                params=query,
                headers={"User-Agent": self._user_agent, "Accept": "application/json", **(headers or {})},
                auth=_Bearer(token),
                timeout=(CONNECT_S, read_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, _read_object(response), response.headers)

        try:
            return within(CONNECT_S + read_s, exchange)
        except BrokenError as error:
            raise _no_answer(error) from None


def _read_object(response: requests.Response) -> dict[str, Any]:
    content = b""
    for piece in response.iter_content(_PIECE_BYTES):
        content += piece
        if len(content) > MAX_BYTES:
            raise NoAnswerError("The answer is too long.", sent=True)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _no_answer(broken: BrokenError) -> NoAnswerError:
    error = broken.__cause__
    if isinstance(error, TimeoutError | requests.Timeout) and broken.sent:
        return NoAnswerError("The service did not answer in time.", sent=True)
    if broken.sent:
        return NoAnswerError("The connection to the service broke.", sent=True)
    if isinstance(error, requests.exceptions.SSLError) and any(code in str(error) for code in _HANDSHAKE):
        detail = "The service's certificate is not valid, or its address is not https."
        return NoAnswerError(detail, sent=False, is_final=True)
    if isinstance(error, _UNUSABLE):
        return NoAnswerError("The service's address or a header cannot be used.", sent=False, is_final=True)
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException | TimeoutError):
        return NoAnswerError(f"The request cannot be sent from here: {error}", sent=False, is_final=True)
    return NoAnswerError("The service cannot be reached.", sent=False)


def checked_url(url: str) -> str:
    """Return the service's base URL without its last slash.

    Raises:
        UsageError: it is none.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise UsageError("The service's address must be an http or https URL without user, query or fragment.")
    return url.rstrip("/")
