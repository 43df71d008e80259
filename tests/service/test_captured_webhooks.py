"""Vonage's own samples, byte for byte through the service. Their README says how far to trust them."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.world import World, fields_logged
from ttsprompt.domain.model import Call, State
from ttsprompt.domain.verdict import Entry, Reason

DATA = Path(__file__).parents[1] / "data" / "vonage" / "webhooks"
CHANGE_NOTHING = [
    *("event-post-started.txt", "event-post-ringing.txt", "event-post-notify.txt", "event-post-transfer.txt"),
    *("Notification.json", "Transfer.json"),
]
NOT_ANSWERED = {
    "event-post-failed.txt": Reason.UNREACHABLE,
    "Busy.json": Reason.REJECTED,
    "CallStatusEvent.json": Reason.REJECTED,
    "Failed.json": Reason.REJECTED,
    "Rejected.json": Reason.REJECTED,
    "Unanswered.json": Reason.REJECTED,
}
"""The names of the `.json` files are not what is in them: `rejected`, all of them."""

ANSWERED = ["event-post-answered.txt", "Answered.json"]
KEYED = {"dtmf-post.txt": "2", "MultiInputDtmf.json": "42"}
OTHERS = {"answer-get.txt", "dtmf-get.txt", "error-get.txt", "event-post-completed.txt", "Completed.json"}
OTHERS |= {"Error.json", "HumanMachine.json"}


def posted(world: World, name: str, url: str | None = None) -> TestResponse:
    """Send a captured body as it is."""
    body = (DATA / name).read_bytes().rpartition(b"\n\n")[2] if name.endswith(".txt") else (DATA / name).read_bytes()
    path = (url or world.voice.orders[-1].event_url).removeprefix("https://calls.example.com/api")
    return world.client.post(path, data=body, content_type="application/json")


def changed_by(world: World, name: str) -> tuple[Call, Call]:
    tid = world.place()
    before = world.call(tid)
    assert posted(world, name).status_code == 204
    return before, world.call(tid)


def test_every_sample_is_tested() -> None:
    assert {path.name for path in DATA.iterdir()} == {*CHANGE_NOTHING, *NOT_ANSWERED, *ANSWERED, *KEYED, *OTHERS}


@pytest.mark.parametrize("name", CHANGE_NOTHING)
def test_what_no_outcome_needs_changes_nothing(world: World, name: str) -> None:
    before, after = changed_by(world, name)

    assert after == before


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answered_call_is_answered(world: World, name: str) -> None:
    assert changed_by(world, name)[1].state is State.ANSWERED


@pytest.mark.parametrize(("name", "reason"), NOT_ANSWERED.items(), ids=NOT_ANSWERED)
def test_a_call_that_nobody_answered_has_its_reason(world: World, name: str, reason: Reason) -> None:
    changed_by(world, name)

    assert [(outcome["status"], outcome["reason"]) for outcome in world.outcomes] == [("error", reason)]


def test_a_completed_call_has_its_duration_and_price(world: World) -> None:
    world.place()
    posted(world, "event-post-answered.txt")
    world.enter("1234")
    posted(world, "event-post-completed.txt")
    (outcome,) = world.outcomes

    assert (outcome["status"], outcome["duration"], outcome["price"]) == ("ok", "7", "0.00052500")


def test_a_machine_is_heard(world: World) -> None:
    assert [line.event for line in changed_by(world, "HumanMachine.json")[1].timeline][-1] == "machine"


def test_an_error_event_is_logged_in_vonages_words(world: World, caplog: pytest.LogCaptureFixture) -> None:
    before, after = changed_by(world, "Error.json")

    assert after == before
    assert [line["reason"] for line in fields_logged(caplog, "vonage_error_event")] == [
        "Syntax error in NCCO. Invalid value type or action."
    ]


@pytest.mark.parametrize(("name", "keys"), KEYED.items(), ids=KEYED)
def test_keys_are_judged(world: World, name: str, keys: str) -> None:
    right = world.place(pin_code=keys)
    assert posted(world, name, world.input_url).json[0]["text"] == "Thank you"  # type: ignore[index]
    wrong = world.place(pin_code=f"{keys}0")
    assert posted(world, name, world.input_url).json[0]["text"] == "Try again"  # type: ignore[index]

    assert (world.call(right).entries, world.call(wrong).entries) == ((Entry.RIGHT,), (Entry.WRONG,))


def test_a_fetched_answer_is_the_question(world: World) -> None:
    world.place()
    query = (DATA / "answer-get.txt").read_text().split()[1].partition("?")[2]
    path, _, ours = world.input_url.replace("/input/", "/answer/").partition("?")
    response = world.client.get(f"{path.removeprefix('https://calls.example.com/api')}?{ours}&{query}")

    assert response.json == world.voice.orders[-1].ncco
