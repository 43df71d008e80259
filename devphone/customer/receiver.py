"""Receives the service's callbacks and checks their signatures, as a customer of the service would."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from typing import Any, Final
from urllib.parse import parse_qsl

from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from devphone import strict_json
from devphone.bodies import read_at_most
from devphone.callee.numbers import reserved
from devphone.happenings import CallbackReceived
from devphone.pace import Pace
from devphone.timeline import Timeline

KEPT: Final = 10_000
MAX_BODY: Final = 64 * 1024
"""Bytes; no callback is so long."""
FAILS_TWICE: Final = "fails-twice"
"""A part of the path at which the first two tries of each callback fail."""


class CallbackReceiver:
    """Takes callbacks with 204, but for those that are to fail first."""

    def __init__(self, timeline: Timeline, pace: Pace, signing_secret: str | None) -> None:
        self._timeline = timeline
        self._pace = pace
        self._secret = signing_secret
        self.received: deque[CallbackReceived] = deque(maxlen=KEPT)
        self._tries: OrderedDict[str, int] = OrderedDict()

    def routes(self) -> list[BaseRoute]:
        """Return its routes."""
        return [
            Route("/devphone/callbacks", self._list, methods=["GET"]),
            Route("/callback", self._receive, methods=["GET", "POST"]),
            Route("/callback/{rest:path}", self._receive, methods=["GET", "POST"]),
        ]

    async def _receive(self, request: Request) -> Response:
        """Take a callback."""
        content = await read_at_most(request, MAX_BODY)
        if content is None:
            return Response(status_code=413)
        body = content.decode("utf-8", "replace")
        told = body if request.method == "POST" else request.url.query
        headers = dict(request.headers)
        fields = _fields(request, body)
        callback = CallbackReceived(
            at_s=self._pace.seconds(),
            tid=fields["tid"] if isinstance(fields.get("tid"), str) else None,
            method=request.method,
            url=str(request.url),
            headers=headers,
            body=body,
            fields=fields,
            id=headers.get("webhook-id"),
            verified=self._verify(told, headers),
            answer=self._answer(request, fields, headers),
            sha256=hashlib.sha256(told.encode()).hexdigest(),
        )
        self.received.append(callback)
        self._timeline.add(callback)
        return Response(status_code=callback.answer)

    async def _list(self, _request: Request) -> Response:
        """Return the last callbacks."""
        return JSONResponse([callback.as_dict() for callback in self.received])

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
