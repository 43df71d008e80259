"""Receives the service's callbacks and checks their signatures, as a customer of the service would."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl

from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from devphone.pace import Pace
from devphone.timeline import Line, Timeline


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback as it came. `verified` is None when the receiver has no key to check with."""

    method: str
    url: str
    headers: dict[str, str]
    body: str
    fields: dict[str, Any]
    verified: bool | None


class CallbackReceiver:
    """Takes every callback with 204."""

    def __init__(self, timeline: Timeline, pace: Pace, signing_secret: str | None) -> None:
        self._timeline = timeline
        self._pace = pace
        self._secret = signing_secret
        self._callbacks: list[Callback] = []

    async def receive(self, request: Request) -> Response:
        """Take a callback."""
        body = (await request.body()).decode("utf-8", "replace")
        headers = dict(request.headers)
        content = body if request.method == "POST" else request.url.query
        callback = Callback(
            request.method, str(request.url), headers, body, _fields(request, body), self._verify(content, headers)
        )
        self._callbacks.append(callback)
        data = {"method": callback.method, "fields": callback.fields, "verified": callback.verified}
        data["id"] = headers.get("webhook-id")
        self._timeline.add(Line(self._pace.seconds(), "service", "calls back", None, data))
        return Response(status_code=204)

    async def list(self, _request: Request) -> Response:
        """Return all callbacks."""
        return JSONResponse([asdict(callback) for callback in self._callbacks])

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
            value = json.loads(body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
    return dict(parse_qsl(body))
