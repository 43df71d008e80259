"""Keeps web sites away from the phone: they can reach this machine through the browser that shows them."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs its own files and nothing else."""


class Guard:
    """Refuses requests that a web site had a browser send, and puts the page's policy on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fault = refusal(scope["method"], Headers(scope=scope))
        if fault is not None:
            await PlainTextResponse(f"{fault}\n", 403)(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_guarded)


def refusal(method: str, headers: Headers) -> str | None:
    """Return why a request is refused; None for one that is in order.

    A name that leads here but is not this machine's means that a web site rebound its own (DNS rebinding). Programs
    send neither Origin nor Sec-Fetch-Site, so they are not concerned.
    """
    host = headers.get("host", "")
    if _hostname(host) not in HOSTS:
        return "The phone answers as 127.0.0.1 and localhost only."
    if method in SAFE:
        return None
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return "Requests of other origins are refused."
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return "Requests of other sites are refused."
    return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
