"""The shapes of the API in JSON Schema 2020-12. Limits, defaults and words come from the code that applies them."""

from __future__ import annotations

from typing import Any, Final

from ttsprompt.call_request import CallRequest
from ttsprompt.domain.model import DeliveryState, State
from ttsprompt.domain.payload import PAYLOAD_FIELDS
from ttsprompt.domain.verdict import Reason, Status

Schema = dict[str, Any]

TID: Final = "6a2827c9-4c68-46fc-b179-115f055dc0eb"
APPLICATION: Final = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NUMBER: Final = {"type": "string", "format": "e164", "pattern": r"^ *\+? *[1-9]( *[0-9]){6,14} *$"}
TEXT: Final = {"type": "string", "format": "spoken-text"}
TIME: Final = {"type": "string", "format": "date-time"}

_FIELDS: Final[dict[str, Schema]] = {
    "to": {
        **NUMBER,
        "description": "Number to call, E.164; `+` and spaces are tolerated.",
        "examples": ["447970513607"],
    },
    "from": {
        **NUMBER,
        "description": "Your Vonage number, shown as the caller. Not the same as `to`.",
        "examples": ["447520616161"],
    },
    "text": {
        **TEXT,
        "description": "What is spoken first. SSML if it is one well-formed `<speak>` element.",
        "examples": ["This is the on-call desk. Enter your PIN, please."],
    },
    "pin_code": {
        "type": "string",
        "pattern": "^[0-9]{1,20}$",
        "writeOnly": True,
        "description": "What the callee has to key. It is never stored, logged or returned.",
        "examples": ["1234"],
    },
    "callback": {
        "type": "string",
        "format": "callback-url",
        "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
        "description": "Where the outcome goes: a public `http(s)` URL without user info, fragment, or a query name of "
        "the payload. Its own query is kept.",
        "examples": ["https://example.com/callback"],
    },
    "callback_method": {
        "type": "string",
        "pattern": "^([Pp][Oo][Ss][Tt]|[Gg][Ee][Tt])$",
        "description": "How the outcome is sent: `POST` or `GET`, in any case.",
        "examples": ["POST"],
    },
    "callback_format": {
        "enum": ["form", "json"],
        "description": "The encoding of a POST callback.",
        "examples": ["json"],
    },
    "bye_text": {
        **TEXT,
        "description": "Spoken after the right PIN; without it the call ends in silence.",
        "examples": ["Thank you, goodbye."],
    },
    "failed_text": {
        **TEXT,
        "description": "Spoken after a wrong PIN while tries are left; without it `text` is spoken again.",
        "examples": ["That was not right. Please try again."],
    },
    "attempts": {"type": "integer", "description": "How many entries the callee has.", "examples": [3]},
    "reject_code": {
        "type": "string",
        "pattern": "^[0-9]{1,4}$",
        "writeOnly": True,
        "description": "For a callee who did not ask for this call. It and `pin_code` must not begin with each other.",
        "examples": ["9"],
    },
    "language": {
        "type": "string",
        "pattern": "^[A-Za-z]{2,3}(-([A-Za-z0-9]-)?[A-Za-z0-9]{2,8})*$",
        "maxLength": 35,
        "description": "A BCP-47 tag that Vonage has a voice for.",
        "examples": ["en-GB"],
    },
    "style": {"type": "integer", "description": "Vonage's voice style for the language.", "examples": [2]},
    "premium": {"type": "boolean", "description": "Vonage's premium voice.", "examples": [True]},
    "input_timeout": {
        "type": "integer",
        "description": "Seconds to wait for the first and each further key.",
        "examples": [10],
    },
    "ringing_timeout": {"type": "integer", "description": "Seconds that the phone may ring.", "examples": [45]},
    "machine_detection": {
        "enum": ["hangup", "continue"],
        "description": "What Vonage does when a machine answers; without it, machines are not looked for.",
        "examples": ["hangup"],
    },
    "reference": {
        "type": "string",
        "format": "plain-text",
        "description": "Yours; it is echoed in the callback.",
        "examples": ["incident 4711"],
    },
    "dry_run": {
        "type": "boolean",
        "description": "`true`: phone nobody and store nothing; show what would happen. Needs no credential.",
        "examples": [False],
    },
    "private_key": {
        "type": "string",
        "writeOnly": True,
        "description": "The Vonage application's private key as PEM text, also with literal `\\n`; instead of a token.",
        "examples": ["-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----\n"],
    },
    "app_id": {
        "type": "string",
        "format": "uuid",
        "description": "The Vonage application's id, to go with `private_key`.",
        "examples": [APPLICATION],
    },
}
_TAKEN_OVER: Final = ("minLength", "maxLength", "minimum", "maximum", "default")


