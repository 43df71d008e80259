"""The one table of routes. Dispatch, late imports and the API's description all read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from ttsprompt.errors import MethodNotAllowedError, NotFoundError


class Who(StrEnum):
    """Who calls a route: what it has to show, and the tag in the API's description."""

    CALLER = "calls"
    """A caller, with a Vonage application token."""
    VONAGE = "vonage"
    """Vonage, with the secret of the call; signed if the operator says so."""
    ANYONE = "service"


EVERYWHERE: Final = ("malformed", "method_not_allowed", "request_timeout", "too_large", "internal")
"""Codes of errors that every route may answer: the body is read, and its size checked, whatever the route."""

CODES: Final = {
    Who.CALLER: ("unauthenticated", "vendor_unreachable", "store_unavailable"),
    Who.VONAGE: ("unauthenticated", "not_found", "store_unavailable"),
    Who.ANYONE: (),
}
"""Codes that come with who calls."""

PLACING: Final = (
    "application_not_allowed",
    "country_not_allowed",
    "number_not_allowed",
    "idempotency_conflict",
    "in_progress",
    "unsupported_media_type",
    "invalid_fields",
    "too_many_calls",
    "vendor_rate_limited",
    "vendor_refused",
    "vendor_unclear",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method at one path.

    `handler` is `module:function` below `ttsprompt.web`; the module is imported when the route is first asked for.
    `answers` and `body` are names in `ttsprompt.web.schemas`; no answer means an empty 204. `codes` are the errors
    besides those of `who` and of every route. `query` holds the names that the route knows. `lenient`: a wrong tid or
    token is an error only now and then.
    """

    method: str
    path: str
    handler: str
    name: str
    summary: str
    who: Who
    answers: tuple[str, ...] = ()
    body: str | None = None
    codes: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    lenient: bool = False

    @property
    def all_codes(self) -> tuple[str, ...]:
        """The codes of every error that it may answer."""
        return EVERYWHERE + CODES[self.who] + self.codes


ROUTES: Final = (
    Route(
        method="GET",
        path="/",
        handler="about:about",
        name="about",
        summary="About the service",
        who=Who.ANYONE,
        answers=("About",),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler="about:describe",
        name="describe",
        summary="This document",
        who=Who.ANYONE,
        answers=("Document",),
    ),
    Route(
        method="POST",
        path="/call",
        handler="caller_routes:place",
        name="placeCall",
        summary="Place a call",
        who=Who.CALLER,
        answers=("Placement", "DryRun"),
        body="CallRequest",
        codes=PLACING,
    ),
    Route(
        method="GET",
        path="/call/{tid}",
        handler="caller_routes:status",
        name="getCall",
        summary="How a call stands",
        who=Who.CALLER,
        answers=("Call",),
        codes=("not_found",),
        query=("wait",),
    ),
    Route(
        method="DELETE",
        path="/call/{tid}",
        handler="caller_routes:cancel",
        name="cancelCall",
        summary="Cancel a call, or hang up",
        who=Who.CALLER,
        answers=("Call",),
        codes=("not_found",),
    ),
    Route(
        method="POST",
        path="/call/{tid}/redeliver",
        handler="caller_routes:redeliver",
        name="redeliverOutcome",
        summary="Send the callback again",
        who=Who.CALLER,
        answers=("Call",),
        codes=("not_found", "not_settled", "no_callback", "too_many_redeliveries"),
    ),
    Route(
        method="POST",
        path="/call/{tid}/erase",
        handler="caller_routes:erase",
        name="eraseCall",
        summary="Drop what the record holds of persons",
        who=Who.CALLER,
        answers=("Call",),
        codes=("not_found", "not_settled"),
    ),
    Route(
        method="GET",
        path="/answer/{tid}",
        handler="webhook_routes:answer",
        name="answerByGet",
        summary="The first NCCO",
        who=Who.VONAGE,
        answers=("Ncco",),
        query=("token",),
    ),
    Route(
        method="POST",
        path="/answer/{tid}",
        handler="webhook_routes:answer",
        name="answer",
        summary="The first NCCO",
        who=Who.VONAGE,
        answers=("Ncco",),
        query=("token",),
    ),
    Route(
        method="POST",
        path="/input/{tid}",
        handler="webhook_routes:keys",
        name="input",
        summary="Keys of the callee; answered by the next NCCO",
        who=Who.VONAGE,
        answers=("Ncco",),
        body="Keys",
        query=("token", "step"),
    ),
    Route(
        method="POST",
        path="/event/{tid}",
        handler="webhook_routes:event",
        name="event",
        summary="What happens to a call",
        who=Who.VONAGE,
        body="Event",
        query=("token",),
        lenient=True,
    ),
)

_MAP: Final = Map(
    [Rule(route.path.replace("{", "<").replace("}", ">"), endpoint=route, methods=[route.method]) for route in ROUTES],
    strict_slashes=False,
    merge_slashes=False,
)


def find(path: str, method: str) -> tuple[Route, dict[str, str]]:
    """Return the route of a request, and what its path says.

    Raises:
        NotFoundError, MethodNotAllowedError: there is none.
    """
    try:
        route, values = _MAP.bind("").match(path, method)
    except MethodNotAllowed as error:
        raise MethodNotAllowedError(sorted(error.valid_methods or ())) from None
    except HTTPException:
        raise NotFoundError from None
    return route, dict(values)
