"""The dev phone over HTTP: Vonage's API, a callback receiver, and the phone's own controls under /devphone."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devphone.callee import Callee, parse_callee
from devphone.leg import Leg
from devphone.pace import Pace
from devphone.receiver import CallbackReceiver
from devphone.rules import check_call
from devphone.timeline import Line, Timeline
from devphone.tokens import TokenError, check_token
from devphone.webhooks import WebhookSender


@dataclass(slots=True, eq=False)
class Phone:
    """All calls of one dev phone, and how it behaves. `rate` is the most new calls a second, None for no limit."""

    pace: Pace = field(default_factory=Pace)
    callee: Callee = field(default_factory=Callee)
    public_keys: dict[str, str] = field(default_factory=dict)
    signature_secret: str | None = None
    signing_secret: str | None = None
    rate: float | None = None
    timeline: Timeline = field(default_factory=Timeline)
    legs: dict[str, Leg] = field(default_factory=dict)
    callees: dict[str, Callee] = field(default_factory=dict)
    """Scripts by number; any other number is `callee`."""
    _placed: deque[float] = field(default_factory=deque)
    _sender: WebhookSender | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def app(self) -> Starlette:
        """Return the web application."""
        receiver = CallbackReceiver(self.timeline, self.pace, self.signing_secret)
        return Starlette(
            routes=[
                Route("/v1/calls", self._create, methods=["POST"]),
                Route("/v1/calls/{uuid}", self._get, methods=["GET"]),
                Route("/v1/calls/{uuid}", self._put, methods=["PUT"]),
                Route("/devphone/timeline", self._timeline, methods=["GET"]),
                Route("/devphone/script", self._script, methods=["POST"]),
                Route("/devphone/callbacks", receiver.list, methods=["GET"]),
                Route("/callback", receiver.receive, methods=["GET", "POST"]),
                Route("/callback/{rest:path}", receiver.receive, methods=["GET", "POST"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        # Vonage keeps no proxy, and thousands of calls may be in flight.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
            self._sender = WebhookSender(client, self.signature_secret)
            yield
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _create(self, request: Request) -> Response:
        try:
            application_id = check_token(request.headers.get("authorization"), self.public_keys)
        except TokenError as error:
            self._refused("without a valid token", str(error))
            return _problem(401, "unauthorized", "Unauthorized", str(error))
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return JSONResponse(
                {"type": "UNSUPPORTED_MEDIA_TYPE", "error_title": "Unsupported Media Type"}, status_code=415
            )
        if self._is_over_rate():
            return _problem(429, "rate-limit", "Rate Limit Hit", "Please wait, then retry your request")
        try:
            order = json.loads(await request.body())
        except (ValueError, RecursionError):
            return _problem(400, "bad-request", "Bad Request", "The body is not JSON.")
        faults = check_call(order)
        if faults:
            self._refused("with faults", *map(str, faults))
            parameters = [{"name": fault.pointer, "reason": f"{fault.rule} {fault.consequence}"} for fault in faults]
            return _problem(400, "bad-request", "Bad Request", str(faults[0]), invalid_parameters=parameters)
        leg = self._place(order, application_id)
        body = {
            "uuid": leg.uuid,
            "status": "started",
            "direction": "outbound",
            "conversation_uuid": leg.conversation_uuid,
        }
        return JSONResponse(body, status_code=201)

    def _place(self, order: dict[str, Any], application_id: str) -> Leg:
        if self._sender is None:
            msg = "the phone is not switched on"
            raise RuntimeError(msg)
        number = order["to"][0]["number"]
        callee = self.callees.get(number, self.callee)
        leg = Leg(order, application_id, callee, self.pace, self._sender, self.timeline)
        self.legs[leg.uuid] = leg
        self.timeline.add(Line(self.pace.seconds(), "service", "asks for a call", leg.uuid, {"to": number}))
        task = asyncio.create_task(leg.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return leg

    async def _get(self, request: Request) -> Response:
        leg = self._leg(request)
        return leg if isinstance(leg, Response) else JSONResponse(leg.details())

    async def _put(self, request: Request) -> Response:
        leg = self._leg(request)
        if isinstance(leg, Response):
            return leg
        try:
            action = json.loads(await request.body()).get("action")
        except (ValueError, AttributeError):
            action = None
        if action != "hangup":
            return _problem(400, "bad-request", "Bad Request", "This phone knows the action hangup.")
        if leg.is_over:
            return _problem(404, "not-found", "Not Found", "The call is over.")
        self.timeline.add(Line(self.pace.seconds(), "service", "asks to hang up", leg.uuid))
        leg.hang_up()
        return Response(status_code=204)

    def _leg(self, request: Request) -> Leg | Response:
        """Return the call of a path, or why it is not to be had; calls of other applications are unknown."""
        try:
            application_id = check_token(request.headers.get("authorization"), self.public_keys)
        except TokenError as error:
            return _problem(401, "unauthorized", "Unauthorized", str(error))
        leg = self.legs.get(request.path_params["uuid"])
        if leg is None or leg.application_id != application_id:
            return _problem(404, "not-found", "Not Found", "There is no such call.")
        return leg

    def _is_over_rate(self) -> bool:
        if self.rate is None:
            return False
        now = time.monotonic()
        while self._placed and now - self._placed[0] >= 1:
            self._placed.popleft()
        if len(self._placed) >= self.rate:
            return True
        self._placed.append(now)
        return False

    def _refused(self, how: str, *faults: str) -> None:
        self.timeline.add(
            Line(self.pace.seconds(), "service", f"asks for a call {how}", None, {"faults": list(faults)})
        )

    async def _timeline(self, _request: Request) -> Response:
        return JSONResponse([line.as_dict() for line in self.timeline.lines()])

    async def _script(self, request: Request) -> Response:
        """Script a callee: {"callee": "1111,1234"} for everybody, with "number" for one."""
        try:
            body = json.loads(await request.body())
            callee = parse_callee(body["callee"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _problem(400, "bad-request", "Bad Request", f"No script: {error}")
        if "number" in body:
            self.callees[str(body["number"])] = callee
        else:
            self.callee = callee
        return Response(status_code=204)


def _problem(status: int, kind: str, title: str, detail: str, **extra: Any) -> Response:
    """Return an error in Vonage's newer shape (vonage-voice §1.4, C)."""
    body = {"type": f"https://developer.vonage.com/api-errors#{kind}", "title": title, "detail": detail, **extra}
    return JSONResponse(body, status_code=status)