def call_request(*, form: bool = False) -> Schema:
    """Return the body of `POST /call`, with the limits and defaults of the model that checks it."""
    model = CallRequest.model_json_schema(by_alias=True)
    properties = {}
    for name, words in _FIELDS.items():
        field = words | _limits(model["properties"][name])
        if form and words.get("type") == "boolean":
            field = {"description": words["description"], **_TRUTH_IN_FORMS}
        properties[name] = field if name in model["required"] else {"anyOf": [field, _otherwise(name, form=form)]}
    return {
        "type": "object",
        "description": "Unknown fields are refused.",
        "properties": properties,
        "required": model["required"],
        "additionalProperties": False,
    }


def _otherwise(name: str, *, form: bool) -> Schema:
    """Return what an optional field may be besides a value."""
    if name in {"private_key", "app_id"}:
        return {"description": "Not looked at beside a header with a token."} | ({"type": "string"} if form else {})
    return {"enum": [""] if form else ["", None], "description": "Counts as absent."}


_TRUTH_IN_FORMS: Final = {
    "type": "string",
    "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)$",
    "examples": ["true"],
}


def _limits(field: Schema) -> Schema:
    found = {**field, **next((s for s in field.get("anyOf", []) if s.get("type") != "null"), {})}
    return {name: found[name] for name in _TAKEN_OVER if found.get(name) is not None}


def example_request() -> dict[str, Any]:
    """Return a request with the fields that callers use most."""
    used = {"failed_text", "bye_text", "reject_code", "callback_format", "reference", *call_request()["required"]}
    return {name: words["examples"][0] for name, words in _FIELDS.items() if name in used}


