"""The API's description for programs (OpenAPI 3.1), made from the routes, the types of bodies and the errors."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from ttsprompt import __version__
from ttsprompt.web import problems, schemas
from ttsprompt.web.routes import ROUTES, Route, Who
from ttsprompt.web.tids import TID

PROBLEM: Final = "application/problem+json"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

Part = dict[str, Any]

_INFO: Final = {
    "title": "ttsprompt",
    "version": __version__,
    "summary": "One request phones a person, speaks a message, asks for a PIN, and reports the outcome.",
    "description": "Every request that was answered with a `tid` ends in exactly one outcome, which is sent to the "
    "callback at least once. Errors are RFC 9457 problems with a stable `code`: cause and remedy of each are under the "
    f"heading of that name in docs/errors.md of the source. Their `type` is `{problems.TYPE}` and the code. "
    "Answers may get more fields in later versions: ignore what you do not know.",
}

_TAGS: Final = [
    {"name": Who.CALLER.value, "description": "For callers."},
    {"name": Who.VONAGE.value, "description": "Vonage's webhooks; their URLs carry a secret of the call."},
    {"name": Who.ANYONE.value, "description": "About the service."},
    # A tag of its own: generators make a file of each tag, and a webhook's would overwrite that of the routes.
    {"name": "callback", "description": "What the service sends to you."},
]

_SECURITY: Final = {
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
}

_USUAL: Final = ("callback", "bye_text", "failed_text", "reject_code", "callback_format", "reference")
"""Optional fields that the example of a request has."""


def document(base_url: str) -> Part:
    """Return the description of the public function that runs at `base_url`."""
    paths: dict[str, Part] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": base_url}],
        "tags": _TAGS,
        "paths": paths,
        "webhooks": {"outcome": _outcome()},
        "components": {"schemas": _bodies()[1], "securitySchemes": _SECURITY},
    }


@cache
def _bodies() -> tuple[dict[str, Part], dict[str, Part]]:
    """Return a schema for each body (mostly a reference), and the components that they refer to."""
    adapters = [(name, "validation", TypeAdapter(body)) for name, body in schemas.BODIES.items()]
    made, more = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components: dict[str, Part] = _tidy(more["$defs"])
    return {name: _tidy(schema) for (name, _), schema in made.items()}, components


def _tidy(node: Any) -> Any:
    """Drop the library's titles, which repeat the names, defaults of null, and what only readers of the code follow."""
    if isinstance(node, list):
        return [_tidy(child) for child in node]
    if not isinstance(node, dict):
        return re.sub(r" \(docs/[^)]*\)", "", node) if isinstance(node, str) else node
    return {
        name: _tidy(child)
        for name, child in node.items()
        if not (name == "title" and isinstance(child, str)) and not (name == "default" and child is None)
    }


def _operation(route: Route) -> Part:
    operation: Part = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.who.value],
        "parameters": _parameters(route),
        "responses": {**_answer(route), **_problems(route.all_codes)},
    }
    if route.who is Who.CALLER:
        operation["security"] = [{name: []} for name in _SECURITY]
    if route.body is not None:
        kinds = (JSON, FORM) if route.who is Who.CALLER else (JSON,)
        content = {kind: _media(route.body) for kind in kinds}
        operation["requestBody"] = {"required": True, "content": content}
    return operation | _MORE.get(route.name, {})


_MORE: Final[dict[str, Part]] = {
    "placeCall": {
        "description": "Dials at most once. After 504 `vendor_unclear` the phone may be ringing: follow its `tid`. A "
        "repeat under the same `Idempotency-Key` gets that tid as a replay and dials nobody; one without a key, or "
        "under another, dials again. A form has the same fields; truth values are `true` and `false` there.",
        # The credential may be in the body instead.
        "security": [*({name: []} for name in _SECURITY), {}],
    },
    "getCall": {
        "description": "With `wait` the answer comes when the call is settled: for whoever has no public URL.",
    },
    "eraseCall": {
        "description": "Number, callback, payload, reference and the timeline's details are dropped for good; id, "
        "outcome and times stay. Nothing is delivered any more.",
    },
}
"""What an operation has besides what the table tells."""


def _parameters(route: Route) -> list[Part]:
    names = [*re.findall(r"{(\w+)}", route.path), *route.query, *_REQUEST_HEADERS.get(route.name, ())]
    found = [_PARAMETERS[name] for name in names]
    if route.lenient:
        return [p | {"required": p["in"] == "path", "schema": {"type": "string"}} for p in found]
    return found


_PARAMETERS: Final[dict[str, Part]] = {
    "tid": {
        "name": "tid",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{TID.pattern}$"},
        "example": schemas.EXAMPLE_TID,
    },
    "token": {
        "name": "token",
        "in": "query",
        "required": True,
        "description": "The call's secret. A wrong one and an unknown tid look the same.",
        "schema": {"type": "string"},
        "example": schemas.TOKEN,
    },
    "step": {
        "name": "step",
        "in": "query",
        "required": True,
        "description": "Which question was answered.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 999},
        "example": 1,
    },
    "wait": {
        "name": "wait",
        "in": "query",
        "description": "Seconds to wait until the call is settled; it is told within 1.5 s of that.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 50},
        "example": 50,
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Use a new UUID for each call you mean to place, and the same one when you repeat the request.",
        # Printable ASCII without a comma, no blank at an end. What is in quotes means the same without them.
        "schema": {"type": "string", "maxLength": 255, "pattern": r"^[!#-+\x2d-~]([ -+\x2d-~]*[!-+\x2d-~])?$"},
        "example": "5f0c1c9e-9d1b-4a53-a6b3-0f6f0c1f3a11",
    },
}
_REQUEST_HEADERS: Final = {"placeCall": ("Idempotency-Key",)}


