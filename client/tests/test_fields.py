"""The client's fields are the service's."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ttsprompt.web.openapi import document
from ttsprompt_client.fields import CREDENTIAL_FIELDS, FIELDS

REQUEST: Any = document("https://calls.example")["components"]["schemas"]["CallRequest"]
KINDS = {"string": str, "integer": int, "boolean": bool}


def test_each_field_of_the_service_can_be_given_but_for_the_private_key() -> None:
    assert {field.name for field in FIELDS} == REQUEST["properties"].keys() - CREDENTIAL_FIELDS


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_is_of_the_services_type_with_its_choices(field: Any) -> None:
    described = REQUEST["properties"][field.name]
    value = described["anyOf"][0] if "anyOf" in described else described

    assert field.kind is KINDS[value.get("type", "string")]
    if "pattern" in value:  # words in any case
        assert all(re.fullmatch(value["pattern"], word) for word in field.choices)
    else:
        assert set(field.choices) == set(value.get("enum", ()))
    assert field.required == (field.name in REQUEST["required"])
