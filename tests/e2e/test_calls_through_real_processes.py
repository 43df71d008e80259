"""Whole calls: functions-framework in its own process, webhooks and callbacks over HTTP, both stores."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import httpx
import pytest

from devphone.happenings import CallRequested, NccoRefused, WebhookSent
from tests.e2e.conftest import Stack

SECRET_PIN = "73946182055"
WRONG_PIN = "50281937466"


@pytest.mark.parametrize(
    ("callee", "fields", "expected"),
    [
        ("1234", {}, ("ok", "pin_matched", "1")),
        ("1111,1234", {}, ("ok", "pin_matched", "2")),
        ("1111,*,1234#", {}, ("ok", "pin_matched", "2")),
        ("1,2222,3333", {}, ("failed", "wrong_pin", "3")),
        ("silence,silence", {"attempts": 2, "input_timeout": 2}, ("failed", "no_input", "2")),
        ("9", {"reject_code": "9", "input_timeout": 2}, ("failed", "callee_rejected", "1")),
        ("1111,hangup", {}, ("failed", "hung_up", "1")),
        ("12 hangup", {}, ("failed", "hung_up", "0")),
        ("1234 hangup", {}, ("ok", "pin_matched", "1")),
        ("busy", {}, ("error", "busy", "0")),
        ("no-answer", {"ringing_timeout": 10}, ("error", "no_answer", "0")),
        ("reject", {}, ("error", "rejected", "0")),
        ("cancel", {}, ("error", "cancelled", "0")),
        ("fail", {}, ("error", "unreachable", "0")),
        ("machine", {"machine_detection": "hangup"}, ("error", "machine", "0")),
    ],
)
def test_each_way_a_call_can_go_is_reported(
    stack: Stack, callee: str, fields: dict[str, object], expected: tuple[str, str, str]
) -> None:
    outcome = stack.play(callee, **fields)

    assert (outcome["status"], outcome["reason"], outcome["attempts"]) == expected


def test_a_json_callback_has_numbers_as_numbers(stack: Stack) -> None:
    outcome = stack.play("1234", callback_format="json", reference="order 7")

    assert (outcome["attempts"], outcome["reference"]) == (1, "order 7")


def test_vonage_found_nothing_to_complain_about(stack: Stack) -> None:
    stack.play("1111,1234")
    complaints = [
        x for x in stack.board.phone.timeline.happenings() if isinstance(x, CallRequested | NccoRefused) and x.faults
    ]

    assert complaints == []


def test_nothing_secret_is_in_logs_or_store_and_every_line_is_json(stack: Stack) -> None:
    requests = [stack.request(pin_code=SECRET_PIN) for _ in range(3)]
    scripts = [f"{WRONG_PIN},{SECRET_PIN}", f"{WRONG_PIN},{WRONG_PIN},{WRONG_PIN}", "busy"]
    token = stack.application.token()
    tids = []
    for request, script in zip(requests, scripts, strict=True):
        stack.script(request, script)
        response = stack.post(request, headers={"Authorization": f"Bearer {token}"})
        tids.append(response.json()["tid"])
        stack.outcome(tids[-1])
    refused = stack.request(pin_code=SECRET_PIN, private_key=stack.application.private_key, app_id="x", to="123")
    assert stack.post(refused, headers={"Authorization": ""}).status_code in {401, 422}
    assert stack.post(requests[0], headers={"Authorization": f"Bearer {token[:-8]}AAAAAAAA"}).status_code == 401

    printed = stack.service.printed()
    lines = [json.loads(line) for line in printed.splitlines()]
    kept = stored(stack.service.settings)
    webhook_tokens = [
        happening.url.partition("token=")[2].partition("&")[0]
        for happening in stack.board.phone.timeline.happenings()
        if isinstance(happening, WebhookSent)
    ]
    assert len(lines) >= 6
    assert webhook_tokens
    assert [tid for tid in tids if tid not in kept] == []
    for secret in (SECRET_PIN, WRONG_PIN, token, token.split(".")[2], "PRIVATE KEY", *webhook_tokens):
        assert secret not in printed
        assert secret not in kept
    for request in requests:
        assert request["to"] not in printed


def stored(settings: dict[str, str]) -> str:
    """Return all that the store keeps of calls."""
    if settings["CALL_STORE"] != "firestore":
        with closing(sqlite3.connect(settings["CALL_STORE"].removeprefix("sqlite:///"))) as connection, connection:
            return str(connection.execute("SELECT * FROM calls").fetchall())
    database = f"projects/{settings['GOOGLE_CLOUD_PROJECT']}/databases/(default)"
    documents = httpx.get(
        f"http://{settings['FIRESTORE_EMULATOR_HOST']}/v1/{database}/documents/{settings['FIRESTORE_COLLECTION']}",
        params={"pageSize": 300},
        headers={"Authorization": "Bearer owner"},
        trust_env=False,
    ).json()
    assert "nextPageToken" not in documents
    return str(documents)
