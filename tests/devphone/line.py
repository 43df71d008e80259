"""A call on the dev phone in virtual time: no second is waited for, and every time-out is exact."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from devphone.callee.script import Callee, parse_callee
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.habits import Habit
from devphone.vendor.leg import Leg
from devphone.vendor.webhooks import WebhookSender

T = TypeVar("T")
Answer = Callable[[dict[str, Any]], httpx.Response | Awaitable[httpx.Response]]

SERVICE = "http://service.example"
TALK = {"action": "talk", "text": "x" * 14, "bargeIn": True}
"""One second of speech."""
INPUT: dict[str, Any] = {
    "action": "input",
    "type": ["dtmf"],
    "dtmf": {"maxDigits": 4, "timeOut": 10, "submitOnHash": True},
    "eventUrl": [f"{SERVICE}/input"],
}


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, puts the loop's clock forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which time goes by as soon as nothing else is to be done."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class VirtualPace(Pace):
    """Telephone time by the loop's clock."""

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def order(**fields: Any) -> dict[str, Any]:
    """Return a valid body of POST /v1/calls; a field given as None is left out."""
    body = {
        "to": [{"type": "phone", "number": "447700900000"}],
        "from": {"type": "phone", "number": "447700900001"},
        "event_url": [f"{SERVICE}/event"],
        "ncco": [TALK, INPUT],
    } | fields
    return {name: value for name, value in body.items() if value is not None}


def ncco(*actions: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=list(actions))


@dataclass
class Service:
    """A stand-in for the service: answers /answer and /input as told, /event with 204 if not told, and records all."""

    replies: list[Answer] = field(default_factory=list)
    event_takes_s: float = 0
    on_event: Callable[[dict[str, Any]], httpx.Response] = lambda _: httpx.Response(204)
    received: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.method == "POST" else dict(request.url.params)
        self.received.append((asyncio.get_running_loop().time(), request.url.path, body))
        self.requests.append(request)
        if request.url.path == "/event":
            await asyncio.sleep(self.event_takes_s)
            return self.on_event(body)
        reply = self.replies.pop(0)(body) if self.replies else ncco()
        return reply if isinstance(reply, httpx.Response) else await reply

    def events(self) -> list[dict[str, Any]]:
        return [body for _, path, body in self.received if path == "/event"]

    def statuses(self) -> list[str]:
        return [body.get("status", "error") for body in self.events()]

    def event(self, status: str) -> dict[str, Any]:
        return next(body for body in self.events() if body.get("status") == status)

    def inputs(self) -> list[dict[str, Any]]:
        return [body for _, path, body in self.received if path == "/input"]

    def time_of(self, path: str) -> float:
        return next(at for at, where, _ in self.received if where == path)


@dataclass
class Played:
    """A call that is over."""

    service: Service
    leg: Leg
    timeline: Timeline


def play(
    callee: str | Callee,
    *replies: Answer,
    event_takes_s: float = 0,
    on_event: Callable[[dict[str, Any]], httpx.Response] = lambda _: httpx.Response(204),
    habits: frozenset[Habit] = frozenset(),
    **fields: Any,
) -> Played:
    """Live through one call with a callee and the service's replies to its questions."""
    service = Service(list(replies), event_takes_s, on_event)
    return run_virtual(_play(parse_callee(callee) if isinstance(callee, str) else callee, service, habits, fields))


async def _play(callee: Callee, service: Service, habits: frozenset[Habit], fields: dict[str, Any]) -> Played:
    timeline = Timeline()
    async with httpx.AsyncClient(transport=httpx.MockTransport(service.handle)) as client:
        leg = Leg(order(**fields), "app", callee, VirtualPace(), WebhookSender(lambda: client), timeline, habits)
        await leg.run()
    return Played(service, leg, timeline)