def _object(properties: Schema, *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_TID: Final = {"type": "string", "pattern": f"^{UUID}$", "examples": [TID]}
_DIGITS: Final = {"type": "string", "pattern": "^[0-9]{7,15}$", "examples": ["447970513607"]}
_COUNT: Final = {"type": "integer", "minimum": 0}
_ATTEMPTS: Final = {"description": "Entries judged, the right one and a rejection included."}
_DURATION: Final = {"description": "Seconds, as Vonage says."}
_PRICE: Final = {"type": "string", "description": "EUR, a decimal number as Vonage says."}
_STATUS: Final = {
    "enum": [status.value for status in Status],
    "description": "`ok`: the right PIN was keyed. `failed`: the call was completed without it. `error`: the call was "
    "not completed. Only `ok` says that the right person picked up.",
}
_REASON: Final = {"enum": [reason.value for reason in Reason], "description": "Why; each belongs to one status."}


def payload(*, as_text: bool) -> Schema:
    """Return the callback's fields: as JSON, or as the texts of a form or query."""
    number = {"type": "string", "pattern": "^[0-9]+$"} if as_text else _COUNT
    fields = {
        "to": _DIGITS,
        "tid": _TID,
        "status": _STATUS,
        "reason": _REASON,
        "attempts": number | _ATTEMPTS,
        "answered_by": {"enum": ["human", "machine"]},
        "duration": number | _DURATION,
        "price": _PRICE,
        "reference": {"type": "string"},
    }
    shown = {name: fields[name] for name in PAYLOAD_FIELDS}
    return _object(shown, optional=("answered_by", "duration", "price", "reference"))


def call() -> Schema:
    """Return a call as `GET /call/{tid}` shows it."""
    line = _object({"at": TIME, "event": {"type": "string"}}, description="Further details depend on the event.")
    attempt = _object(
        {"at": TIME, "http_status": _or_null({"type": "integer"}), "fault": _or_null({"type": "string"})},
        additionalProperties=False,
    )
    delivery = _object(
        {
            "state": {"enum": [state.value for state in DeliveryState]},
            "next_at": _or_null(TIME),
            "tries": {"type": "array", "items": attempt, "maxItems": 50, "description": "The last 50."},
        },
        additionalProperties=False,
    )
    return _object(
        {
            "tid": _TID,
            "to": _DIGITS,
            "state": {"enum": [state.value for state in State]},
            "status": _or_null(_STATUS),
            "reason": _or_null(_REASON),
            "attempts": _COUNT | _ATTEMPTS,
            "duration": _or_null(_COUNT | _DURATION),
            "price": _or_null(_PRICE),
            "reference": _or_null({"type": "string"}),
            "timeline": {"type": "array", "items": line},
            "delivery": delivery,
        },
        additionalProperties=False,
    )


def fault() -> Schema:
    """Return one broken rule of one field."""
    names = {"field": "The field.", "code": "Stable, for programs.", "message": "For people; never quotes the value."}
    properties = {name: {"type": "string", "description": words} for name, words in names.items()}
    return _object(properties, additionalProperties=False)


def problem(codes: list[str]) -> Schema:
    """Return the body of every error (RFC 9457)."""
    return _object(
        {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"enum": codes, "description": "Stable, for programs."},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
            "tid": _TID,
        },
        optional=("tid",),
        additionalProperties=False,
    )


def placement() -> Schema:
    """Return the answer to a call that was placed."""
    return _object({"tid": _TID}, additionalProperties=False)


def dry_run() -> Schema:
    """Return the answer to a dry run."""
    return _object(
        {
            "request": {"type": "object", "description": "The request as it is understood; PIN and code are hidden."},
            "ncco": {"$ref": "#/components/schemas/Ncco"},
            "length_timer": _COUNT | {"description": "Seconds after which Vonage would hang up."},
            "stale_after": {
                "type": "number",
                "description": "Seconds after which an unanswered call would be given up.",
            },
            "warnings": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
        },
        additionalProperties=False,
    )


def ncco() -> Schema:
    """Return what Vonage is told to do."""
    actions = {"action": {"enum": ["talk", "input"]}}
    return {"type": "array", "items": _object(actions), "description": "A Vonage call control object."}


def about() -> Schema:
    """Return what `GET /` says."""
    return _object(
        {
            "name": {"const": "ttsprompt"},
            "version": {"type": "string"},
            "documentation": {"type": "string", "format": "uri"},
            "callback_public_keys": {"type": "array", "items": {"type": "string", "pattern": "^whpk_"}},
        },
        additionalProperties=False,
    )


_WEBHOOKS: Final[dict[str, Schema]] = {
    "answer": {"description": "Not looked at."},
    "input": {
        "type": "object",
        "properties": {
            "dtmf": {
                "description": "The keys; a string in old applications. Missing: silence.",
                "anyOf": [
                    {"type": "object", "properties": {"digits": {"type": ["string", "null"]}}},
                    {"type": ["string", "null"]},
                ],
            }
        },
    },
    "event": {
        "type": "object",
        "properties": {"status": {"description": "`answered`, `machine` and the endings matter."}},
    },
}


def webhook(name: str) -> Schema:
    """Return what Vonage sends to `answer`, `input` or `event`."""
    return _WEBHOOKS[name]
