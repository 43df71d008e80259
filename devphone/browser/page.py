"""The page at the phone's root: its files, and the stream of what it shows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from devphone.browser.recent import RecentCalls
from devphone.browser.stream import Bell, stream
from devphone.browser.wire import LineMessage, NumberMessage, SettingsMessage, as_json
from devphone.callee.numbers import NUMBERS, PIN, REJECT_CODE
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.exchange import Exchange

FOLDER: Final = Path(__file__).parent / "files"
LINES_AT_FIRST: Final = 1000
"""How much of the timeline a page gets that comes for the first time."""


@dataclass(slots=True)
class _Reader:
    """How far one browser has read."""

    line: int
    call: int = 0
    settings: int = -1


class Page:
    """One phone's page, for as many browsers as open it. `has_service`: there is a service to place calls with."""

    def __init__(self, exchange: Exchange, has_service: Callable[[], bool]) -> None:
        self._exchange = exchange
        self._timeline: Timeline = exchange.timeline
        self._pace: Pace = exchange.pace
        self._has_service = has_service
        self._run = uuid.uuid4().hex[:8]
        """Part of every event's id: numbers of an earlier run mean nothing in this one."""
        self._recent = RecentCalls(exchange.legs)
        self._settings = 0
        self.bell = Bell()
        exchange.changed = self._changed
        self._timeline.listen(self._recent.hear)
        self._timeline.listen(lambda _: self.bell.ring())

    def renew(self) -> None:
        """Show that something about the phone has changed."""
        self._settings += 1
        self.bell.ring()

    def routes(self) -> list[BaseRoute]:
        """Return the page's part of the phone's routes."""
        return [
            Route("/", self._index, methods=["GET"]),
            Route("/devphone/events", self._events, methods=["GET"]),
            Mount("/page", StaticFiles(directory=FOLDER)),
        ]

    def _changed(self, uuid_: str) -> None:
        self._recent.touch(uuid_)
        self.bell.ring()

    async def _index(self, _request: Request) -> Response:
        return FileResponse(FOLDER / "index.html")

    async def _events(self, request: Request) -> Response:
        """Stream the settings, the calls and the timeline; after a line when the browser was cut off there."""
        last = request.headers.get("last-event-id") or request.query_params.get("after", "")
        run, _, number = last.partition("-")
        after = int(number) if run == self._run and number.isascii() and number.isdigit() else None
        reader = _Reader(self._timeline.count() - LINES_AT_FIRST if after is None else after)
        return StreamingResponse(
            stream(self.bell, lambda: self._news(reader)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    def _news(self, reader: _Reader) -> Iterator[tuple[str, str | None, Any]]:
        if reader.settings != self._settings:
            reader.settings = self._settings
            yield "settings", None, as_json(self._describe())
        calls, reader.call = self._recent.since(reader.call), self._recent.version
        for call in calls:
            yield "call", None, as_json(call)
        for number, happening in self._timeline.numbered(reader.line):
            reader.line = number
            yield "line", f"{self._run}-{number}", as_json(LineMessage.of(number, happening, self._pace))

    def _describe(self) -> SettingsMessage:
        behaviour = self._exchange.behaviour
        return SettingsMessage(
            run=self._run,
            now_s=self._pace.seconds(),
            speed=self._pace.speed,
            has_service=self._has_service(),
            pin=PIN,
            reject_code=REJECT_CODE,
            numbers=[NumberMessage(number=number, what=reserved.what) for number, reserved in NUMBERS.items()],
            habits=sorted(behaviour.habits),
            faults=behaviour.faults,
            rate=behaviour.rate,
        )
