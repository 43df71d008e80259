"""The API's description for programs: OpenAPI 3.1, made from the code's own limits, words and statuses."""

from __future__ import annotations

from typing import Any, Final

from ttsprompt import __version__
from ttsprompt.web import openapi_examples as examples
from ttsprompt.web import openapi_schemas as schemas
from ttsprompt.web import problems

PROBLEM: Final = "application/problem+json"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

_ANYWHERE: Final = ("malformed", "method_not_allowed", "too_large", "internal")
"""Codes that every route may answer: the body is read, and its size checked, whatever the route."""

_TOKENS: Final[list[dict[str, list[str]]]] = [{"vonageToken": []}, {"vonageTokenBesideGateway": []}]
_WEBHOOK: Final = ("unauthenticated", "not_found", "store_unavailable")
_CALLERS: Final = ("unauthenticated", "not_found", "vendor_unreachable", "store_unavailable")
_PLACING: Final = (
    "unauthenticated",
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
    "vendor_unreachable",
    "store_unavailable",
    "vendor_unclear",
)

Part = dict[str, Any]


def document(base_url: str) -> Part:
    """Return the description of the public function that runs at `base_url`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ttsprompt",
            "version": __version__,
            "summary": "One request phones a person, speaks a message, asks for a PIN, and reports the outcome.",
            "description": "Every request that was answered with a `tid` ends in exactly one outcome, which is sent to "
            "the callback at least once. Errors are RFC 9457 problems with a stable `code`.",
        },
        "servers": [{"url": base_url}],
        "tags": [
            {"name": "calls", "description": "For callers."},
            {"name": "vonage", "description": "Vonage's webhooks; their URLs carry a secret of the call."},
            {"name": "service", "description": "About the service."},
        ],
        "paths": _paths(),
        "webhooks": {"outcome": _outcome()},
        "components": {
            "schemas": {
                "CallRequest": schemas.call_request(),
                "CallRequestForm": schemas.call_request(form=True),
                "Placement": schemas.placement(),
                "DryRun": schemas.dry_run(),
                "Call": schemas.call(),
                "Outcome": schemas.payload(as_text=False),
                "OutcomeAsText": schemas.payload(as_text=True),
                "Problem": schemas.problem(sorted(problems.STATUSES)),
                "Fault": schemas.fault(),
                "Ncco": schemas.ncco(),
                "About": schemas.about(),
            },
            "securitySchemes": {
                "vonageToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT of your Vonage application. It is passed on to Vonage, and never kept.",
                },
                "vonageTokenBesideGateway": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Vonage-Authorization",
                    "description": "The same (`Bearer <JWT>`), where a gateway uses `Authorization` itself.",
                },
            },
        },
    }


def _paths() -> Part:
    return {
        "/": {"get": _operation("about", "About the service", "service", _ok("About", examples.ABOUT), ())},
        "/openapi.json": {
            "get": _operation("describe", "This document", "service", _json_answer({"type": "object"}), ())
        },
        "/call": {"post": _place()},
        "/call/{tid}": {
            "parameters": [_TID],
            "get": _of_caller("getCall", "How a call stands"),
            "delete": _of_caller("cancelCall", "Cancel a call, or hang up"),
        },
        "/call/{tid}/redeliver": {
            "parameters": [_TID],
            "post": _of_caller("redeliverOutcome", "Send the callback again", "not_settled"),
        },
        "/answer/{tid}": {
            "parameters": [_TID, _secret(required=True)],
            "get": _of_vonage("answerByGet", "The first NCCO", _ncco()),
            "post": _of_vonage("answer", "The first NCCO", _ncco(), body=False),
        },
        "/input/{tid}": {
            "parameters": [_TID, _secret(required=True), _STEP],
            "post": _of_vonage("input", "Keys of the callee; answered by the next NCCO", _ncco(), body=True),
        },
        "/event/{tid}": {
            "parameters": [_ANY_TID, _secret(required=False)],
            "post": _of_vonage(
                "event", "What happens to a call", {"204": {"description": "Taken, or of no interest."}}, body=True
            ),
        },
    }


def _place() -> Part:
    answer = _json_answer(
        {"anyOf": [_ref("Placement"), _ref("DryRun")]},
        "The call is placed; or, with `dry_run`, what would happen.",
        {"placed": {"value": examples.PLACEMENT}, "dryRun": {"value": examples.DRY_RUN}},
    )
    answer["200"]["headers"] = {
        "Idempotency-Replayed": {
            "description": "`true`: the key was used before; this is the first request's answer.",
            "schema": {"const": "true"},
        }
    }
    answer["200"]["links"] = {
        "call": {"operationId": "getCall", "parameters": {"tid": "$response.body#/tid"}},
        "cancel": {"operationId": "cancelCall", "parameters": {"tid": "$response.body#/tid"}},
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Use a new UUID for each call you mean to place, and the same one when you repeat the request.",
        "schema": {"type": "string", "maxLength": 255},
        "example": "5f0c1c9e-9d1b-4a53-a6b3-0f6f0c1f3a11",
    }
    return _operation("placeCall", "Place a call", "calls", answer, _PLACING) | {
        "description": "Dials at most once. After 504 `vendor_unclear` the phone may be ringing: repeat only under the "
        "same `Idempotency-Key`.",
        "security": [*_TOKENS, {}],
        "parameters": [key],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": _ref("CallRequest"), "examples": {"usual": {"value": schemas.example_request()}}},
                FORM: {"schema": _ref("CallRequestForm"), "examples": {"usual": {"value": schemas.example_request()}}},
            },
        },
    }


def _of_caller(name: str, summary: str, *codes: str) -> Part:
    answer = _ok("Call", examples.CALL)
    return _operation(name, summary, "calls", answer, (*_CALLERS, *codes)) | {"security": _TOKENS}


def _of_vonage(name: str, summary: str, answer: Part, *, body: bool | None = None) -> Part:
    operation = _operation(name, summary, "vonage", answer, _WEBHOOK)
    if body is None:
        return operation
    if body:
        operation = _operation(name, summary, "vonage", answer, (*_WEBHOOK, "unsupported_media_type"))
    operation["requestBody"] = {
        "required": body,
        "content": {JSON: {"schema": schemas.webhook(name), "examples": examples.webhook(name)}},
    }
    return operation


def _operation(name: str, summary: str, tag: str, answer: Part, codes: tuple[str, ...]) -> Part:
    return {"operationId": name, "summary": summary, "tags": [tag], "responses": answer | _problems(codes)}


def _problems(codes: tuple[str, ...]) -> Part:
    """Return one response for each status that one of the codes comes with."""
    by_status: dict[int, list[str]] = {}
    for code in (*_ANYWHERE, *codes):
        for status in problems.STATUSES[code]:
            by_status.setdefault(status, []).append(code)
    return {str(status): _problem(status, by_status[status]) for status in sorted(by_status)}


def _problem(status: int, codes: list[str]) -> Part:
    schema = {
        "allOf": [
            _ref("Problem"),
            {"properties": {"status": {"const": status}, "code": {"enum": sorted(codes)}}},
        ]
    }
    shown = {code: {"value": examples.problem(status, code)} for code in codes}
    response = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {PROBLEM: {"schema": schema, "examples": shown}},
    }
    headers = {
        name: {"required": status in always, "schema": {"type": "string"}}
        for name, always, at in _HEADERS
        if status in at
    }
    return response | ({"headers": headers} if headers else {})


_HEADERS: Final = (
    ("WWW-Authenticate", (401,), (401,)),
    ("Allow", (405,), (405,)),
    ("Retry-After", (429, 503), (409, 429, 503)),
)
"""A header, the statuses that always carry it, and those that may."""


def _ok(schema: str, example: Any) -> Part:
    return _json_answer(_ref(schema), "Done.", {"usual": {"value": example}})


def _ncco() -> Part:
    return _json_answer(_ref("Ncco"), "What Vonage does next.", {"ask": {"value": examples.NCCO}})


def _ref(schema: str) -> Part:
    return {"$ref": f"#/components/schemas/{schema}"}


def _json_answer(schema: Part, description: str = "Done.", shown: Part | None = None) -> Part:
    content = {"schema": schema} | ({"examples": shown} if shown else {})
    return {"200": {"description": description, "content": {JSON: content}}}


def _outcome() -> Part:
    """Return the callback that we make, in its three forms."""
    headers = [
        _header("webhook-id", "The tid: the same on every try. Ignore repeats.", required=True),
        _header("webhook-timestamp", "Seconds since 1970 of this try.", required=True),
        _header(
            "webhook-signature",
            "Standard Webhooks: one signature for each key, `v1,` (HMAC) or `v1a,` (Ed25519), over "
            "`{webhook-id}.{webhook-timestamp}.{body}`; for GET, over the whole query string instead of the body.",
            required=False,
        ),
    ]
    responses = {
        "2XX": {"description": "Taken. The body is not read."},
        "410": {"description": "Send no more."},
        "default": {"description": "It comes again, later; a redirect is a failure too."},
    }
    query = [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for schema_of in (schemas.payload(as_text=True),)
        for required in (schema_of["required"],)
        for name, schema in schema_of["properties"].items()
    ]
    about = {"summary": "The outcome of a call", "tags": ["calls"], "responses": responses, "security": []}
    return {
        "post": about
        | {
            "operationId": "outcomeByPost",
            "parameters": headers,
            "requestBody": {
                "required": True,
                "content": {
                    FORM: {
                        "schema": _ref("OutcomeAsText"),
                        "examples": {"ok": {"value": examples.OUTCOME_AS_TEXT}},
                    },
                    JSON: {
                        "schema": _ref("Outcome"),
                        "examples": {"ok": {"value": examples.OUTCOME}},
                    },
                },
            },
        },
        "get": about | {"operationId": "outcomeByGet", "parameters": [*headers, *query]},
    }


def _header(name: str, description: str, *, required: bool) -> Part:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


_TID: Final = {
    "name": "tid",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{schemas.UUID}$"},
    "example": schemas.TID,
}
_ANY_TID: Final = _TID | {
    "description": "Only looked at when the event matters.",
    "schema": {"type": "string"},
}
_STEP: Final = {
    "name": "step",
    "in": "query",
    "required": True,
    "description": "Which question was answered.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 999},
    "example": 1,
}


def _secret(*, required: bool) -> Part:
    return {
        "name": "token",
        "in": "query",
        "required": required,
        "description": "The call's secret. A wrong one and an unknown tid look the same.",
        "schema": {"type": "string"},
        "example": examples.TOKEN,
    }
