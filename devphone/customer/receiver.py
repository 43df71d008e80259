"""Receives the service's callbacks and checks their signatures, as a customer of the service would."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from standardwebhooks import Webhook
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from devphone import strict_json
from devphone.callee.numbers import reserved
from devphone.pace import Pace
from devphone.timeline import Line, Timeline

KEPT: Final = 10_000
MAX_BODY: Final = 64 * 1024
"""Bytes; no callback is so long."""
FAILS_TWICE: Final = "fails-twice"
"""A part of the path at which the first two tries of each callback fail."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback as it came, and the status it was answered with.

    `verified` is None when the receiver has no key to check with.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: str
    fields: dict[str, Any]
    verified: bool | None
    answer: int


class CallbackReceiver:
    """Takes callbacks with 204, but for those that are to fail first."""

    def __init__(self, timeline: Timeline, pace: Pace, signing_secret: str | None) -> None:
        self._timeline = timeline
        self._pace = pace
        self._secret = signing_secret
        self._callbacks: deque[Callback] = deque(maxlen=KEPT)
        self._tries: OrderedDict[str, int] = OrderedDict()

    async def receive(self, request: Request) -> Response:
        """Take a callback."""
        content = await read_at_most(request, MAX_BODY)
        if content is None:
            return Response(status_code=413)
        body = content.decode("utf-8", "replace")
        told = body if request.method == "POST" else request.url.query
        headers = dict(request.headers)
        fields = _fields(request, body)
        callback = Callback(
            method=request.method,
            url=str(request.url),
            headers=headers,
            body=body,
            fields=fields,
            verified=self._verify(told, headers),
            answer=self._answer(request, fields, headers),
        )
        self._callbacks.append(callback)
        data: dict[str, Any] = {"method": callback.method, "fields": callback.fields, "verified": callback.verified}
        data |= {"id": headers.get("webhook-id"), "answer": callback.answer}
        data["sha256"] = hashlib.sha256(told.encode()).hexdigest()  # so that the same payload twice can be told
        self._timeline.add(Line(self._pace.seconds(), "service", "calls back", None, data))
        return Response(status_code=callback.answer)

    async def list(self, _request: Request) -> Response:
        """Return the last callbacks."""
        return JSONResponse([asdict(callback) for callback in self._callbacks])

    def _answer(self, request: Request, fields: dict[str, Any], headers: dict[str, str]) -> int:
        number = reserved(fields.get("to"))
        failing = 0 if number is None else number.failing_callbacks
        if FAILS_TWICE in request.url.path.split("/"):
            failing = 2
        if not failing:
            return 204
        message = headers.get("webhook-id") or str(fields.get("tid"))
        tries = self._tries[message] = self._tries.get(message, 0) + 1
        while len(self._tries) > KEPT:
            self._tries.popitem(last=False)
        return 500 if tries <= failing else 204

    def _verify(self, content: str, headers: dict[str, str]) -> bool | None:
        if self._secret is None:
            return None
        try:
            Webhook(self._secret).verify(content, headers, json_parse=False)
        except Exception:  # noqa: BLE001 - the library raises many kinds for malformed headers
            return False
        return True


async def read_at_most(request: Request, most: int) -> bytes | None:
    """Return the body of a request; None if it is longer than `most` bytes, or never ends."""
    content = b""
    try:
        async for part in request.stream():
            content += part
            if len(content) > most:
                return None
    except ClientDisconnect:
        return None
    return content


def _fields(request: Request, body: str) -> dict[str, Any]:
    if request.method == "GET":
        return dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            value = strict_json.loads(body.encode())
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
    return dict(parse_qsl(body))