def _answer(route: Route) -> Part:
    if not route.answers:
        return {"204": {"description": "Taken, or of no interest."}}
    media = _media(*route.answers)
    answer: Part = {"description": "Done.", "content": {JSON: media}}
    if "Placement" in route.answers:
        answer["description"] = "The call is placed; or, with `dry_run`, what would happen."
        answer["headers"] = {
            "Idempotency-Replayed": {
                "description": "`true`: the key was used before; this is the first request's answer.",
                "schema": {"const": "true"},
            }
        }
        answer["links"] = {
            name: {"operationId": name, "parameters": {"tid": "$response.body#/tid"}}
            for name in ("getCall", "cancelCall")
        }
    if "wait" in route.query:
        answer["headers"] = {
            "Retry-After": {"description": "There was no place to wait: ask again.", "schema": {"const": "1"}}
        }
    return {"200": answer}


def _media(*names: str) -> Part:
    """Return the content of a body that is one of these."""
    bodies = [_bodies()[0][name] for name in names]
    shown = {name: {"value": example(body)} for name, body in zip(names, bodies, strict=True)}
    return {"schema": {"anyOf": bodies} if len(bodies) > 1 else bodies[0], "examples": shown}


def example(schema: Part) -> Any:
    """Return a body as it looks, from the examples of its parts, of which each must have one."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(_bodies()[1][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    if schema["type"] == "array":
        return [example(schema["items"])]
    request = schema["properties"].keys() >= set(_USUAL)
    shown = {*schema["required"], *_USUAL} if request else schema["properties"].keys()
    return {name: example(part) for name, part in schema["properties"].items() if name in shown}


def _problems(codes: tuple[str, ...]) -> Part:
    """Return one response for each status that one of the codes comes with."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        for status in problems.STATUSES[code]:
            by_status.setdefault(status, []).append(code)
    return {str(status): _problem(status, by_status[status]) for status in sorted(by_status)}


def _problem(status: int, codes: list[str]) -> Part:
    """Return a response. Its schema is no more than a reference: generators leave out what is combined of several."""
    schema = _bodies()[0]["Problem"]
    response: Part = {
        "description": "; ".join(f"`{code}`: {problems.TITLES[code]}" for code in codes),
        "content": {PROBLEM: {"schema": schema, "examples": {c: {"value": _example(status, c)} for c in codes}}},
    }
    headers = {
        name: {"required": status in always, "schema": {"type": "string"}}
        for name, always, at in _HEADERS
        if status in at
    }
    return response | ({"headers": headers} if headers else {})


def _example(status: int, code: str) -> Part:
    body: Part = example(_bodies()[0]["Problem"])
    own: Part = {
        "type": problems.TYPE + code,
        "title": problems.TITLES[code],
        "status": status,
        "code": code,
    }
    if code != "invalid_fields":
        own["errors"] = []
        own["detail"] = "What is wrong with this very request, and what to do."
    if code != "vendor_unclear":
        del body["tid"]
    return body | own


_HEADERS: Final = (
    ("WWW-Authenticate", (401,), (401,)),
    ("Allow", (405,), (405,)),
    ("Retry-After", (429, 503), (409, 429, 503)),
)
"""A header, the statuses that always carry it, and those that may."""


def _outcome() -> Part:
    """Return the callback that we make, in its three forms."""
    headers = [
        _said("webhook-id", "The tid: the same on every try. Ignore repeats.", required=True),
        _said("webhook-timestamp", "Seconds since 1970 of this try.", required=True),
        _said(
            "webhook-signature",
            "Standard Webhooks: one signature for each key, `v1,` (HMAC) or `v1a,` (Ed25519), over "
            "`{webhook-id}.{webhook-timestamp}.{body}`; for GET, over the whole query string instead of the body.",
            required=False,
        ),
    ]
    outcome = _bodies()[1]["Outcome"]
    query = [
        {"name": name, "in": "query", "required": name in outcome["required"], "schema": schema}
        for name, schema in outcome["properties"].items()
    ]
    about = {
        "summary": "The outcome of a call",
        "tags": ["callback"],
        "security": [],
        "responses": {
            "2XX": {"description": "Taken. The body is not read."},
            "410": {"description": "Send no more."},
            "default": {"description": "It comes again, later; a redirect is a failure too."},
        },
    }
    content = {kind: _media("Outcome") for kind in (FORM, JSON)}
    return {
        "post": about
        | {
            "operationId": "outcomeByPost",
            "parameters": headers,
            "requestBody": {"required": True, "content": content},
        },
        "get": about | {"operationId": "outcomeByGet", "parameters": [*headers, *query]},
    }


def _said(name: str, description: str, *, required: bool) -> Part:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}
