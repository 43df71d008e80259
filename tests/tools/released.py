"""Keeps what a release promises, when a minor or major version is released.

`PYTHONPATH=client python -m tests.tools.released` writes `tests/data/released/VERSION/`, against which every later
version of the same major one is tested.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final

from devphone import pytest_plugin
from tests.builders import NOW, PIN
from tests.histories import ANSWERED, DONE, RINGING, live, typed
from ttsprompt import __version__
from ttsprompt.config import Settings, load_settings
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import (
    CancelRequested,
    DeliveryAttempted,
    DeliveryOutcome,
    EraseRequested,
    Event,
    MachineDetected,
    Placed,
    PlacementUnclear,
)
from ttsprompt.domain.model import Call, CallbackFormat, CallbackMethod, CallbackTarget, MachineDetection, Prompts
from ttsprompt.stores.codec import to_document
from ttsprompt.web.openapi import document
from ttsprompt_client import __all__ as library
from ttsprompt_client.cli import _parser as client_parser
from ttsprompt_client.exits import Exit

RELEASED: Final = Path(__file__).parents[1] / "data/released"
BASE_URL: Final = "https://calls.example.com/api"
UUID: Final = "63f61863-4a51-4f6b-86e1-46edebcf9356"


def openapi() -> dict[str, Any]:
    """Return the API's description, without what is for people alone."""
    described: dict[str, Any] = _for_programs(json.loads(json.dumps(document(BASE_URL))))
    return described


FOR_PEOPLE: Final = {"description", "summary", "title", "example"}
NAMED: Final = {"properties", "schemas", "paths", "webhooks", "responses", "headers"}
"""Parts whose keys are names, and not the description's own words."""


def _for_programs(node: Any, *, is_named: bool = False) -> Any:
    """Return a part without what is worded for people; of the examples of an answer their names are left."""
    if isinstance(node, list):
        return [_for_programs(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if is_named or key not in {*FOR_PEOPLE, "examples"}:
            kept[key] = _for_programs(value, is_named=key in NAMED and not is_named)
        elif key == "examples" and isinstance(value, dict):
            kept[key] = dict.fromkeys(value, "")
    return kept


def names() -> dict[str, Any]:
    """Return the names on which somebody relies besides the API: settings, the client's commands, the fixture."""
    settings = load_settings({})
    commands: dict[str, list[str]] = {}
    (found,) = (action for action in client_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in found.choices.items():
        commands[name] = sorted(option for action in parser._actions for option in action.option_strings)
    return {
        "settings": {
            each.name.upper(): _plain(getattr(settings, each.name)) for each in fields(Settings) if each.metadata
        },
        "client": {
            "commands": commands,
            "exit_codes": {code.name: code.value for code in Exit},
            "library": sorted(library),
        },
        "pytest": [name for name in vars(pytest_plugin) if name.startswith("ttsprompt_")],
    }


def calls() -> Iterator[tuple[str, Call]]:
    """Yield a call in each place of its life, with every kind of field that a record may have."""
    asked = Prompts("Enter the PIN", "Thank you", "Try again", "Are you there?", "de-DE", 2, premium=True)
    rich: dict[str, Any] = {
        "prompts": asked,
        "callback": CallbackTarget("https://example.com/hook?own=1", CallbackMethod.POST, CallbackFormat.JSON),
        "reference": "incident 4711",
        "machine_detection": MachineDetection.NOTICE,
        "fingerprint": "a" * 64,
        "secrets_fingerprint": "b" * 64,
        "extension": "p42",
    }
    settled = live([Placed(UUID), RINGING, ANSWERED, typed(1, "7777"), typed(2, PIN), DONE], **rich)
    yield "placing", live([], **rich)
    yield "placed unclearly", live([PlacementUnclear()])
    yield "placed", live([Placed(UUID)])
    yield "answered", live([Placed(UUID), ANSWERED, MachineDetected(), typed(1, "7777")], **rich)
    yield "decided", live([Placed(UUID), ANSWERED, typed(1, None), typed(2, PIN)])
    yield "in its grace", live([Placed(UUID), ANSWERED, DONE])
    yield "cancelled", live([Placed(UUID), CancelRequested()])
    yield "fetched", live([Placed(UUID), ANSWERED, typed(1, "9"), DONE], callback=None)
    yield "pending", settled
    yield "delivered", tried(settled, DeliveryOutcome.DELIVERED, 204, None)
    yield "undeliverable", tried(settled, DeliveryOutcome.GONE, 410, None)
    yield "erased", applied(settled, EraseRequested())
    yield "redelivered", replace(settled, redeliveries=2, redelivered_at=NOW + timedelta(days=1))


def applied(call: Call, event: Event) -> Call:
    """Return the call after an event of a minute later."""
    return apply(call, event, NOW + timedelta(minutes=1)).call


def tried(call: Call, outcome: DeliveryOutcome, http_status: int | None, fault: str | None) -> Call:
    """Return the call after a try to deliver its callback."""
    return applied(call, DeliveryAttempted(call.due_at, outcome, http_status, fault, None))


def records() -> dict[str, Any]:
    """Return the documents of those calls."""
    return {what: to_document(call) for what, call in calls()}


def to_text(value: Any) -> str:
    """Return JSON with times as the embedded store writes them."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=_time) + "\n"


def from_text(text: str) -> Any:
    """Return what `to_text` made JSON of."""
    return json.loads(text, object_hook=lambda v: datetime.fromisoformat(v["$time"]) if v.keys() == {"$time"} else v)


def _plain(value: Any) -> Any:
    """Return a setting's value as JSON has it."""
    if isinstance(value, tuple | frozenset):
        return [_plain(each) for each in (sorted(value) if isinstance(value, frozenset) else value)]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.value if isinstance(value, Enum) else value


def _time(at: datetime) -> dict[str, str]:
    return {"$time": at.astimezone(UTC).isoformat()}


def main() -> None:
    """Write the files of the present version."""
    folder = RELEASED / __version__
    folder.mkdir(parents=True)
    for name, made in {"openapi": openapi(), "names": names(), "records": records()}.items():
        (folder / f"{name}.json").write_text(to_text(made), encoding="utf-8")


if __name__ == "__main__":
    main()
