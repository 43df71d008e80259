"""The page is told what the schema says, no more and no less."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from devphone.browser import wire
from tests.devphone.line import Service
from tests.devphone.test_api import on_the_phone
from tests.devphone.test_page import Events, _events, phone, place

SCHEMA_FILE = Path(wire.__file__).with_name("events.schema.json")
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())


def test_the_schema_is_what_the_types_say() -> None:
    """After a change: `python -m tests.devphone.test_wire`."""
    assert SCHEMA == wire.SCHEMA


def told() -> Events:
    async def scene(client: httpx.AsyncClient, _: Service) -> Events:
        uuid = await place(client)
        await client.post(f"/devphone/calls/{uuid}/answer")
        await asyncio.sleep(0.5)
        await client.post(
            "/callback", data={"tid": "11111111-2222", "status": "failed", "reason": "hung_up", "answered_by": "human"}
        )
        return await _events(served)

    served = phone()
    return on_the_phone(scene, served)


def check(kind: str, value: Any) -> None:
    jsonschema.validate(value, {"$defs": SCHEMA["$defs"], **SCHEMA["properties"][kind]})


def test_every_event_is_as_the_schema_says() -> None:
    events = told()

    assert {kind for kind, _, _ in events} == set(SCHEMA["properties"])
    for kind, _, value in events:
        check(kind, value)
    (call,) = [value for kind, _, value in events if kind == "call"]
    assert call["leg"]["question"]["keyed"] == 0
    assert (call["outcome"]["reason"], call["outcome"]["answered_by"]) == ("hung_up", "human")


def test_a_field_that_the_schema_does_not_know_is_a_fault() -> None:
    kind, _, value = told()[-1]

    with pytest.raises(jsonschema.ValidationError, match="news"):
        check(kind, value | {"news": 1})


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json.dumps(wire.SCHEMA, indent=2) + "\n")
