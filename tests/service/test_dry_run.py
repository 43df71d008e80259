"""`dry_run`: what a request would come to, without dialling anybody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.world import APPLICATION_ID, World, bearer, json_of, make_world
from ttsprompt.errors import UnauthenticatedError, VendorUnreachableError


def dry_run(world: World, **fields: Any) -> dict[str, Any]:
    response = world.post_call({}, dry_run=True, **fields)
    assert response.status_code == 200, response.text
    assert response.json is not None
    return dict(response.json)


def test_nothing_is_dialled_or_stored_and_no_credential_is_needed(world: World) -> None:
    answer = dry_run(world)

    assert answer.keys() == {"request", "ncco", "length_timer", "stale_after", "warnings"}
    assert world.voice.orders == []
    assert world.records() == []


def test_the_request_is_said_back_as_it_is_understood_but_for_the_secrets(world: World) -> None:
    request = dry_run(world, to="+44 7970 513607", reject_code="9")["request"]

    assert (request["to"], request["attempts"], request["language"]) == ("447970513607", 3, "en-US")
    assert (request["pin_code"], request["reject_code"]) == ("hidden", "hidden")
    assert "dry_run" not in request


def test_the_ncco_is_the_one_that_would_be_played(world: World) -> None:
    answer = dry_run(world)
    world.place()

    assert [a["action"] for a in answer["ncco"]] == ["talk", "input"]
    real = world.voice.orders[-1]
    assert real.ncco is not None
    assert answer["ncco"][0] == real.ncco[0]
    assert answer["ncco"][1]["dtmf"] == real.ncco[1]["dtmf"]
    assert [same_but_for_ids(a["ncco"][1]["eventUrl"][0]) for a in (answer, {"ncco": real.ncco})] == [
        "https://calls.example.com/api/input/…?token=…&step=1"
    ] * 2
    assert re.search(r"/input/[0-9a-f-]{36}\?token=dry-run&", answer["ncco"][1]["eventUrl"][0])
    assert answer["length_timer"] == real.length_timer_s
    assert answer["stale_after"] == 118.25


def same_but_for_ids(url: str) -> str:
    return re.sub(r"(input/)[^?]+(.token=)[^&]+", r"\1…\2…", url)


@pytest.mark.shows_secrets  # some of the texts say the PIN, and texts are said back
@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"text": "Your PIN is 1234."}, "text", "contains_pin"),
        ({"text": "Key 1, 2, 3, 4 now"}, "text", "contains_pin"),
        ({"text": "<speak>1<break time='1s'/>2 - 3; 4</speak>"}, "text", "contains_pin"),
        ({"text": "Key 12.", "pin_code": "12"}, "text", "contains_pin"),
        ({"failed_text": "No, it is 1234."}, "failed_text", "contains_pin"),
        ({"silence_text": "1234, please."}, "silence_text", "contains_pin"),
        ({"machine_detection": "hangup"}, "machine_detection", "silence"),
        ({"machine_detection": "continue"}, "machine_detection", "silence"),
        ({"machine_detection": "notice"}, "machine_detection", "charged"),
        ({"language": "tlh"}, "language", "unknown_language"),
        ({"pin_code": "12345678", "input_timeout": 3}, "input_timeout", "short"),
    ],
)
def test_what_is_likely_not_meant_is_a_warning(world: World, fields: dict[str, Any], field: str, code: str) -> None:
    (warning,) = dry_run(world, **fields)["warnings"]

    assert (warning["field"], warning["code"]) == (field, code)
    assert re.fullmatch(r"[A-Z][^\n]+[a-z]\.", warning["message"])


@pytest.mark.shows_secrets  # some of the texts say the PIN, and texts are said back
@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"text": "Hello <break time='1s'/> there"}, "text", "ssml_outside_speak"),
        ({"bye_text": "Tom &amp; Jerry"}, "bye_text", "ssml_outside_speak"),
        ({"text": "Your code is 4711."}, "text", "digits_in_a_row"),
        ({"bye_text": "Call 0800 123456."}, "bye_text", "digits_in_a_row"),
        ({"bye_text": "1234 was right."}, "bye_text", "digits_in_a_row"),
    ],
)
def test_what_would_be_read_out_otherwise_than_meant_is_a_warning(
    world: World, fields: dict[str, Any], field: str, code: str
) -> None:
    (warning,) = dry_run(world, **fields)["warnings"]

    assert (warning["field"], warning["code"]) == (field, code)
    if code == "digits_in_a_row":
        assert '<say-as interpret-as="digits">' in warning["message"]


@pytest.mark.parametrize("language", ["af-ZA", "bg-BG", "de-AT", "nl-BE", "sr-RS", "EN-gb", "en-GB-WLS"])
def test_a_language_that_vonage_has_is_known(world: World, language: str) -> None:
    assert dry_run(world, language=language)["warnings"] == []


def test_a_credential_is_shown_to_vonage_all_the_same(world: World) -> None:
    def standing() -> Any:
        response = world.post_call(dry_run=True)
        assert response.status_code == 200
        return json_of(response)["credential"]

    world.voice.ending = VendorUnreachableError("not now")
    assert standing() == "unknown"
    world.voice.ending = UnauthenticatedError("no")
    assert standing() == "refused"
    world.voice.ending = None
    assert standing() == "accepted"
    assert world.voice.orders == []
    assert world.records() == []


def test_a_credential_that_cannot_be_valid_is_refused_with_its_reason(world: World) -> None:
    answer = json_of(world.post_call({"Authorization": "Bearer $VONAGE_JWT"}, dry_run=True))

    assert answer["credential"] == "refused"
    (warning,) = answer["warnings"]
    assert (warning["field"], warning["code"]) == ("Authorization", "unauthenticated")
    assert "a variable that was not filled in" in warning["message"]
    assert world.voice.looked_up == []


def test_a_key_in_the_body_is_judged_as_in_earnest(world: World) -> None:
    response = world.post_call({}, dry_run=True, private_key="nonsense", app_id=APPLICATION_ID)
    assert [error["field"] for error in json_of(response)["errors"]] == ["private_key"]

    response = world.post_call({}, dry_run=True, app_id=APPLICATION_ID)
    assert [(e["field"], e["code"]) for e in json_of(response)["errors"]] == [("private_key", "required")]


def test_an_application_that_may_not_call_is_told_so(tmp_path: Path) -> None:
    world = make_world(tmp_path, ALLOWED_APPLICATIONS="11111111-2222-3333-4444-555555555555")

    response = world.post_call(dry_run=True)
    assert (response.status_code, json_of(response)["code"]) == (403, "application_not_allowed")
    assert world.post_call({}, dry_run=True).status_code == 200


def test_telling_a_one_digit_pin_is_meant(world: World) -> None:
    assert dry_run(world, text="Press 1 to acknowledge.", pin_code="1")["warnings"] == []


def test_a_long_pin_with_the_longest_timeout_is_as_good_as_it_gets(world: World) -> None:
    assert dry_run(world, pin_code="1" * 20, input_timeout=10)["warnings"] == []
    assert [warning["code"] for warning in dry_run(world, pin_code="1" * 20, input_timeout=9)["warnings"]] == ["short"]


def test_the_rules_are_the_same(world: World) -> None:
    response = world.post_call({}, dry_run=True, to="x")

    assert response.status_code == 422


def test_an_idempotency_key_is_ignored(world: World) -> None:
    used = {"Idempotency-Key": "order-7"}
    placed = world.post_call(bearer(world.clock) | used)
    assert placed.status_code == 200

    for key in (used, {"Idempotency-Key": "k" * 300}):
        for credential in ({}, bearer(world.clock)):
            response = world.post_call(credential | key, dry_run=True)
            assert (response.status_code, "Idempotency-Replayed" in response.headers) == (200, False)
            assert response.json is not None
            assert "ncco" in response.json
            # Another body, for which the key would be a conflict.
            assert world.post_call(credential | key, dry_run=True, text="Another").status_code == 200
    assert len(world.voice.orders) == 1


@pytest.mark.parametrize("value", [False, None, ""])
def test_without_dry_run_a_credential_is_needed(world: World, value: Any) -> None:
    assert world.post_call({}, dry_run=value).status_code in {401, 422}
    assert world.voice.orders == []
