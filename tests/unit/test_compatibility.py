"""What was released is kept: the API, the records in the database, the names of settings and of the client.

docs/compatibility.md promises it. The files in `tests/data/released` are never changed: whatever fails here is a break.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compatibility import broken
from tests.tools.released import RELEASED, calls, from_text, names, openapi, records
from tests.world import json_of, make_world
from ttsprompt import __version__
from ttsprompt.stores.codec import from_document, to_document

ROOT: Final = Path(__file__).parents[2]
CHANGELOG: Final = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
MAJOR: Final = __version__.partition(".")[0]
VERSIONS: Final = sorted(folder.name for folder in RELEASED.iterdir() if folder.name.partition(".")[0] == MAJOR)
TID: Final = "6a2827c9-4c68-46fc-b179-115f055dc0eb"


def released(version: str, name: str) -> Any:
    return from_text((RELEASED / version / f"{name}.json").read_text(encoding="utf-8"))


RECORDS: Final = {
    f"{version}: {what}": document for version in VERSIONS for what, document in released(version, "records").items()
}


# The version


def test_the_version_is_said_once() -> None:
    saying = [
        str(path.relative_to(ROOT))
        for path in (*ROOT.glob("ttsprompt/**/*.py"), ROOT / "pyproject.toml")
        if f'"{__version__}"' in path.read_text(encoding="utf-8")
    ]

    assert saying == ["ttsprompt/__init__.py"]


def test_the_service_and_its_description_say_the_version(tmp_path: Path) -> None:
    client = make_world(tmp_path).client

    assert json_of(client.get("/"))["version"] == __version__
    assert json_of(client.get("/openapi.json"))["info"]["version"] == __version__


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    newest = re.findall(r"^## (?!Unreleased)\[?([^\]\s]+)\]? - (\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE)[0]

    assert newest[0] == __version__


def test_the_first_release_of_this_major_version_is_kept() -> None:
    assert f"{MAJOR}.0.0" in VERSIONS


# What was released is still there


@pytest.mark.parametrize("version", VERSIONS)
def test_clients_made_from_a_released_description_work_with_this_version(version: str) -> None:
    assert broken(released(version, "openapi"), openapi()) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_of_a_release_are_there_with_their_defaults(version: str) -> None:
    before, now = released(version, "names")["settings"], names()["settings"]

    assert {name: now.get(name, "gone") for name in before} == before


@pytest.mark.parametrize("version", VERSIONS)
def test_what_scripts_use_of_a_released_client_is_there(version: str) -> None:
    before, now = released(version, "names")["client"], names()["client"]

    assert now["exit_codes"] == before["exit_codes"]
    assert set(before["library"]) <= set(now["library"])
    assert {
        command: sorted(set(options) - set(now["commands"].get(command, ())))
        for command, options in before["commands"].items()
    } == {command: [] for command in before["commands"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_fixture_for_other_projects_tests_is_there(version: str) -> None:
    assert set(released(version, "names")["pytest"]) <= set(names()["pytest"])


@pytest.mark.parametrize("what", RECORDS)
def test_a_record_of_a_release_is_read_and_written_as_that_release_reads_it(what: str) -> None:
    document = RECORDS[what]
    written = to_document(from_document(TID, document))

    assert {name: written.get(name) for name in document} == document


FIRST_EDITION: Final[Mapping[str, dict[str, Any]]] = released("0.1.0", "records")


@pytest.mark.parametrize("what", FIRST_EDITION)
def test_a_record_of_the_first_edition_is_read_and_goes_on_under_the_present_names(what: str) -> None:
    document = FIRST_EDITION[what]
    call = from_document(TID, document)
    written = to_document(call, over=document)

    assert call.attempts_allowed == document["tries_allowed"] == written["attempts_allowed"]
    assert call.delivery.attempts_made == document["delivery"]["tries_made"]
    assert from_document(TID, written) == call


@pytest.mark.parametrize("version", VERSIONS)
def test_the_records_of_a_release_are_of_calls_in_every_place_of_their_life(version: str) -> None:
    """What this version writes of the same calls has no field that the kept records lack, but for new ones."""
    kept = released(version, "records")
    known = {name for document in kept.values() for name in document}

    assert kept.keys() <= records().keys()
    assert {call.phase.value for _, call in calls()} == {
        "placing", "placed", "answered", "decided", "grace", "settled",
    }  # fmt: skip
    assert known <= {name for document in records().values() for name in document}


# The rule finds what breaks clients, and nothing else


@dataclass(frozen=True)
class Place:
    """A description to be changed."""

    document: dict[str, Any]

    def schema(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document["components"]["schemas"][name]
        return found

    def field(self, schema: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.schema(schema)["properties"][name]
        return found

    def call(self, method: str = "post", path: str = "/call") -> dict[str, Any]:
        found: dict[str, Any] = self.document["paths"][path][method]
        return found

    def outcome(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["webhooks"]["outcome"]["post"]
        return found


Change = Callable[[Place], object]

BREAKS: Final[Mapping[str, Change]] = {
    "a route is gone": lambda at: at.document["paths"].pop("/call/{tid}/erase"),
    "a method is gone": lambda at: at.document["paths"]["/call/{tid}"].pop("delete"),
    "the webhook is gone": lambda at: at.document["webhooks"].pop("outcome"),
    "an operation has another name": lambda at: at.call().update(operationId="makeCall"),
    "an operation has another tag": lambda at: at.call().update(tags=["telephone"]),
    "a way to authenticate is gone": lambda at: at.call()["security"].pop(),
    "a header is required": lambda at: at.call()["parameters"][0].update(required=True),
    "a header is gone": lambda at: at.call()["parameters"].pop(0),
    "a header may be shorter only": lambda at: at.call()["parameters"][0]["schema"].update(maxLength=64),
    "forms are no longer taken": lambda at: at.call()["requestBody"]["content"].popitem(),
    "a status is gone": lambda at: at.call()["responses"].pop("504"),
    "a header of an answer is gone": lambda at: at.call()["responses"]["200"]["headers"].clear(),
    "a code is gone": lambda at: at.call()["responses"]["409"]["content"]["application/problem+json"]["examples"].pop(
        "in_progress"
    ),
    "a class of generated clients has another name": lambda at: at.document.update(
        json.loads(json.dumps(at.document).replace("KeyedDigits", "Pressed"))
    ),
    "a field of the request is gone": lambda at: at.schema("CallRequest")["properties"].pop("extension"),
    "a field of the request is required": lambda at: at.schema("CallRequest")["required"].append("callback"),
    "a field of the request may be less long": lambda at: at.field("CallRequest", "text").update(maxLength=1000),
    "a field of the request may be less small": lambda at: at.field("CallRequest", "attempts").update(minimum=2),
    "a field of the request is of another type": lambda at: at.field("CallRequest", "attempts").update(type="string"),
    "a field of the request has another default": lambda at: at.field("CallRequest", "attempts").update(default=4),
    "a field of the request has another pattern": lambda at: at.field("CallRequest", "to").update(pattern="^[0-9]+$"),
    "a field of the request has a pattern": lambda at: at.field("CallRequest", "text").update(pattern="^[a-z]+$"),
    "a field of the request may not be null": lambda at: at.schema("CallRequest")["properties"].update(
        reference={"type": "string", "maxLength": 255}
    ),
    "a word of the request is gone": lambda at: at.schema("MachineDetection")["enum"].remove("continue"),
    "a field of an answer is gone": lambda at: at.schema("Call")["properties"].pop("sip_code"),
    "a field of an answer may be missing": lambda at: at.schema("Call")["required"].remove("sip_code"),
    "a field of an answer may be null": lambda at: at.schema("Placement")["properties"].update(
        tid={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "a field of an answer is of another type": lambda at: at.field("Call", "attempts").update(type="number"),
    "a word of an answer is new": lambda at: at.schema("State")["enum"].append("ringing"),
    "a status is new": lambda at: at.schema("Status")["enum"].append("unknown"),
    "a reason is new": lambda at: at.schema("Reason")["enum"].append("bored"),
    "words of an answer are any words": lambda at: at.schema("DeliveryState").pop("enum"),
    "a field of an answer may be longer": lambda at: at.field("Delivery", "tries").update(maxItems=100),
    "a field of the callback is gone": lambda at: at.schema("Outcome")["properties"].pop("price"),
    "a field of the callback may be missing": lambda at: at.schema("Outcome")["required"].remove("reason"),
    "an answer is of another kind": lambda at: at.call()["responses"]["200"]["content"]["application/json"][
        "schema"
    ].update(anyOf=[{"type": "array", "items": {"$ref": "#/components/schemas/Placement"}}]),
    "the callback has another media type": lambda at: at.outcome()["requestBody"]["content"].popitem(),
}

ADDITIONS: Final[Mapping[str, Change]] = {
    "nothing": lambda at: at,
    "a route": lambda at: at.document["paths"].update({"/calls": copy.deepcopy(at.document["paths"]["/"])}),
    "a status": lambda at: at.call()["responses"].update({"418": copy.deepcopy(at.call()["responses"]["409"])}),
    "a code": lambda at: at.call()["responses"]["409"]["content"]["application/problem+json"]["examples"].update(
        {"in_quarantine": {}}
    ),
    "an optional header": lambda at: at.call()["parameters"].append(
        {"name": "X", "in": "header", "schema": {"type": "string"}}
    ),
    "a header of an answer": lambda at: at.call()["responses"]["200"]["headers"].update(
        {"Deprecation": {"schema": {"type": "string"}}}
    ),
    "a way to authenticate": lambda at: at.call()["security"].append({"mutualTLS": []}),
    "an optional field of the request": lambda at: at.schema("CallRequest")["properties"].update(
        recording={"type": "boolean", "default": False}
    ),
    "a field of the request is optional": lambda at: at.schema("CallRequest")["required"].remove("from"),
    "a field of the request may be longer": lambda at: at.field("CallRequest", "text").update(maxLength=3000),
    "a field of the request has no pattern": lambda at: at.field("CallRequest", "to").pop("pattern"),
    "a field of the request may be null": lambda at: at.schema("CallRequest")["properties"].update(
        language={"anyOf": [at.field("CallRequest", "language"), {"type": "null"}]}
    ),
    "a word of the request": lambda at: at.schema("MachineDetection")["enum"].append("beep"),
    "a field of an answer": lambda at: at.schema("Call")["properties"].update(cost={"type": "string"}),
    "a field of the callback": lambda at: at.schema("Outcome")["properties"].update(cost={"type": "string"}),
    "a field of an answer is always there": lambda at: at.schema("About")["required"].append("commit"),
    "a field of a webhook of Vonage's": lambda at: at.schema("Event")["properties"].update(mood={"type": "string"}),
    "a description": lambda at: at.call().update(description="Another one.", deprecated=True),
}


@pytest.mark.parametrize("change", BREAKS)
def test_a_break_is_found(change: str) -> None:
    later = copy.deepcopy(openapi())
    BREAKS[change](Place(later))

    assert len(broken(openapi(), later)) >= 1


@pytest.mark.parametrize("change", ADDITIONS)
def test_an_addition_breaks_nothing(change: str) -> None:
    later = copy.deepcopy(openapi())
    ADDITIONS[change](Place(later))

    assert broken(openapi(), later) == []


def test_the_kept_files_are_json_that_people_can_read() -> None:
    for path in RELEASED.glob("*/*.json"):
        assert path.read_text(encoding="utf-8").count("\n") > 20
        assert json.loads(path.read_text(encoding="utf-8"))
