"""The public function: a request to its route's handler, and every error to problem+json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flask import Request, Response

from ttsprompt import late
from ttsprompt.errors import MalformedRequestError, shown_name
from ttsprompt.ports import Clock
from ttsprompt.web import bodies, problems, routes

if TYPE_CHECKING:
    # What callers' use cases bring is slow to import, and no webhook needs it.
    from ttsprompt.service.calls import Calls
    from ttsprompt.service.placed_calls import PlacedCalls
    from ttsprompt.service.webhooks import Webhooks

MAX_QUERY_BYTES: Final = 16 * 1024
"""A webhook's has some hundred; the server bounds neither target nor query, and to parse a long one takes seconds."""

Handler = Callable[..., Response]
"""(app, request, body, *, what the path says) → answer; raises errors of `ttsprompt.errors`."""

ApplicationOf = Callable[[str], str]
"""token → the application that it says it is of; raises UnauthenticatedError when it cannot be valid."""

MakeJwt = Callable[[str, str], str]
"""(application id, private key) → token; raises InvalidFieldsError when the key is none."""


VerifySignature = Callable[[Request, bytes], None]
"""(webhook, its body); raises UnauthenticatedError when Vonage did not sign it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """What callers' routes need."""

    calls: Calls
    placed_calls: PlacedCalls
    application_of: ApplicationOf
    make_jwt: MakeJwt
    allow_private_callbacks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The public HTTP interface; call it with a Flask request. `callers` is first called by a caller's request."""

    callers: Callable[[], Callers]
    webhooks: Webhooks
    clock: Clock
    callback_public_keys: Callable[[], list[str]]
    base_url: str
    commit: str | None = None
    """What was deployed, if the operator says."""
    verify_signature: VerifySignature | None = None
    """Set if webhooks must be signed."""
    _handlers: dict[str, Handler] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, request: Request) -> Response:
        """Answer one request; never raises."""
        return problems.answer(request, self._dispatch)

    def _dispatch(self, request: Request) -> Response:
        body = bodies.read_body(request)
        route, values = routes.find(request.path, request.method)
        if len(request.query_string) > MAX_QUERY_BYTES:
            raise MalformedRequestError(f"The query may have at most {MAX_QUERY_BYTES} bytes.")
        if route.who is routes.Who.CALLER:
            _check_query(request, route)
        handler = self._handlers.get(route.handler)
        if handler is None:
            handler = self._handlers[route.handler] = late.attribute(f"ttsprompt.web.{route.handler}")
        return handler(self, request, body, **values)


def _check_query(request: Request, route: routes.Route) -> None:
    """Refuse what is not known here: a `dry_run` in the query would phone somebody."""
    for name in request.args:
        if name not in route.query:
            what = f"query parameter {shown}" if (shown := shown_name(name)) else "such query parameter"
            hint = " The fields of a call go into the body." if route.body else ""
            raise MalformedRequestError(f"There is no {what} here.{hint}")


def json_response(body: object) -> Response:
    """Return an answer of JSON."""
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
