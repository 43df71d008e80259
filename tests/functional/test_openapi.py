"""The API's description against the code: nothing left out, nothing made up, and examples that are true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.openapi import DOCUMENT, KEPT, as_kept, codes_of, faults
from tests.world import World, bearer, json_of, payload_of
from ttsprompt import errors
from ttsprompt.call_request import FIELDS, SECRET_FIELDS
from ttsprompt.domain.payload import PAYLOAD_FIELDS
from ttsprompt.web import problems
from ttsprompt.web.routes import ROUTES

METHODS = {"get", "post", "put", "delete", "patch"}


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_is_the_one_that_is_kept() -> None:
    """If the change is meant: `python -m tests.openapi`, and read the diff as those do who generated a client."""
    assert as_kept() == json.loads(KEPT.read_text(encoding="utf-8"))


def test_every_name_in_the_document_is_told_once() -> None:
    names = [route.name for route in ROUTES]

    assert len(set(names)) == len(names)
    assert len({(route.path, route.method) for route in ROUTES}) == len(ROUTES)


def test_every_field_of_the_request_is_described_with_an_example() -> None:
    fields = DOCUMENT["components"]["schemas"]["CallRequest"]["properties"]

    assert fields.keys() == FIELDS.keys()
    assert [field for field, told in fields.items() if not (told["description"] and told["examples"])] == []
    assert {field for field, told in fields.items() if told.get("writeOnly")} == SECRET_FIELDS


def test_no_tag_is_both_a_route_s_and_a_webhook_s() -> None:
    """Generators make a file of each tag: one would overwrite the other (OpenAPITools/openapi-generator#20346)."""
    tags = {
        part: {
            tag for item in DOCUMENT[part].values() for method in item.keys() & METHODS for tag in item[method]["tags"]
        }
        for part in ("paths", "webhooks")
    }

    assert tags["paths"].isdisjoint(tags["webhooks"])
    assert {tag["name"] for tag in DOCUMENT["tags"]} == tags["paths"] | tags["webhooks"]


def test_a_form_has_the_schema_of_the_json_and_comes_after_it() -> None:
    """What only a form uses, openapi-generator leaves out; of two, openapi-python-client sends the last."""
    content = DOCUMENT["paths"]["/call"]["post"]["requestBody"]["content"]

    assert list(content) == ["application/json", "application/x-www-form-urlencoded"]
    assert [media["schema"] for media in content.values()] == [{"$ref": "#/components/schemas/CallRequest"}] * 2


def test_every_error_answer_is_the_problem_itself_and_nothing_combined() -> None:
    """What is combined with more, generators leave out (openapi-python-client#1083, #1090)."""
    schemas = [
        media["schema"]
        for item in DOCUMENT["paths"].values()
        for method in item.keys() & METHODS
        for status, response in item[method]["responses"].items()
        if status >= "400"
        for media in response["content"].values()
    ]

    assert len(schemas) > 70
    assert [schema for schema in schemas if schema != {"$ref": "#/components/schemas/Problem"}] == []


def all_errors(kind: type[errors.TtsPromptError] = errors.TtsPromptError) -> Iterator[type[errors.TtsPromptError]]:
    for child in kind.__subclasses__():
        yield child
        yield from all_errors(child)


def test_every_code_is_described_with_every_status_it_comes_with() -> None:
    described: dict[str, set[int]] = {}
    for item in DOCUMENT["paths"].values():
        for method in item.keys() & METHODS:
            for status, response in item[method]["responses"].items():
                for code in codes_of(response):
                    described.setdefault(code, set()).add(int(status))

    assert described == {code: set(statuses) for code, statuses in problems.STATUSES.items()}
    assert described.keys() == {kind.code for kind in all_errors()}


def test_the_statuses_of_refusals_by_vonage_are_the_ones_described() -> None:
    seen = set()
    for vendor_status in (400, 401, 402, 403, 404, 405, 409, 422, 301):
        seen.add(problems.problem(errors.VendorRefusedError("no", vendor_status=vendor_status)).status_code)

    assert seen == set(problems.STATUSES["vendor_refused"])


def nodes(node: Any, where: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every object below a node, with its place; examples are not looked into."""
    if isinstance(node, dict):
        yield where, node
        children = [(key, child) for key, child in node.items() if key not in {"example", "examples"}]
    else:
        children = list(enumerate(node)) if isinstance(node, list) else []
    for key, child in children:
        yield from nodes(child, f"{where}/{key}")


def examples() -> Iterator[tuple[str, Any, Any]]:
    """Return every example with its place and schema."""
    for where, node in nodes(DOCUMENT):
        if "schema" in node:
            for name, example in node.get("examples", {}).items():
                yield f"{where}/{name}", node["schema"], example["value"]
            if "example" in node:
                yield where, node["schema"], node["example"]
        elif isinstance(node.get("examples"), list):
            for example in node["examples"]:
                yield where, {key: value for key, value in node.items() if key != "examples"}, example


EXAMPLES = {place: (schema, example) for place, schema, example in examples()}


@pytest.mark.parametrize("place", EXAMPLES)
def test_an_example_keeps_to_its_schema(place: str) -> None:
    schema, example = EXAMPLES[place]

    assert faults(schema, example) == []


def test_there_are_examples_for_every_body() -> None:
    bodies = [
        media
        for item in (*DOCUMENT["paths"].values(), *DOCUMENT["webhooks"].values())
        for method in item.keys() & METHODS
        for part in (item[method].get("requestBody", {}), *item[method]["responses"].values())
        for media in part.get("content", {}).values()
    ]

    assert len(EXAMPLES) > 100
    assert [media for media in bodies if not media.get("examples")] == []


def test_the_example_of_a_request_is_taken_as_it_stands(world: World) -> None:
    for content_type, media in DOCUMENT["paths"]["/call"]["post"]["requestBody"]["content"].items():
        (body,) = [example["value"] for example in media["examples"].values()]
        sent: dict[str, Any] = {"json": body} if content_type == "application/json" else {"data": body}

        response = world.client.post("/call", **sent, headers=bearer(world.clock))

        assert response.status_code == 200, response.text


def test_the_outcome_has_the_fields_of_the_payload() -> None:
    assert tuple(DOCUMENT["components"]["schemas"]["Outcome"]["properties"]) == PAYLOAD_FIELDS


@pytest.mark.parametrize(
    "fields",
    [
        {"callback_format": "json", "reference": "r"},
        {"callback_format": "form"},
        {"callback_method": "GET", "reference": "r"},
    ],
)
def test_the_outcome_we_send_is_the_one_described(world: World, fields: dict[str, str]) -> None:
    world.place(**{"callback_method": "POST"} | fields)
    world.enter("9999", "1234")
    world.event("completed", duration="12", price="0.1")
    (request,) = world.sender.sent
    as_json = fields.get("callback_format") == "json"
    sent: dict[str, Any] = json.loads(request.payload) if as_json else dict(payload_of(request))
    if not as_json:
        sent |= {name: int(sent[name]) for name in ("attempts", "duration")}

    assert faults({"$ref": "#/components/schemas/Outcome"}, sent) == []
    assert sent["attempts"] == 2


def test_the_service_says_where_it_is_described(world: World) -> None:
    about = json_of(world.client.get("/"))

    assert about["documentation"] == "https://calls.example.com/api/openapi.json"
    document = json_of(world.client.get("/openapi.json"))
    assert document == json.loads(json.dumps(DOCUMENT))
    assert document["servers"] == [{"url": "https://calls.example.com/api"}]
