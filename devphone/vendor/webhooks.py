"""Vonage's requests to the service: their time-outs, their one retry, their signature (docs/vonage.md §3.4, §4)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx
import jwt

from devphone.clients import PickClient

CONNECT_S: Final = 1.0
ANSWER_S: Final = 5.0
EVENT_S: Final = 10.0
RETRIED: Final = frozenset({429, 503, 504})
MAX_REPLY: Final = 1024 * 1024
"""Bytes; no NCCO is so long, and a service that answers nonsense may never stop."""


class TooLongError(Exception):
    """A reply is longer than any NCCO."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back in the end; `status` is None when nothing did."""

    status: int | None
    body: bytes = b""
    content_type: str = ""
    fault: str | None = None
    may_be_repeated: bool = False
    sends: int = 1
    seconds: float | None = None
    """From the first send to the last answer, by the clock on the wall."""

    @property
    def brings_something(self) -> bool:
        """Whether it is a success with a body, which is then taken for an NCCO where one may come."""
        return self.status is not None and 200 <= self.status <= 299 and self.body != b""  # noqa: PLR2004 - success


class WebhookSender:
    """Sends webhooks."""

    def __init__(self, pick: PickClient, signature_secret: str | None = None) -> None:
        self._pick = pick
        self._secret = signature_secret

    async def send(self, url: str, body: dict[str, Any], *, method: str = "POST", timeout_s: float = EVENT_S) -> Reply:
        """Send one webhook, and once more after a time-out, a broken connection, 429, 503 or 504."""
        began, sends = time.monotonic(), 1
        reply = await self._send_once(url, body, method, timeout_s)
        if reply.may_be_repeated:
            reply, sends = await self._send_once(url, body, method, timeout_s), 2
        return replace(reply, sends=sends, seconds=round(time.monotonic() - began, 4))

    async def _send_once(self, url: str, body: dict[str, Any], method: str, timeout_s: float) -> Reply:
        content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {"User-Agent": "devphone"}
        request: dict[str, Any]
        if method == "POST":
            headers["Content-Type"] = "application/json"
            request = {"content": content}
        else:
            params = {k: v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for k, v in body.items()}
            content = json.dumps(params, separators=(",", ":"), ensure_ascii=False).encode()
            request = {"params": {**dict(httpx.URL(url).params), **params}}
        if self._secret is not None:
            headers["Authorization"] = f"Bearer {self._signature(content)}"
        try:
            # The library's time-outs start anew with every byte; a reply that drips must end too.
            async with asyncio.timeout(CONNECT_S + timeout_s):
                timeout = httpx.Timeout(timeout_s, connect=CONNECT_S)
                async with self._pick().stream(method, url, headers=headers, timeout=timeout, **request) as response:
                    reply = await _read(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, TooLongError) as error:
            return Reply(None, fault=type(error).__name__, may_be_repeated=_is_passing(error))
        content_type = response.headers.get("content-type", "")
        status = response.status_code
        return Reply(status, reply, content_type, may_be_repeated=status in RETRIED)

    def _signature(self, content: bytes) -> str:
        claims = {
            "iat": int(time.time()),
            "jti": str(uuid.uuid4()),
            "iss": "Vonage",
            "api_key": "devphone",
            "payload_hash": hashlib.sha256(content).hexdigest(),
        }
        return jwt.encode(claims, self._secret or "", algorithm="HS256")


async def _read(response: httpx.Response) -> bytes:
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_REPLY:
            raise TooLongError
    return content


def _is_passing(error: Exception) -> bool:
    """Tell a time-out or a broken connection from a bad URL or a TLS fault, after which Vonage does not ask again."""
    if not isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError | TimeoutError):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return False
        cause = cause.__cause__ or cause.__context__
    return True
