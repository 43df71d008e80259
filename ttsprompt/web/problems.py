"""Errors as `application/problem+json` (RFC 9457). The one place where an error becomes a status."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from flask import Request, Response
from werkzeug.exceptions import HTTPException

from ttsprompt import errors

if TYPE_CHECKING:
    # It brings pydantic, and a webhook may end in a problem.
    from ttsprompt.web.schemas import Fault, Problem

log = logging.getLogger(__name__)

STATUS: Final[dict[type[errors.TtsPromptError], tuple[int, str]]] = {
    errors.MalformedRequestError: (400, "The request cannot be read"),
    errors.UnauthenticatedError: (401, "No valid credential"),
    errors.ApplicationNotAllowedError: (403, "Application not allowed"),
    errors.CountryNotAllowedError: (403, "Country not allowed"),
    errors.NumberNotAllowedError: (403, "Number not allowed"),
    errors.CallNotFoundError: (404, "Not found"),
    errors.NotFoundError: (404, "Not found"),
    errors.MethodNotAllowedError: (405, "Method not allowed"),
    errors.RequestTimeoutError: (408, "The request took too long"),
    errors.IdempotencyConflictError: (409, "Idempotency conflict"),
    errors.NotSettledError: (409, "No outcome yet"),
    errors.NoCallbackError: (409, "Nothing to redeliver"),
    errors.InProgressError: (409, "Request in progress"),
    errors.TooLargeError: (413, "Request too large"),
    errors.UnsupportedMediaTypeError: (415, "Unsupported media type"),
    errors.InvalidFieldsError: (422, "Some fields were not accepted"),
    errors.TooManyCallsError: (429, "Too many calls to this number"),
    errors.TooManyRedeliveriesError: (429, "Too many redeliveries"),
    errors.VendorRateLimitedError: (429, "Vonage asks to slow down"),
    errors.StoreUnavailableError: (503, "Store not available"),
    errors.CorruptRecordError: (503, "Store not available"),
    errors.VendorUnreachableError: (503, "Vonage not available"),
    errors.VendorUnclearError: (504, "Vonage gave no clear answer"),
}

_VENDOR_REFUSED_STATUS: Final = {400: 422, 401: 401, 402: 403, 403: 403}
"""Vonage's status → ours; any other refusal is 502: not the caller's doing."""

_VENDOR_REFUSED_TITLE: Final = "Vonage refused the call"

STATUSES: Final[dict[str, tuple[int, ...]]] = {
    **{kind.code: (status,) for kind, (status, _) in STATUS.items()},
    "vendor_refused": (401, 403, 422, 502),
    "internal": (500,),
}
"""The statuses that each code comes with."""

TITLES: Final = {
    **{kind.code: title for kind, (_, title) in STATUS.items()},
    "vendor_refused": _VENDOR_REFUSED_TITLE,
    "internal": "Internal error",
}

INTERNAL_DETAIL: Final = "Something went wrong in this service. It was logged: tell the operator when it happened."

_NOT_OURS: Final = "The server turned it away before it came to a route. Check path and headers."

TYPE: Final = "urn:ttsprompt:problem:"
"""A problem's type is this and its code, wherever the service runs; docs/errors.md has a heading for each code."""

SOON: Final = (
    errors.CorruptRecordError,
    errors.InProgressError,
    errors.StoreUnavailableError,
    errors.VendorUnreachableError,
)
RETRY_AFTER_S: Final = 1
"""After what passes soon; Vonage asks again at once whatever we say (docs/vonage.md §3.4)."""


def answer(request: Request, handle: Callable[[Request], Response]) -> Response:
    """Return what `handle` makes of a request, or the problem that it raised; never raises."""
    try:
        response = handle(request)
    except errors.TtsPromptError as error:
        if isinstance(error, errors.StoreUnavailableError):
            fields = {"route": _route(request), "cause": type(error.__cause__).__name__}
            log.error("store_unavailable", extra={"fields": fields})
        if isinstance(error, errors.CorruptRecordError):
            log.error(
                "record_unreadable", exc_info=error, extra={"fields": {"route": _route(request), "tid": error.tid}}
            )
        if error.code == "internal":
            log.error("internal_error", exc_info=error, extra={"fields": _where(request)})
        response = problem(error)
    except Exception:
        log.exception("internal_error", extra={"fields": _where(request)})
        response = internal_problem()
    return _never_kept(response)


def problem(error: errors.TtsPromptError) -> Response:
    """Return the answer for an expected error."""
    headers: dict[str, str] = {}
    faults: list[Fault] = []
    tid: str | None = None
    if isinstance(error, errors.VendorRefusedError):
        status, title = _VENDOR_REFUSED_STATUS.get(error.vendor_status, 502), _VENDOR_REFUSED_TITLE
    elif type(error) in STATUS:
        status, title = STATUS[type(error)]
    else:
        return internal_problem()
    if isinstance(error, errors.InvalidFieldsError | errors.VendorRefusedError) and error.faults:
        faults = [{"field": f.field, "code": f.code, "message": f.message} for f in error.faults]
    if isinstance(error, errors.MethodNotAllowedError):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, errors.VendorRateLimitedError | errors.TooManyCallsError | errors.TooManyRedeliveriesError):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, SOON):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if isinstance(error, errors.VendorUnclearError):
        tid = error.tid
    return _response(_problem(status, title, error.detail, error.code, faults, tid), headers)


def http_problem(error: HTTPException) -> Response:
    """Return the answer for what the framework refuses before, or fails at after, the request was ours."""
    if error.code == 404:  # noqa: PLR2004 - the status is the clearest name
        return _never_kept(problem(errors.NotFoundError()))
    if error.code is not None and 400 <= error.code < 500:  # noqa: PLR2004 - the range of the caller's faults
        return _never_kept(problem(errors.MalformedRequestError(_NOT_OURS)))
    log.error("framework_error", exc_info=error)
    return _never_kept(internal_problem())


def internal_problem() -> Response:
    """Return the opaque answer for a bug; what happened is in the log."""
    return _response(_problem(500, TITLES["internal"], INTERNAL_DETAIL, "internal"), {})


def _where(request: Request) -> dict[str, str]:
    return {"method": request.method, "route": _route(request)}


def _never_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _route(request: Request) -> str:
    """Return the first part of the path: all of it that may be logged."""
    return "/" + request.path.lstrip("/").partition("/")[0][:32]


def _problem(
    status: int, title: str, detail: str, code: str, faults: Sequence[Fault] = (), tid: str | None = None
) -> Problem:
    body: Problem = {
        "type": TYPE + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(faults),
    }
    if tid is not None:
        body["tid"] = tid
    return body


def _response(body: Problem, headers: dict[str, str]) -> Response:
    status = body["status"]
    if status == 401:  # noqa: PLR2004 - RFC 9110 §11.6.1: every 401 says how to authenticate
        headers["WWW-Authenticate"] = 'Bearer realm="ttsprompt"'
    return Response(json.dumps(body), status, headers, content_type="application/problem+json; charset=utf-8")
