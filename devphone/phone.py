"""The dev phone over HTTP: Vonage's API, a callback receiver, and the phone's own controls under /devphone."""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devphone import strict_json
from devphone.browser.guard import Guard
from devphone.browser.page import Page
from devphone.callee.numbers import Vendor, reserved
from devphone.callee.script import Callee, parse_callee
from devphone.clients import PickClient, clients
from devphone.customer.desk import Desk
from devphone.customer.receiver import CallbackReceiver, read_at_most
from devphone.pace import Pace
from devphone.timeline import Line, Timeline
from devphone.vendor.faulty_sender import Faults, FaultySender
from devphone.vendor.habits import Habit
from devphone.vendor.leg import Leg
from devphone.vendor.rules import REFUSED, Fault, check_call
from devphone.vendor.tokens import TokenError, check_token
from devphone.vendor.webhooks import EVENT_S, WebhookSender

LEGS_KEPT: Final = 10_000
MAX_BODY: Final = 1024 * 1024
SILENCE_S: Final = 60
"""How long a Vonage that says nothing keeps the connection; longer than any client should wait."""


@dataclass(slots=True, eq=False)
class Phone:
    """All calls of one dev phone, and how it behaves. `rate` is the most new calls a second, None for no limit."""

    pace: Pace = field(default_factory=Pace)
    callee: Callee = field(default_factory=Callee)
    public_keys: dict[str, str] = field(default_factory=dict)
    signature_secret: str | None = None
    signing_secret: str | None = None
    rate: float | None = None
    habits: Collection[Habit] = frozenset()
    faults: Faults = field(default_factory=Faults)
    desk: Desk | None = None
    """The service beside this phone, for the page."""
    pick: PickClient | None = None
    timeline: Timeline = field(default_factory=Timeline)
    legs: dict[str, Leg] = field(default_factory=dict)
    """Calls under way, and those that ended last."""
    callees: dict[str, Callee] = field(default_factory=dict)
    """Scripts by number; any other number is a test number, or `callee`."""
    make_sender: Callable[[PickClient, str | None], WebhookSender] | None = None
    """What webhooks are sent by, if it is something else than what `faults` is for."""
    _placed: deque[float] = field(default_factory=deque)
    _over: deque[str] = field(default_factory=deque)
    _sender: WebhookSender | None = None
    _page: Page = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._page = Page(self)

    def app(self) -> Starlette:
        """Return the web application."""
        receiver = CallbackReceiver(self.timeline, self.pace, self.signing_secret)
        return Starlette(
            routes=[
                *self._page.routes(),
                Route("/v1/calls", self._create, methods=["POST"]),
                Route("/v1/calls/{uuid}", self._get, methods=["GET"]),
                Route("/v1/calls/{uuid}", self._put, methods=["PUT"]),
                Route("/devphone/calls", self._calls, methods=["GET"]),
                Route("/devphone/timeline", self._timeline, methods=["GET"]),
                Route("/devphone/script", self._script, methods=["POST"]),
                Route("/devphone/callbacks", receiver.list, methods=["GET"]),
                Route("/callback", receiver.receive, methods=["GET", "POST"]),
                Route("/callback/{rest:path}", receiver.receive, methods=["GET", "POST"]),
            ],
            middleware=[Middleware(Guard)],
            lifespan=self._lifespan,
        )

    def open_desk(self, desk: Desk) -> None:
        """Let the page place calls and sweep."""
        self.desk = desk
        self._page.renew()

    def close(self) -> None:
        """End the page's event streams: they would keep the server from stopping."""
        self._page.bell.close()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with clients(EVENT_S) as pick:
            self.pick = pick
            self._sender = (self.make_sender or self._own_sender)(pick, self.signature_secret)
            yield
            self.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _own_sender(self, pick: PickClient, secret: str | None) -> WebhookSender:
        return FaultySender(pick, secret, lambda: self.faults, random.Random())

    async def _create(self, request: Request) -> Response:
        try:
            application_id = check_token(request.headers.get("authorization"), self.public_keys)
        except TokenError as error:
            self._refused(Fault("", str(error), "Vonage answers 401 and places no call."))
            return _problem(401, "unauthorized", "Unauthorized", str(error))
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            rule = f"the content type is {content_type or 'missing'}; it must be application/json."
            self._refused(Fault("", rule, "Vonage answers 415 and places no call."))
            body = {"type": "UNSUPPORTED_MEDIA_TYPE", "error_title": "Unsupported Media Type"}
            return JSONResponse(body, status_code=415)
        if self._is_over_rate():
            rule = f"more than {self.rate:g} new calls in one second."
            self._refused(Fault("", rule, "Vonage answers 429, places no call and queues none."))
            return self._throttled()
        try:
            order = strict_json.loads(await read_at_most(request, MAX_BODY) or b"")
            faults = check_call(order)
        except ValueError as error:
            faults = [Fault("", f"the body is not JSON: {error}.", REFUSED)]
        if faults:
            self._refused(*faults)
            parameters = [{"name": fault.pointer, "reason": f"{fault.rule} {fault.consequence}"} for fault in faults]
            return _problem(400, "bad-request", "Bad Request", str(faults[0]), invalid_parameters=parameters)
        return await self._accept(order, application_id, request)

    async def _accept(self, order: dict[str, Any], application_id: str, request: Request) -> Response:
        """Place a call that is in order, unless its number is one at which Vonage does not."""
        number = order["to"][0]["number"]
        test_number = None if number in self.callees else reserved(number)
        vendor = Vendor.ACCEPTS if test_number is None else test_number.vendor
        if vendor is not Vendor.ACCEPTS:
            data = {"to": number, "answer": vendor}
            self.timeline.add(Line(self.pace.seconds(), "service", "asks for a call", None, data))
        if vendor is Vendor.THROTTLES:
            return self._throttled()
        if vendor is Vendor.FAILS:
            return _problem(500, "internal", "Internal Error", "There was an error processing your request")
        if vendor is Vendor.SAYS_NOTHING:
            await _until_it_hangs_up(request)
            return Response(status_code=504)
        default = self.callee if test_number is None else test_number.callee
        leg = self._place(order, application_id, self.callees.get(number, default))
        body = {
            "uuid": leg.uuid,
            "status": "started",
            "direction": "outbound",
            "conversation_uuid": leg.conversation_uuid,
        }
        return JSONResponse(body, status_code=201)

    def _place(self, order: dict[str, Any], application_id: str, callee: Callee) -> Leg:
        if self._sender is None:
            msg = "the phone is not switched on"
            raise RuntimeError(msg)
        leg = Leg(
            order, application_id, callee, self.pace, self._sender, self.timeline, self.habits, self._page.changed
        )
        self.legs[leg.uuid] = leg
        data = {"to": leg.to, "status": 201, "body": order} | _tid(order)
        self.timeline.add(Line(self.pace.seconds(), "service", "asks for a call", leg.uuid, data))
        task = asyncio.create_task(self._live(leg))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return leg

    async def _live(self, leg: Leg) -> None:
        await leg.run()
        self._over.append(leg.uuid)
        while len(self._over) > LEGS_KEPT:
            self.legs.pop(self._over.popleft(), None)

    async def _get(self, request: Request) -> Response:
        leg = self._leg(request)
        return leg if isinstance(leg, Response) else JSONResponse(leg.details())

    async def _put(self, request: Request) -> Response:
        leg = self._leg(request)
        if isinstance(leg, Response):
            return leg
        try:
            action = strict_json.loads(await read_at_most(request, MAX_BODY) or b"").get("action")
        except (ValueError, AttributeError):
            action = None
        if action != "hangup":
            return _problem(400, "bad-request", "Bad Request", "This phone knows the action hangup.")
        if leg.is_over:
            return _problem(404, "not-found", "Not Found", "The call is over.")
        asks = "asks to hang up too early" if leg.is_too_young else "asks to hang up"
        self.timeline.add(Line(self.pace.seconds(), "service", asks, leg.uuid))
        if leg.is_too_young:
            return JSONResponse({"type": "BAD_REQUEST", "error_title": "Bad Request"}, status_code=400)
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
        now = asyncio.get_running_loop().time()
        while self._placed and now - self._placed[0] >= 1:
            self._placed.popleft()
        if len(self._placed) >= self.rate:
            return True
        self._placed.append(now)
        return False

    def _throttled(self) -> Response:
        response = _problem(429, "rate-limit", "Rate Limit Hit", "Please wait, then retry your request")
        if Habit.RETRY_AFTER in self.habits:
            response.headers["Retry-After"] = "2"
        return response

    def _refused(self, *faults: Fault) -> None:
        data = {"faults": [str(fault) for fault in faults]}
        self.timeline.add(Line(self.pace.seconds(), "service", "asks for a call, in vain", None, data))

    async def _calls(self, _request: Request) -> Response:
        return JSONResponse([leg.details() for leg in self.legs.values()])

    async def _timeline(self, request: Request) -> Response:
        """Return the timeline, with `?after=N` what came after line N."""
        after = re.fullmatch("[0-9]{1,15}", request.query_params.get("after", ""))
        lines = self.timeline.numbered(int(after[0]) if after else 0)
        return JSONResponse([{"line": number, **line.as_dict()} for number, line in lines])

    async def _script(self, request: Request) -> Response:
        """Script a callee: {"callee": "1111,1234"} for everybody, with "number" for one."""
        try:
            body = strict_json.loads(await read_at_most(request, MAX_BODY) or b"")
            callee = parse_callee(body["callee"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _problem(400, "bad-request", "Bad Request", f"No script: {error}")
        if "number" in body:
            self.callees[str(body["number"])] = callee
        else:
            self.callee = callee
        return Response(status_code=204)


def _tid(order: dict[str, Any]) -> dict[str, str]:
    """Return the service's own id of a call, which its event URL ends in; nothing for another program's."""
    route, tid = ("", *urlsplit(order["event_url"][0]).path.strip("/").split("/"))[-2:]
    return {"tid": tid} if route == "event" else {}


async def _until_it_hangs_up(request: Request) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass


def _problem(status: int, kind: str, title: str, detail: str, **extra: Any) -> Response:
    """Return an error in Vonage's newer shape (vonage-voice §1.4, C)."""
    body = {"type": f"https://developer.vonage.com/api-errors#{kind}", "title": title, "detail": detail, **extra}
    return JSONResponse(body, status_code=status)
