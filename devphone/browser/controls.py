"""The phone's own interface under `/devphone`: for the page's buttons, for scripts and for tests."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from devphone import strict_json
from devphone.bodies import read_at_most
from devphone.browser.page import Page
from devphone.callee.directory import Directory
from devphone.callee.script import parse_callee
from devphone.clients import PickClient
from devphone.customer.desk import Desk, DeskError
from devphone.vendor.behaviour import Behaviour
from devphone.vendor.exchange import Exchange
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.habits import Habit

MAX_BODY: Final = 128 * 1024
"""Bytes; more than the service takes, so that its refusal is seen."""
MAX_FAULT: Final = 10
MAX_RATE: Final = 1_000_000
NO_SERVICE: Final = "There is no service beside this phone. Start both with make run."


class Controlled(Protocol):
    """What the controls see of the phone."""

    directory: Directory
    behaviour: Behaviour
    exchange: Exchange
    page: Page
    desk: Desk | None
    pick: PickClient | None


class Controls:
    """Does with one phone what is asked."""

    def __init__(self, phone: Controlled) -> None:
        self._phone = phone

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/devphone/calls", self._calls, methods=["GET"]),
            Route("/devphone/calls/{uuid}/{action}", self._act, methods=["POST"]),
            Route("/devphone/timeline", self._timeline, methods=["GET"]),
            Route("/devphone/script", self._script, methods=["POST"]),
            Route("/devphone/switches", self._switch, methods=["POST"]),
            Route("/devphone/call", self._place, methods=["POST"]),
            Route("/devphone/sweep", self._sweep, methods=["POST"]),
        ]

    async def _calls(self, _request: Request) -> Response:
        return JSONResponse([leg.details() for leg in self._phone.exchange.legs.values()])

    async def _timeline(self, request: Request) -> Response:
        """Return the timeline, with `?after=N` what came after number N."""
        after = re.fullmatch("[0-9]{1,15}", request.query_params.get("after", ""))
        numbered = self._phone.exchange.timeline.numbered(int(after[0]) if after else 0)
        return JSONResponse([{"line": number, **happening.as_dict()} for number, happening in numbered])

    async def _script(self, request: Request) -> Response:
        """Script a callee: {"callee": "1111,1234"} for everybody, with "number" for one."""
        try:
            body = await _json(request)
            callee = parse_callee(body["callee"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return problem(400, f"No script: {error}")
        if "number" in body:
            self._phone.directory.scripts[str(body["number"])] = callee
        else:
            self._phone.directory.everybody = callee
        return Response(status_code=204)

    async def _switch(self, request: Request) -> Response:
        """Set how Vonage and the way to the service behave: {"habits": […], "faults": {…}, "rate": 1}."""
        try:
            body = await _json(request)
            habits = frozenset(Habit(name) for name in body["habits"])
            faults = Faults(**{field.name: _share(body["faults"].get(field.name, 0)) for field in fields(Faults)})
            rate = _rate(body.get("rate"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return problem(400, f"No switches: {error}")
        behaviour = self._phone.behaviour
        behaviour.habits, behaviour.faults, behaviour.rate = habits, faults, rate
        self._phone.page.renew()
        return Response(status_code=204)

    async def _place(self, request: Request) -> Response:
        """Pass a request for a call on to the service, with the application's token."""
        desk, pick, exchange = self._phone.desk, self._phone.pick, self._phone.exchange
        if desk is None or pick is None:
            return problem(503, NO_SERVICE)
        content = await read_at_most(request, MAX_BODY)
        if content is None:
            return problem(413, "The request is too long.")
        key = request.headers.get("idempotency-key")
        try:
            answer = await desk.place(content, key, pick, exchange.timeline, exchange.pace)
        except DeskError as error:
            return problem(502, str(error))
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    async def _sweep(self, _request: Request) -> Response:
        desk, pick, exchange = self._phone.desk, self._phone.pick, self._phone.exchange
        if desk is None or pick is None:
            return problem(503, NO_SERVICE)
        try:
            return JSONResponse(await desk.sweep(pick, exchange.timeline, exchange.pace))
        except DeskError as error:
            return problem(502, str(error))

    async def _act(self, request: Request) -> Response:
        """Do what a person does with a call: answer, reject, hang-up, keys."""
        leg = self._phone.exchange.legs.get(request.path_params["uuid"])
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


async def _json(request: Request) -> Any:
    return strict_json.loads(await read_at_most(request, MAX_BODY) or b"")


async def _text(request: Request, name: str) -> str | None:
    try:
        value = (await _json(request))[name]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_FAULT:
        msg = "a fault is a number from 0 to 10"
        raise ValueError(msg)
    return float(value)


def _rate(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_RATE:
        msg = "a rate is a number above 0, or null for no limit"
        raise ValueError(msg)
    return float(value)


def problem(status: int, detail: str) -> Response:
    """Return why a request came to nothing, in the service's own form."""
    body = {"title": "The dev phone", "status": status, "detail": detail, "code": "devphone", "errors": []}
    return JSONResponse(body, status, media_type="application/problem+json")
