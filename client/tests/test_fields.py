"""The client's fields are the service's."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ttsprompt.web.openapi import document
from ttsprompt_client.fields import CREDENTIAL_FIELDS, FIELDS

SCHEMAS: Any = document("https://calls.example")["components"]["schemas"]
REQUEST: Any = SCHEMAS["CallRequest"]
KINDS = {"string": str, "integer": int, "boolean": bool}


def described(name: str) -> Any:
    """Return what a value of a field has to be like, wherever the document says it."""
    found = REQUEST["properties"][name]
    found = found["anyOf"][0] if "anyOf" in found else found
    return SCHEMAS[found["$ref"].rpartition("/")[2]] if "$ref" in found else found


def test_each_field_of_the_service_can_be_given_but_for_the_private_key() -> None:
    assert {field.name for field in FIELDS} == REQUEST["properties"].keys() - CREDENTIAL_FIELDS


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_is_of_the_services_type_with_its_choices(field: Any) -> None:
    value = described(field.name)

    assert field.kind is KINDS[value.get("type", "string")]
    assert field.required == (field.name in REQUEST["required"])
    if field.choices and "pattern" in value:  # words in any case
        assert all(re.fullmatch(value["pattern"], word) for word in field.choices)
    else:
        assert set(field.choices) == set(value.get("enum", ()))
