"""Vonage's webhooks. Somebody is waiting on the phone: nothing slow is imported here."""

from __future__ import annotations

import logging
import re
from typing import Final

from flask import Request, Response

from ttsprompt.errors import CallNotFoundError, UnauthenticatedError
from ttsprompt.vonage import webhooks
from ttsprompt.web.app import App, json_response
from ttsprompt.web.tids import TID, tid_of

log = logging.getLogger(__name__)

_STEP: Final = re.compile(r"[0-9]{1,3}", re.ASCII)


def answer(app: App, request: Request, body: bytes, tid: str) -> Response:
    """Return the first NCCO."""
    _verify(app, request, body)
    return json_response(app.webhooks.answer(tid_of(tid), _token(request)))


def keys(app: App, request: Request, body: bytes, tid: str) -> Response:
    """Judge what the callee keyed, and return the next NCCO."""
    _verify(app, request, body)
    keyed = webhooks.parse_digits(webhooks.read_body(body))
    return json_response(app.webhooks.input(tid_of(tid), _token(request), _step(request), keyed))


def event(app: App, request: Request, body: bytes, tid: str) -> Response:
    """Take in what happened to a call."""
    _verify(app, request, body)
    fields = webhooks.read_body(body)
    reason = webhooks.error_reason(fields)
    if reason is not None:
        # Anybody may have sent it: the call is not looked up. So what is no tid is not repeated either.
        shown = tid if TID.fullmatch(tid) else None
        log.error("vonage_error_event", extra={"fields": {"tid": shown, "reason": reason}})
    happened = webhooks.parse_event(fields)
    if happened is not None:
        app.webhooks.event(tid_of(tid), _token(request), happened)
    # A status that may be answered by an NCCO must not get stray JSON (docs/vonage.md §3.4).
    return Response(status=204)


def _verify(app: App, request: Request, body: bytes) -> None:
    """Check that a webhook is Vonage's, if the operator gave us the secret to tell."""
    if app.verify_signature is None:
        return
    try:
        app.verify_signature(request, body)
    except UnauthenticatedError as error:
        # With a wrong secret it is every webhook, and every call expires. The URL holds the call's own secret.
        log.warning("webhook_refused", extra={"fields": {"detail": error.detail}})
        raise


def _token(request: Request) -> str:
    return request.args.get("token", "")


def _step(request: Request) -> int:
    step = request.args.get("step", "")
    if not _STEP.fullmatch(step):
        raise CallNotFoundError
    return int(step)
