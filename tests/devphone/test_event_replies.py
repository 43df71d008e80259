"""What a service may answer to an event: nothing; an NCCO to a verdict that nothing waits for (docs/vonage.md §1.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from devphone.callee.person import Person
from devphone.callee.script import Callee, PickUp, parse_callee
from devphone.happenings import Keyed, NccoRefused, Spoken
from devphone.telling import tell
from tests.devphone.line import INPUT, SERVICE, TALK, Played, ncco, play
from tests.devphone.test_person import keys, moves, take

AT_ONCE: dict[str, Any] = {"advanced_machine_detection": {"behavior": "continue", "mode": "default"}}
OTHER = {**TALK, "text": "Other words"}
SLOW = Callee(entries=parse_callee("silence,1234").entries, verdict_s=4)
"""Known for human while the first question is open."""


def on(status: str, reply: httpx.Response) -> Callable[[dict[str, Any]], httpx.Response]:
    """Return what answers events of one status, and others with 204."""
    return lambda body: reply if body.get("status") == status else httpx.Response(204)


def refused(played: Played) -> list[str]:
    return [fault for x in played.timeline.happenings() if isinstance(x, NccoRefused) for fault in x.faults]


def texts(played: Played) -> list[str]:
    return [x.text for x in played.timeline.happenings() if isinstance(x, Spoken)]


def digits(played: Played) -> list[str]:
    return [body["dtmf"]["digits"] for body in played.service.inputs()]


@pytest.mark.parametrize(
    "reply",
    [
        ncco(),
        ncco(TALK, INPUT),
        httpx.Response(200, json={}),
        httpx.Response(200, text="null"),
        httpx.Response(200, text="ok"),
        httpx.Response(200, text=" "),
        httpx.Response(202, json={"status": "taken"}),
    ],
)
def test_each_reply_to_an_event_that_is_not_empty_is_a_fault_and_nothing_of_it_is_played(reply: httpx.Response) -> None:
    played = play("1234", on_event=lambda _: reply)

    events = ["started", "ringing", "answered", "completed"]
    assert played.service.statuses() == events
    assert [next(word for word in fault.split() if word in events) for fault in refused(played)] == events
    assert all("must be empty" in fault for fault in refused(played))
    assert texts(played) == [TALK["text"]]
    assert digits(played) == ["1234"]


def test_it_is_told_as_a_fault_of_its_call() -> None:
    played = play("busy", on_event=on("busy", ncco()))
    (happening,) = [x for x in played.timeline.happenings() if isinstance(x, NccoRefused)]

    assert tell(happening).is_fault
    assert happening.call == played.leg.uuid


def test_a_reply_to_an_event_that_overtakes_is_a_fault_too() -> None:
    assert len(refused(play(Callee(PickUp.BUSY, completed_first=True), on_event=on("busy", ncco())))) == 1


def test_a_reply_to_an_error_event_is_a_fault_too() -> None:
    broken = httpx.Response(200, json=["talk"])
    played = play("1234", lambda _: broken, on_event=lambda body: httpx.Response(204) if "status" in body else ncco())

    assert "/: the reply to an error must be empty" in refused(played)[-1]


@pytest.mark.parametrize(
    "reply", [httpx.Response(200), httpx.Response(202), httpx.Response(204), httpx.Response(500, json=[])]
)
def test_no_reply_and_an_error_are_no_ncco(reply: httpx.Response) -> None:
    assert refused(play(SLOW, on_event=lambda _: reply, **AT_ONCE)) == []


def test_an_ncco_that_answers_a_verdict_nothing_waits_for_replaces_the_running_one() -> None:
    played = play(SLOW, on_event=on("human", ncco(OTHER, INPUT)), **AT_ONCE)

    assert texts(played) == [TALK["text"], "Other words"]
    assert digits(played) == ["1234"]
    assert refused(played) == []
    assert played.service.event("completed")["disconnected_by"] == "platform"


def test_an_empty_one_ends_the_call() -> None:
    played = play(SLOW, on_event=on("human", ncco()), **AT_ONCE)

    assert played.service.statuses() == ["started", "ringing", "answered", "human", "completed"]
    assert played.service.event("completed")["disconnected_by"] == "platform"
    assert played.service.event("completed")["duration"] == "4"
    assert digits(played) == []


def test_speech_that_is_replaced_breaks_off() -> None:
    long = {**TALK, "text": "x" * 14 * 100, "bargeIn": False}
    played = play(SLOW, on_event=on("human", ncco({"action": "talk", "text": "x" * 14})), ncco=[long], **AT_ONCE)

    assert played.service.event("completed")["duration"] == "5"
    assert played.leg.scene.caption == "x" * 14


def test_each_of_verdict_and_beep_may_be_answered() -> None:
    machine = replace(SLOW, pick_up=PickUp.MACHINE)
    replies = iter([ncco({**OTHER, "loop": 0, "bargeIn": False}), ncco({"action": "talk", "text": "After the beep"})])
    played = play(
        machine, on_event=lambda body: next(replies) if body["status"] == "machine" else httpx.Response(204), **AT_ONCE
    )

    assert texts(played) == [TALK["text"], "Other words", "After the beep"]


def test_it_comes_before_a_first_ncco_that_is_still_being_fetched() -> None:
    async def slow(_: dict[str, Any]) -> httpx.Response:
        await asyncio.sleep(4.5)
        return ncco(TALK, INPUT)

    fetched: dict[str, Any] = {"ncco": None, "answer_url": [f"{SERVICE}/answer"]}
    played = play(
        SLOW, slow, on_event=on("human", ncco({"action": "talk", "text": "Other words"})), **fetched, **AT_ONCE
    )

    assert texts(played)[-1] == "Other words"
    assert digits(played) == []


def test_it_comes_before_what_the_reply_to_an_input_brings_later() -> None:
    async def slow(_: dict[str, Any]) -> httpx.Response:
        await asyncio.sleep(5)
        return ncco({"action": "talk", "text": "Too late"})

    played = play(
        Callee(entries=parse_callee("1234").entries, verdict_s=6),
        slow,
        on_event=on("human", ncco(OTHER, INPUT)),
        **AT_ONCE,
    )

    assert texts(played) == [TALK["text"], "Other words"]
    assert digits(played) == ["1234", ""]


def test_after_the_end_it_replaces_nothing() -> None:
    late = Callee(entries=parse_callee("1234").entries, verdict_s=30)
    played = play(late, on_event=on("human", ncco(OTHER, INPUT)), **AT_ONCE)

    assert played.service.statuses() == ["started", "ringing", "answered", "completed", "human"]
    assert texts(played) == [TALK["text"]]


@pytest.mark.parametrize(
    "reply", [httpx.Response(200, text="ok"), httpx.Response(200, json={}), httpx.Response(201, json=[]), ncco(TALK)]
)
def test_what_is_no_ncco_is_an_error_event_and_the_call_drops(reply: httpx.Response) -> None:
    played = play(SLOW, on_event=on("human", reply), **AT_ONCE)

    assert played.service.statuses()[-3:] == ["human", "error", "completed"]
    assert played.service.event("completed")["disconnected_by"] == "platform"
    assert len(refused(played)) == 1


@pytest.mark.parametrize(
    "detection",
    [
        {"machine_detection": "continue"},
        {"advanced_machine_detection": {"behavior": "continue"}},
        {"advanced_machine_detection": {"behavior": "continue", "mode": "detect_beep"}},
    ],
)
def test_a_verdict_that_is_waited_for_takes_none(detection: dict[str, Any]) -> None:
    played = play("1234", on_event=on("human", ncco()), **detection)

    assert "reply to human must be empty" in refused(played)[0]
    assert digits(played) == ["1234"]


def test_a_person_starts_anew_when_their_question_is_replaced() -> None:
    """The verdict comes after 1.5 s."""
    hand = moves((1, Person.answer), (1, keys("12")), (1, keys("34")), (0.1, Person.hang_up))
    played = take(hand, on_event=on("human", ncco(OTHER, INPUT)), **AT_ONCE)

    assert texts(played) == [TALK["text"], "Other words"]
    assert [x.keys for x in played.timeline.happenings() if isinstance(x, Keyed)] == ["34"]
    assert played.service.event("completed")["disconnected_by"] == "user"


def test_a_person_who_leaves_after_their_question_is_replaced_keyed_nothing() -> None:
    goodbye = {"action": "talk", "text": "x" * 14 * 20}
    hand = moves((1, Person.answer), (1, keys("12")), (1, Person.hang_up))
    played = take(hand, on_event=on("human", ncco(goodbye)), **AT_ONCE)

    assert not [x for x in played.timeline.happenings() if isinstance(x, Keyed)]
    assert played.leg.scene.question is None
