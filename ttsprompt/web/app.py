"""The public function: path and method to use case, and every error to problem+json."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flask import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from ttsprompt import __version__
from ttsprompt.errors import (
    CallNotFoundError,
    FieldFault,
    InvalidFieldsError,
    MalformedRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
)
from ttsprompt.ports import Clock
from ttsprompt.service.calls import Calls
from ttsprompt.service.credential import Credential
from ttsprompt.service.placed_calls import PlacedCalls
from ttsprompt.service.webhooks import Webhooks
from ttsprompt.vonage import signature as vonage_signature
from ttsprompt.vonage import webhooks as vonage_webhooks
from ttsprompt.web import bodies, callers, problems, views

if TYPE_CHECKING:
    from ttsprompt.call_request import CallRequest

log = logging.getLogger(__name__)

MAX_IDEMPOTENCY_KEY: Final = 255

_TID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_STEP: Final = re.compile(r"[0-9]{1,3}", re.ASCII)

_ROUTES: Final = Map(
    [
        Rule("/", endpoint="about", methods=["GET"]),
        Rule("/openapi.json", endpoint="describe", methods=["GET"]),
        Rule("/call", endpoint="place", methods=["POST"]),
        Rule("/call/<tid>", endpoint="status", methods=["GET"]),
        Rule("/call/<tid>", endpoint="cancel", methods=["DELETE"]),
        Rule("/call/<tid>/redeliver", endpoint="redeliver", methods=["POST"]),
        Rule("/answer/<tid>", endpoint="answer", methods=["GET", "POST"]),
        Rule("/input/<tid>", endpoint="input", methods=["POST"]),
        Rule("/event/<tid>", endpoint="event", methods=["POST"]),
    ],
    strict_slashes=False,
    merge_slashes=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The public HTTP interface; call it with a Flask request."""

    calls: Calls
    placed_calls: PlacedCalls
    webhooks: Webhooks
    clock: Clock
    load_for_callers: Callable[[], None]
    make_jwt: callers.MakeJwt
    callback_public_keys: Callable[[], list[str]]
    base_url: str
    allow_private_callbacks: bool = False
    vonage_signature_secret: str | None = field(default=None, repr=False)

    def __call__(self, request: Request) -> Response:
        """Answer one request; never raises."""
        return problems.answer(request, self._dispatch)

    def _dispatch(self, request: Request) -> Response:
        body = bodies.read_body(request)
        try:
            endpoint, values = _ROUTES.bind("").match(request.path, request.method)
        except MethodNotAllowed as error:
            raise MethodNotAllowedError(sorted(error.valid_methods or ())) from None
        except HTTPException:
            raise NotFoundError("There is nothing at this path.") from None
        if endpoint in {"describe", "place", "status", "cancel", "redeliver"}:
            self.load_for_callers()
        handlers: dict[str, Callable[..., Response]] = {
            "about": self._about,
            "describe": self._describe,
            "place": self._place,
            "status": self._status,
            "cancel": self._cancel,
            "redeliver": self._redeliver,
            "answer": self._answer,
            "input": self._input,
            "event": self._event,
        }
        return handlers[endpoint](request, body, **values)

    def _about(self, _request: Request, _body: bytes) -> Response:
        about = {"name": "ttsprompt", "version": __version__, "documentation": f"{self.base_url}/openapi.json"}
        return _json(about | {"callback_public_keys": self.callback_public_keys()})

    def _describe(self, _request: Request, _body: bytes) -> Response:
        from ttsprompt.web.openapi import document  # noqa: PLC0415 - it brings pydantic, which no webhook needs

        return _json(document(self.base_url))

    def _place(self, request: Request, body: bytes) -> Response:
        fields = bodies.read_fields(body, request.mimetype)
        if fields.values.get("dry_run"):
            wanted = self._parse(fields, credentials_in_body=False)
            if wanted.dry_run:
                return _json(views.dry_run_view(wanted, self.calls.dry_run(wanted)))
        credential = callers.header_credential(request, self.clock.now())
        if credential is None and not (fields.values.get("private_key") or fields.values.get("app_id")):
            raise UnauthenticatedError(
                "Send a Vonage application JWT as Authorization: Bearer <JWT>, or private_key and app_id in the body."
            )
        try:
            call_request = self._parse(fields, credentials_in_body=credential is None)
        except InvalidFieldsError as error:
            if credential is not None:
                raise
            raise InvalidFieldsError([*error.faults, *self._key_faults(fields, error)]) from None
        credential = credential or self._key_credential(call_request.app_id, call_request.private_key)
        placement = self.calls.place(call_request, credential, _idempotency_key(request))
        response = _json({"tid": placement.tid})
        if placement.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response

    def _parse(self, fields: bodies.Fields, *, credentials_in_body: bool) -> CallRequest:
        from ttsprompt.call_request import parse_call_request  # noqa: PLC0415 - pydantic: slow, and no webhook needs it

        return parse_call_request(
            fields.values,
            form=fields.is_form,
            faults=fields.faults,
            allow_private_callbacks=self.allow_private_callbacks,
            credentials_in_body=credentials_in_body,
        )

    def _status(self, request: Request, _body: bytes, tid: str) -> Response:
        return _json(views.call_view(self.placed_calls.status(*self._asked(request, tid))))

    def _cancel(self, request: Request, _body: bytes, tid: str) -> Response:
        return _json(views.call_view(self.placed_calls.cancel(*self._asked(request, tid))))

    def _redeliver(self, request: Request, _body: bytes, tid: str) -> Response:
        return _json(views.call_view(self.placed_calls.redeliver(*self._asked(request, tid))))

    def _asked(self, request: Request, tid: str) -> tuple[str, Credential]:
        """Return which call is asked for, and the credential of the headers: a GET has no body to carry one."""
        credential = callers.header_credential(request, self.clock.now())
        if credential is None:
            raise UnauthenticatedError("Send a Vonage application JWT as Authorization: Bearer <JWT>.")
        return _tid(tid), credential

    def _key_credential(self, app_id: str | None, private_key: str | None) -> Credential:
        if app_id is None or private_key is None:
            missing = "app_id" if app_id is None else "private_key"
            raise InvalidFieldsError([FieldFault(missing, "required", "This field is required.")])
        return callers.key_credential(app_id, private_key, self.make_jwt)

    def _key_faults(self, fields: bodies.Fields, found: InvalidFieldsError) -> tuple[FieldFault, ...]:
        """Return what is wrong with a private key besides what was found: every fault is reported in one answer."""
        key = fields.values.get("private_key")
        if not isinstance(key, str) or not key or "private_key" in {fault.field for fault in found.faults}:
            return ()
        try:
            callers.key_credential("", key, self.make_jwt)
        except InvalidFieldsError as error:
            return error.faults
        return ()

    def _answer(self, request: Request, body: bytes, tid: str) -> Response:
        self._verify(request, body)
        return _json(self.webhooks.answer(_tid(tid), _token(request)))

    def _input(self, request: Request, body: bytes, tid: str) -> Response:
        self._verify(request, body)
        keys = vonage_webhooks.parse_digits(_webhook_fields(request, body))
        return _json(self.webhooks.input(_tid(tid), _token(request), _step(request), keys))

    def _event(self, request: Request, body: bytes, tid: str) -> Response:
        self._verify(request, body)
        fields = _webhook_fields(request, body)
        reason = vonage_webhooks.error_reason(fields)
        if reason is not None:
            # Anybody may have sent it: the call is not looked up. So what is no tid is not repeated either.
            shown = tid if _TID.fullmatch(tid) else None
            log.error("vonage_error_event", extra={"fields": {"tid": shown, "reason": reason}})
        event = vonage_webhooks.parse_event(fields)
        if event is not None:
            self.webhooks.event(_tid(tid), _token(request), event)
        # A status that may be answered by an NCCO must not get stray JSON (docs/vonage.md §3.4).
        return Response(status=204)

    def _verify(self, request: Request, body: bytes) -> None:
        """Check that a webhook is Vonage's, if the operator gave us the secret to tell."""
        if self.vonage_signature_secret is not None:
            vonage_signature.verify_signature(request, body, self.vonage_signature_secret, self.clock.now())


def _webhook_fields(request: Request, body: bytes) -> Mapping[str, Any]:
    if request.mimetype not in {"application/json", ""}:
        raise UnsupportedMediaTypeError("A webhook's body must be application/json.")
    return bodies.read_json_object(body)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and len(key) > MAX_IDEMPOTENCY_KEY:
        detail = f"The Idempotency-Key may have at most {MAX_IDEMPOTENCY_KEY} characters."
        raise MalformedRequestError(detail)
    return key or None


def _tid(text: str) -> str:
    if not _TID.fullmatch(text):
        raise CallNotFoundError
    return text


def _token(request: Request) -> str:
    return request.args.get("token", "")


def _step(request: Request) -> int:
    step = request.args.get("step", "")
    if not _STEP.fullmatch(step):
        raise CallNotFoundError
    return int(step)


def _json(body: object) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")
