"""What callers ask for: a call, and what became of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Final

from flask import Request, Response

from ttsprompt.call_request import CallRequest, parse_call_request
from ttsprompt.domain.model import Call
from ttsprompt.errors import (
    FieldFault,
    IdempotencyConflictError,
    InvalidFieldsError,
    MalformedRequestError,
    UnauthenticatedError,
)
from ttsprompt.field_types import FALSE_WORDS
from ttsprompt.service.authority import Credential
from ttsprompt.service.calls import Standing
from ttsprompt.web import schemas, views
from ttsprompt.web.app import App, Callers, json_response
from ttsprompt.web.body_fields import Fields, read_fields
from ttsprompt.web.callers import USAGE, header_credential, key_credential
from ttsprompt.web.problems import RETRY_AFTER_S
from ttsprompt.web.tids import tid_asked_for

MAX_IDEMPOTENCY_KEY: Final = 255
MAX_WAIT_S: Final = 50
"""Less than the minute after which proxies, and functions by default, give up."""

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")


def place(app: App, request: Request, body: bytes) -> Response:
    """Phone somebody, or say what that would come to."""
    use = app.callers()
    fields = read_fields(request, body)
    if _is_dry_run(fields):
        return json_response(_dry_run(use, request, fields))
    credential = header_credential(request, use.application_of)
    if credential is None and not _has_key(fields):
        raise UnauthenticatedError(f"Send {USAGE}, or private_key and app_id in the body.")
    idempotency_key = _idempotency_key(request)
    try:
        wanted = _parse(use, fields, credentials_in_body=credential is None)
    except InvalidFieldsError:
        # Another body than before is a conflict, a wrong one too: the refusal would say that nobody was phoned.
        if credential and idempotency_key is not None and use.calls.has_used(credential, idempotency_key):
            raise IdempotencyConflictError from None
        raise
    placement = use.calls.place(wanted, credential or _key_credential(use, wanted), idempotency_key)
    placed: schemas.Placement = {"tid": placement.tid}
    response = json_response(placed)
    if placement.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _is_dry_run(fields: Fields) -> bool:
    """Tell whether nobody is to be phoned. What is neither true nor false is told as a fault of a dry run."""
    wanted = fields.values.get("dry_run")
    return bool(wanted) and str(wanted).lower() not in FALSE_WORDS


def _dry_run(use: Callers, request: Request, fields: Fields) -> schemas.DryRun:
    """Say what a request would come to. It needs no credential."""
    credential, refusal = None, None
    try:
        credential = header_credential(request, use.application_of)
    except UnauthenticatedError as error:
        refusal = error
    by_key = credential is None and refusal is None and _has_key(fields)
    wanted = _parse(use, fields, credentials_in_body=by_key)
    found = use.calls.dry_run(wanted, _key_credential(use, wanted) if by_key else credential)
    if refusal is not None:
        warning = FieldFault("Authorization", refusal.code, refusal.detail)
        found = dataclasses.replace(found, credential=Standing.REFUSED, warnings=[*found.warnings, warning])
    return views.dry_run_view(wanted, found)


def status(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """Show a call."""
    credential = _header_credential(app, request)
    look = app.callers().placed_calls.status(tid_asked_for(tid), credential, _wait_s(request))
    response = json_response(views.call_view(look.call))
    if look.turned_away:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def cancel(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """End a call."""
    return _shown(app, request, tid, app.callers().placed_calls.cancel)


def redeliver(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """Send a call's outcome again."""
    return _shown(app, request, tid, app.callers().placed_calls.redeliver)


def erase(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """Drop what the record of a call holds of persons."""
    return _shown(app, request, tid, app.callers().placed_calls.erase)


def _shown(app: App, request: Request, tid: str, do: Callable[[str, Credential], Call]) -> Response:
    """Do something with a call for whoever the headers name, and show it."""
    credential = _header_credential(app, request)
    return json_response(views.call_view(do(tid_asked_for(tid), credential)))


def _header_credential(app: App, request: Request) -> Credential:
    """Return the credential of a request whose body carries none."""
    credential = header_credential(request, app.callers().application_of)
    if credential is None:
        raise UnauthenticatedError(f"Send {USAGE}.")
    return credential


def _wait_s(request: Request) -> int:
    given = request.args.getlist("wait")
    if not given:
        return 0
    if len(given) > 1 or not re.fullmatch(r"[0-9]{1,2}", given[0]) or int(given[0]) > MAX_WAIT_S:
        raise MalformedRequestError(f"wait must be whole seconds, 0 to {MAX_WAIT_S}.")
    return int(given[0])


def _has_key(fields: Fields) -> bool:
    return bool(fields.values.get("private_key") or fields.values.get("app_id"))


def _parse(use: Callers, fields: Fields, *, credentials_in_body: bool) -> CallRequest:
    try:
        return parse_call_request(
            fields.values,
            form=fields.is_form,
            faults=fields.faults,
            allow_private_callbacks=use.allow_private_callbacks,
            credentials_in_body=credentials_in_body,
        )
    except InvalidFieldsError as error:
        if not credentials_in_body:
            raise
        raise InvalidFieldsError([*error.faults, *_key_faults(use, fields, error)]) from None


def _key_credential(use: Callers, wanted: CallRequest) -> Credential:
    # Both are there: whoever may send them in the body must (`credentials_in_body`).
    return key_credential(wanted.app_id or "", wanted.private_key or "", use.make_jwt)


def _key_faults(use: Callers, fields: Fields, found: InvalidFieldsError) -> tuple[FieldFault, ...]:
    """Return what is wrong with a private key besides what was found: every fault is reported in one answer."""
    if "private_key" in {fault.field for fault in found.faults}:
        return ()
    try:
        key_credential("", fields.values["private_key"], use.make_jwt)
    except InvalidFieldsError as error:
        return error.faults
    return ()


def _idempotency_key(request: Request) -> str | None:
    """Return the key; `"K"`, as the drafted standard writes it, is `K`.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    key = text.strip()
    if "," in key:
        # This is also what a repeated header is joined to.
        raise MalformedRequestError("There must be one Idempotency-Key, without a comma.")
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key.strip():
        raise MalformedRequestError("The Idempotency-Key is empty: send a new UUID, or leave the header out.")
    if len(key) > MAX_IDEMPOTENCY_KEY or not _PRINTABLE.fullmatch(key):
        raise MalformedRequestError(
            f"The Idempotency-Key may have at most {MAX_IDEMPOTENCY_KEY} characters, of printable ASCII."
        )
    return key
