"""The first production hour by the pages alone: calls, callbacks, the night and the chores of a deployed service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.first_hour import hour
from tests.deploy.story import BASE_URL
from tests.deploy.test_commands import needs_gcloud
from tests.network import Network, NetworkUnavailableError
from ttsprompt import __version__

pytestmark = [needs_gcloud, pytest.mark.timeout(900)]
Seen = dict[str, Any]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    try:
        network = Network()
    except NetworkUnavailableError as error:
        pytest.skip(f"no network of its own can be made here: {error}")  # a user's kernel may forbid it; CI fails then
    try:
        yield network.run(hour)
    finally:
        network.close()


def test_nothing_was_asked_of_google_that_nobody_has_thought_about(seen: Seen) -> None:
    assert seen["unknown"] == []


def test_bootstrap_says_what_has_to_be_filled_in_before_a_deployment(seen: Seen) -> None:
    assert "ALLOWED_APPLICATIONS" in seen["bootstrap of the committed file"]
    assert "Ready" not in seen["bootstrap of the committed file"]


def test_a_deployment_ends_with_its_address_and_the_next_step(seen: Seen) -> None:
    last = seen["deploy"].strip().splitlines()[-3:]

    assert re.fullmatch(r"Deployed: [0-9a-f]{12} as prod in my-project\.", last[0])
    assert last[1] == f"It is at {BASE_URL}"
    assert f"ttsprompt doctor --url {BASE_URL}" in last[2]


def test_the_deployed_service_says_its_version_and_commit(seen: Seen) -> None:
    assert seen["about"]["version"] == __version__
    assert re.fullmatch("[0-9a-f]{12}", seen["about"]["commit"])


def test_the_doctor_finds_everything_well(seen: Seen) -> None:
    code, findings, _ = seen["doctor"]

    assert code == 0
    assert f"service: ttsprompt {__version__}" in findings
    assert "Vonage accepts it" in findings
    assert seen["about"]["callback_public_keys"][0] in findings


def test_the_first_call_rings_and_its_outcome_is_told(seen: Seen) -> None:
    progress, outcome = seen["first call"]

    assert "answered\nentry 1 wrong\nentry 2 right\n" in progress
    assert (outcome["status"], outcome["reason"], outcome["attempts"]) == ("ok", "pin_matched", 2)
    assert seen["fetched"][0] == 200
    assert seen["fetched"][1]["status"] == "ok"


def test_the_story_of_a_call_says_what_the_receiver_said(seen: Seen) -> None:
    lines = [line.split("\t")[1:] for line in seen["story"].splitlines()]

    assert ["INFO", "call_settled", "ok", "pin_matched", "", "", ""] in lines
    assert ["INFO", "callback_tried", "", "", "failed", "500", ""] in lines


def test_a_callback_that_was_refused_is_delivered_again_with_the_same_bytes_and_verifies(seen: Seen) -> None:
    status, call = seen["redelivery"]
    first, second = (request.rpartition(b"\n\n")[2] for request in seen["received"])

    assert status == 200
    assert [each["http_status"] for each in call["delivery"]["tries"]] == [500, 204]
    assert first == second
    assert seen["verified"] == [0]


def test_after_an_erasure_the_outcome_is_left_and_nothing_of_the_person(seen: Seen) -> None:
    status, call = seen["erased"]

    assert status == 200
    assert (call["to"], call["reference"], call["status"]) == (None, None, "ok")


def test_the_signing_key_is_rotated_without_a_callback_that_nobody_can_verify(seen: Seen) -> None:
    old, new = seen["both keys"]

    assert [old] == seen["about"]["callback_public_keys"]
    assert seen["verified by both"] == [0, 0]
    assert seen["new key"] == [new]
    assert seen["verified by old and new"] == [1, 0]


def test_a_rollback_brings_back_commit_and_key(seen: Seen) -> None:
    assert seen["rolled back"] == seen["about"]


def test_after_a_rollback_a_changed_setting_serves_nobody_and_stopping_everything_does_stop(seen: Seen) -> None:
    """docs/operations.md says so: traffic that is held at a revision stays there."""
    assert re.search(r"serving \S*0\S* percent of traffic", seen["stop after rollback"])
    assert seen["call after that"][1]["status"] == "ok"
    assert seen["stopped"] == "403"
