"""Holds answers of the service against its own OpenAPI document, and the document against the one that is kept.

`python -m tests.openapi` keeps the present one, so that whoever changes it sees in the diff what others will get.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
from werkzeug.test import TestResponse

from ttsprompt.web.openapi import _bodies, document

BASE_URL: Final = "https://calls.example.com/api"
DOCUMENT = document(BASE_URL)
KEPT: Final = Path(__file__).parent / "data/openapi.json"


OPEN = {"TimelineEntry", "Keys", "KeyedDigits", "Event"}
"""What may have more fields than are described. Clients are to expect that of all, but this version's are known."""

COMPONENTS = {
    "schemas": {
        name: schema if name in OPEN or "properties" not in schema else schema | {"additionalProperties": False}
        for name, schema in DOCUMENT["components"]["schemas"].items()
    }
}


@cache
def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of a schema (given as JSON) that may refer to the document's components."""
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": COMPONENTS})


def as_kept() -> dict[str, Any]:
    """Return the document, made anew, as it is kept: without the version, which every release changes."""
    _bodies.cache_clear()  # it may be of another version of the code: mutants are chosen after the import
    made: dict[str, Any] = json.loads(json.dumps(document(BASE_URL)))
    del made["info"]["version"]
    return made


def faults(schema: Any, value: Any) -> list[str]:
    """Return what is wrong with a value."""
    return [error.message for error in validator(json.dumps(schema)).iter_errors(value)]


def codes_of(response: Any) -> set[str]:
    """Return the codes that a described response may have: there is an example for each."""
    return set(response.get("content", {}).get("application/problem+json", {}).get("examples", {}))


def operation(path: str, method: str) -> Any:
    """Return the description of what a request asks for, None if there is none."""
    for template, item in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return item.get(method.lower())
    return None


def assert_described(path: str, method: str, response: TestResponse) -> None:
    """Check that an answer is one that the document announces: status, media type, headers and body."""
    described = operation(path, method)
    if described is None:
        assert response.status_code in {404, 405}, response.status_code
        return
    announced = described["responses"].get(str(response.status_code))
    assert announced is not None, f"{method} {path}: {response.status_code} is not described"
    for name, header in announced.get("headers", {}).items():
        assert name in response.headers or not header.get("required"), f"{name} is missing"
    if "content" not in announced:
        assert not response.data
        return
    media = announced["content"][response.mimetype]
    body = json.loads(response.data)
    wrong = faults(media["schema"], body)
    assert not wrong, wrong
    codes = codes_of(announced)
    assert not codes or body["code"] in codes, f"{method} {path}: {body['code']} is not described"


if __name__ == "__main__":
    KEPT.write_text(json.dumps(as_kept(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
