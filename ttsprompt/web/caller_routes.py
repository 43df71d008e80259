"""What callers ask for: a call, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Request, Response

from ttsprompt.call_request import CallRequest, parse_call_request
from ttsprompt.domain.model import Call
from ttsprompt.errors import FieldFault, InvalidFieldsError, MalformedRequestError, UnauthenticatedError
from ttsprompt.service.authority import Credential
from ttsprompt.web import bodies, schemas, views
from ttsprompt.web.app import App, Callers, json_response
from ttsprompt.web.callers import header_credential, key_credential
from ttsprompt.web.tids import tid_of

MAX_IDEMPOTENCY_KEY: Final = 255


def place(app: App, request: Request, body: bytes) -> Response:
    """Phone somebody, or say what that would come to."""
    use = app.callers()
    fields = bodies.read_fields(body, request.mimetype)
    if fields.values.get("dry_run"):
        wanted = _parse(use, fields, credentials_in_body=False)
        if wanted.dry_run:
            return json_response(views.dry_run_view(wanted, use.calls.dry_run(wanted)))
    credential = header_credential(request, app.clock.now())
    if credential is None and not (fields.values.get("private_key") or fields.values.get("app_id")):
        raise UnauthenticatedError(
            "Send a Vonage application JWT as Authorization: Bearer <JWT>, or private_key and app_id in the body."
        )
    try:
        wanted = _parse(use, fields, credentials_in_body=credential is None)
    except InvalidFieldsError as error:
        if credential is not None:
            raise
        raise InvalidFieldsError([*error.faults, *_key_faults(use, fields, error)]) from None
    credential = credential or _key_credential(use, wanted)
    placement = use.calls.place(wanted, credential, _idempotency_key(request))
    placed: schemas.Placement = {"tid": placement.tid}
    response = json_response(placed)
    if placement.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def status(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """Show a call."""
    return _shown(app, request, tid, app.callers().placed_calls.status)


def cancel(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """End a call."""
    return _shown(app, request, tid, app.callers().placed_calls.cancel)


def redeliver(app: App, request: Request, _body: bytes, tid: str) -> Response:
    """Send a call's outcome again."""
    return _shown(app, request, tid, app.callers().placed_calls.redeliver)


def _shown(app: App, request: Request, tid: str, do: Callable[[str, Credential], Call]) -> Response:
    """Do something with a call for whoever the headers name: a GET has no body to carry a credential."""
    credential = header_credential(request, app.clock.now())
    if credential is None:
        raise UnauthenticatedError("Send a Vonage application JWT as Authorization: Bearer <JWT>.")
    return json_response(views.call_view(do(tid_of(tid), credential)))


def _parse(use: Callers, fields: bodies.Fields, *, credentials_in_body: bool) -> CallRequest:
    return parse_call_request(
        fields.values,
        form=fields.is_form,
        faults=fields.faults,
        allow_private_callbacks=use.allow_private_callbacks,
        credentials_in_body=credentials_in_body,
    )


def _key_credential(use: Callers, wanted: CallRequest) -> Credential:
    if wanted.app_id is None or wanted.private_key is None:
        missing = "app_id" if wanted.app_id is None else "private_key"
        raise InvalidFieldsError([FieldFault(missing, "required", "This field is required.")])
    return key_credential(wanted.app_id, wanted.private_key, use.make_jwt)


def _key_faults(use: Callers, fields: bodies.Fields, found: InvalidFieldsError) -> tuple[FieldFault, ...]:
    """Return what is wrong with a private key besides what was found: every fault is reported in one answer."""
    key = fields.values.get("private_key")
    if not isinstance(key, str) or not key or "private_key" in {fault.field for fault in found.faults}:
        return ()
    try:
        key_credential("", key, use.make_jwt)
    except InvalidFieldsError as error:
        return error.faults
    return ()


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and len(key) > MAX_IDEMPOTENCY_KEY:
        detail = f"The Idempotency-Key may have at most {MAX_IDEMPOTENCY_KEY} characters."
        raise MalformedRequestError(detail)
    return key or None
