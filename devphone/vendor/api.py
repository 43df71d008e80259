"""Vonage's Voice API (docs/vonage.md §1): creates, shows and ends calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from devphone import strict_json
from devphone.bodies import read_at_most
from devphone.callee.numbers import Vendor
from devphone.happenings import CallRequested, HangUpRequested
from devphone.vendor.exchange import Exchange
from devphone.vendor.habits import Habit
from devphone.vendor.leg import Leg, tid_of
from devphone.vendor.rules import REFUSED, Fault, check_call
from devphone.vendor.tokens import TokenError, check_token

MAX_BODY: Final = 1024 * 1024
SILENCE_S: Final = 60
"""How long a Vonage that says nothing keeps the connection; longer than any client should wait."""
RETRY_AFTER_S: Final = 2


class VoiceApi:
    """Answers for one exchange. `public_keys` by application: others' tokens are taken at their word."""

    def __init__(self, exchange: Exchange, public_keys: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._public_keys = public_keys

    def routes(self) -> list[BaseRoute]:
        """Return its routes."""
        return [
            Route("/v1/calls", self._create, methods=["POST"]),
            Route("/v1/calls/{uuid}", self._get, methods=["GET"]),
            Route("/v1/calls/{uuid}", self._put, methods=["PUT"]),
        ]

    async def _create(self, request: Request) -> Response:
        try:
            application_id = check_token(request.headers.get("authorization"), self._public_keys)
        except TokenError as error:
            self._refuse(401, Fault("", str(error), "Vonage answers 401 and places no call."))
            return problem(401, "unauthorized", "Unauthorized", str(error))
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            rule = f"the content type is {content_type or 'missing'}; it must be application/json."
            self._refuse(415, Fault("", rule, "Vonage answers 415 and places no call."))
            body = {"type": "UNSUPPORTED_MEDIA_TYPE", "error_title": "Unsupported Media Type"}
            return JSONResponse(body, status_code=415)
        if self._exchange.is_over_rate():
            rule = f"more than {self._exchange.behaviour.rate:g} new calls in one second."
            self._refuse(429, Fault("", rule, "Vonage answers 429, places no call and queues none."))
            return self._throttled()
        try:
            order = strict_json.loads(await read_at_most(request, MAX_BODY) or b"")
            faults = check_call(order)
        except ValueError as error:
            faults = [Fault("", f"the body is not JSON: {error}.", REFUSED)]
        if faults:
            self._refuse(400, *faults)
            parameters = [{"name": fault.pointer, "reason": f"{fault.rule} {fault.consequence}"} for fault in faults]
            return problem(400, "bad-request", "Bad Request", str(faults[0]), invalid_parameters=parameters)
        return await self._accept(order, application_id, request)

    async def _accept(self, order: dict[str, Any], application_id: str, request: Request) -> Response:
        """Place a call that is in order, unless its number is one at which Vonage does not."""
        vendor = self._exchange.directory.vendor(order["to"][0]["number"])
        if vendor is Vendor.THROTTLES:
            self._note(order, 429)
            return self._throttled()
        if vendor is Vendor.FAILS:
            self._note(order, 500)
            return problem(500, "internal", "Internal Error", "There was an error processing your request")
        if vendor is Vendor.SAYS_NOTHING:
            self._note(order, None)
            await _until_it_hangs_up(request)
            return Response(status_code=504)
        leg = self._exchange.place(order, application_id)
        self._note(order, 201, leg.uuid)
        body = {
            "uuid": leg.uuid,
            "status": "started",
            "direction": "outbound",
            "conversation_uuid": leg.conversation_uuid,
        }
        return JSONResponse(body, status_code=201)

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
            return problem(400, "bad-request", "Bad Request", "This phone knows the action hangup.")
        if leg.is_over:
            return problem(404, "not-found", "Not Found", "The call is over.")
        status = 400 if leg.is_too_young else 204
        leg.tell(HangUpRequested, status=status)
        if status == 400:  # noqa: PLR2004 - the clearest name
            return JSONResponse({"type": "BAD_REQUEST", "error_title": "Bad Request"}, status_code=status)
        leg.hang_up()
        return Response(status_code=status)

    def _leg(self, request: Request) -> Leg | Response:
        """Return the call of a path, or why it is not to be had; calls of other applications are unknown."""
        try:
            application_id = check_token(request.headers.get("authorization"), self._public_keys)
        except TokenError as error:
            return problem(401, "unauthorized", "Unauthorized", str(error))
        leg = self._exchange.legs.get(request.path_params["uuid"])
        if leg is None or leg.application_id != application_id:
            return problem(404, "not-found", "Not Found", "There is no such call.")
        return leg

    def _throttled(self) -> Response:
        response = problem(429, "rate-limit", "Rate Limit Hit", "Please wait, then retry your request")
        if Habit.RETRY_AFTER in self._exchange.behaviour.habits:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    def _refuse(self, status: int, *faults: Fault) -> None:
        happening = CallRequested(
            at_s=self._exchange.pace.seconds(), status=status, faults=[str(fault) for fault in faults]
        )
        self._exchange.timeline.add(happening)

    def _note(self, order: dict[str, Any], status: int | None, uuid: str | None = None) -> None:
        happening = CallRequested(
            at_s=self._exchange.pace.seconds(),
            call=uuid,
            tid=tid_of(order),
            number=order["to"][0]["number"],
            status=status,
            order=order,
        )
        self._exchange.timeline.add(happening)


async def _until_it_hangs_up(request: Request) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass


def problem(status: int, kind: str, title: str, detail: str, **extra: Any) -> Response:
    """Return an error in Vonage's newer shape (docs/vonage.md §1.4, C)."""
    body = {"type": f"https://developer.vonage.com/api-errors#{kind}", "title": title, "detail": detail, **extra}
    return JSONResponse(body, status_code=status)
