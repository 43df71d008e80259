"""The page at the phone's root: its files, its events, and what its buttons do."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from devphone import strict_json
from devphone.browser.lines import page_line
from devphone.browser.recent import RecentCalls
from devphone.browser.stream import Bell, stream
from devphone.callee.numbers import NUMBERS, PIN, REJECT_CODE
from devphone.clients import PickClient
from devphone.customer.desk import Desk, DeskError
from devphone.customer.receiver import read_at_most
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.habits import Habit
from devphone.vendor.leg import Leg

FOLDER: Final = Path(__file__).parent / "files"
MAX_BODY: Final = 128 * 1024
"""Bytes; more than the service takes, so that its refusal is seen."""
LINES_AT_FIRST: Final = 1000
"""How much of the timeline a page gets that comes for the first time."""
CALLEE: Final = "447700900000"
CALLER: Final = "447700900999"
"""Numbers that Ofcom keeps for drama."""


class Switched(Protocol):
    """What the page sees of the phone, and may switch."""

    pace: Pace
    timeline: Timeline
    legs: dict[str, Leg]
    habits: Collection[Habit]
    faults: Faults
    desk: Desk | None
    pick: PickClient | None


@dataclass(slots=True)
class _Reader:
    """How far one browser has read."""

    line: int
    call: int = 0
    settings: int = -1


class Page:
    """One phone's page, for as many browsers as open it."""

    def __init__(self, phone: Switched) -> None:
        self._phone = phone
        self._run = uuid.uuid4().hex[:8]
        """Part of every event's id: numbers of an earlier run mean nothing in this one."""
        self._recent = RecentCalls(phone.legs)
        self._settings = 0
        self.bell = Bell()
        phone.timeline.listen(self._recent.hear)
        phone.timeline.listen(lambda _: self.bell.ring())

    def changed(self, uuid_: str) -> None:
        """Show that something about a call has changed."""
        self._recent.touch(uuid_)
        self.bell.ring()

    def renew(self) -> None:
        """Show that something about the phone has changed."""
        self._settings += 1
        self.bell.ring()

    def routes(self) -> list[BaseRoute]:
        """Return the page's part of the phone's routes."""
        return [
            Route("/", self._index, methods=["GET"]),
            Route("/devphone/events", self._events, methods=["GET"]),
            Route("/devphone/call", self._place, methods=["POST"]),
            Route("/devphone/calls/{uuid}/{action}", self._act, methods=["POST"]),
            Route("/devphone/sweep", self._sweep, methods=["POST"]),
            Route("/devphone/switches", self._switch, methods=["POST"]),
            Mount("/page", StaticFiles(directory=FOLDER)),
        ]

    async def _index(self, _request: Request) -> Response:
        return FileResponse(FOLDER / "index.html")

    async def _events(self, request: Request) -> Response:
        """Stream the settings, the calls and the timeline; after a line when the browser was cut off there."""
        last = request.headers.get("last-event-id") or request.query_params.get("after", "")
        run, _, number = last.partition("-")
        after = int(number) if run == self._run and number.isascii() and number.isdigit() else None
        reader = _Reader(self._phone.timeline.count() - LINES_AT_FIRST if after is None else after)
        return StreamingResponse(
            stream(self.bell, lambda: self._news(reader)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    def _news(self, reader: _Reader) -> Iterator[tuple[str, str | None, Any]]:
        if reader.settings != self._settings:
            reader.settings = self._settings
            yield "settings", None, self._describe()
        calls, reader.call = self._recent.since(reader.call), self._recent.version
        for call in calls:
            yield "call", None, call
        for number, line in self._phone.timeline.numbered(reader.line):
            reader.line = number
            shown = page_line(number, line, self._recent.key_of(line), self._phone.pace)
            yield "line", f"{self._run}-{number}", shown

    def _describe(self) -> dict[str, Any]:
        phone = self._phone
        return {
            "run": self._run,
            "now_s": phone.pace.seconds(),
            "speed": phone.pace.speed,
            "has_service": phone.desk is not None,
            "callee": CALLEE,
            "caller": CALLER,
            "pin": PIN,
            "reject_code": REJECT_CODE,
            "numbers": [{"number": number, "what": reserved.what} for number, reserved in NUMBERS.items()],
            "habits": sorted(phone.habits),
            "faults": asdict(phone.faults),
        }

    async def _place(self, request: Request) -> Response:
        """Pass a request for a call on to the service, with the application's token."""
        phone = self._phone
        if phone.desk is None or phone.pick is None:
            return problem(503, "There is no service beside this phone. Start both with make run.")
        content = await read_at_most(request, MAX_BODY)
        if content is None:
            return problem(413, "The request is too long.")
        key = request.headers.get("idempotency-key")
        try:
            answer = await phone.desk.place(content, key, phone.pick, phone.timeline, phone.pace)
        except DeskError as error:
            return problem(502, str(error))
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    async def _sweep(self, _request: Request) -> Response:
        phone = self._phone
        if phone.desk is None or phone.pick is None:
            return problem(503, "There is no service beside this phone. Start both with make run.")
        try:
            return JSONResponse(await phone.desk.sweep(phone.pick, phone.timeline, phone.pace))
        except DeskError as error:
            return problem(502, str(error))

    async def _act(self, request: Request) -> Response:
        """Do what a person does with a call: answer, reject, hang-up, keys."""
        leg = self._phone.legs.get(request.path_params["uuid"])
        if leg is None or leg.person is None:
            return problem(404, "There is no such call, or a script plays its callee.")
        person, is_answered = leg.person, leg.answered_at is not None
        action = request.path_params["action"]
        actions: dict[str, tuple[bool, Callable[[], Awaitable[None] | None]]] = {
            "answer": (not is_answered, person.answer),
            "reject": (not is_answered, person.reject),
            "hang-up": (is_answered, person.hang_up),
        }
        if action == "keys":
            key = await _text(request, "key")
            if key is None or len(key) != 1 or key not in "0123456789*#":
                return problem(400, "A key is one of 0-9 * #.")
            actions["keys"] = (is_answered, lambda: person.press(key))
        if action not in actions:
            return problem(404, "There is no such action.")
        is_possible, act = actions[action]
        if leg.is_over or not is_possible:
            return problem(409, "The call is not at that point.")
        act()
        return Response(status_code=204)

    async def _switch(self, request: Request) -> Response:
        """Set the phone's habits and the faults on the way to the service: {"habits": […], "faults": {…}}."""
        try:
            body = strict_json.loads(await read_at_most(request, MAX_BODY) or b"")
            habits = frozenset(Habit(name) for name in body["habits"])
            faults = Faults(**{field.name: _share(body["faults"].get(field.name, 0)) for field in fields(Faults)})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return problem(400, f"No switches: {error}")
        self._phone.habits, self._phone.faults = habits, faults
        self.renew()
        return Response(status_code=204)


MAX_FAULT: Final = 10


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_FAULT:
        msg = "a fault is a number from 0 to 10"
        raise ValueError(msg)
    return float(value)


async def _text(request: Request, name: str) -> str | None:
    try:
        value = strict_json.loads(await read_at_most(request, MAX_BODY) or b"")[name]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


def problem(status: int, detail: str) -> Response:
    """Return why the page's request came to nothing, in the service's own form."""
    body = {"title": "The dev phone", "status": status, "detail": detail, "code": "devphone", "errors": []}
    return JSONResponse(body, status, media_type="application/problem+json")
