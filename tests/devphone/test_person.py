"""A person at the page takes the call: when they do what, and what the service hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from devphone.callee.person import Person
from devphone.callee.scene import Question
from devphone.callee.script import Callee, PickUp
from devphone.happenings import WebhookSent
from devphone.timeline import Timeline
from devphone.vendor.habits import Habit
from devphone.vendor.leg import Leg
from devphone.vendor.webhooks import WebhookSender
from tests.devphone.line import INPUT, TALK, Answer, Played, Service, VirtualPace, ncco, order, run_virtual

PERSON = Callee(pick_up=PickUp.PERSON)
Hand = Callable[[Leg], Coroutine[Any, Any, None]]


def take(
    hand: Hand,
    *replies: Answer,
    habits: frozenset[Habit] = frozenset(),
    on_event: Callable[[dict[str, Any]], httpx.Response] = lambda _: httpx.Response(204),
    **fields: Any,
) -> Played:
    """Live through one call that a person takes."""

    async def live() -> Played:
        service, timeline = Service(list(replies), on_event=on_event), Timeline()
        async with httpx.AsyncClient(transport=httpx.MockTransport(service.handle)) as client:
            sender = WebhookSender(lambda: client)
            leg = Leg(order(**fields), "app", PERSON, VirtualPace(), sender, timeline, habits)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(leg.run())
                tasks.create_task(hand(leg))
        return Played(service, leg, timeline)

    return run_virtual(live())


def moves(*steps: tuple[float, Callable[[Person], None]]) -> Hand:
    """Return a hand that does one thing after the other, each so many seconds after the one before."""

    async def act(leg: Leg) -> None:
        assert leg.person is not None
        for wait_s, step in steps:
            await asyncio.sleep(wait_s)
            step(leg.person)

    return act


def keys(text: str) -> Callable[[Person], None]:
    def press(person: Person) -> None:
        for key in text:
            person.press(key)

    return press


def digits(played: Played) -> list[Any]:
    return [body["dtmf"]["digits"] for body in played.service.inputs()]


def test_the_call_rings_until_it_is_answered() -> None:
    played = take(moves((31, Person.answer), (5, keys("1234"))), ringing_timer=40)

    assert played.service.statuses() == ["started", "ringing", "answered", "completed"]
    assert played.service.event("completed")["disconnected_by"] == "platform"
    assert digits(played) == ["1234"]


def test_a_call_left_ringing_times_out_after_its_ringing_timer() -> None:
    played = take(moves(), ringing_timer=12)

    assert played.service.statuses() == ["started", "ringing", "timeout", "completed"]
    assert played.leg.scene.ended_s == pytest.approx(12)


def test_a_rejected_call_is_rejected_at_once() -> None:
    played = take(moves((3, Person.reject)))

    assert played.service.statuses() == ["started", "ringing", "rejected"]
    assert played.leg.scene.ended_s == pytest.approx(3)


def test_the_service_may_hang_up_a_call_that_rings() -> None:
    async def scene(leg: Leg) -> None:
        await asyncio.sleep(2)
        leg.hang_up()

    played = take(scene)

    assert played.service.statuses() == ["started", "ringing", "cancelled", "completed"]


def test_a_key_interrupts_the_speech_and_ends_it_for_the_onlooker() -> None:
    speech = TALK | {"text": "x" * 14 * 30}
    played = take(moves((1, Person.answer), (2, keys("1234"))), ncco=[speech, INPUT])

    assert played.service.time_of("/input") == pytest.approx(3)
    assert played.leg.scene.speaks_until_s == pytest.approx(3)


def test_without_barge_in_keys_during_the_speech_are_lost() -> None:
    speech = TALK | {"text": "x" * 14 * 5, "bargeIn": False}
    played = take(moves((1, Person.answer), (2, keys("9")), (4, keys("1234"))), ncco=[speech, INPUT])

    assert digits(played) == ["1234"]


def test_each_key_starts_the_timer_anew() -> None:
    played = take(moves((1, Person.answer), (9, keys("1")), (9, keys("2"))))

    assert digits(played) == ["12"]
    assert played.service.inputs()[0]["dtmf"]["timed_out"] is True
    assert played.service.time_of("/input") == pytest.approx(1 + 9 + 9 + 10)


def test_nothing_keyed_is_a_silent_try_after_speech_and_time_out() -> None:
    played = take(moves((1, Person.answer)))

    assert digits(played) == [""]
    assert played.service.time_of("/input") == pytest.approx(1 + 1 + 10)


@pytest.mark.parametrize(("habits", "sent"), [(frozenset(), "12"), (frozenset({Habit.HASH_IN_DIGITS}), "12#")])
def test_the_hash_submits(habits: frozenset[Habit], sent: str) -> None:
    played = take(moves((1, Person.answer), (2, keys("12#"))), habits=habits)

    assert digits(played) == [sent]
    assert played.service.inputs()[0]["dtmf"]["timed_out"] is False


@pytest.mark.parametrize(
    ("habits", "sent"), [(frozenset(), []), (frozenset({Habit.PARTIAL_DIGITS}), ["12"])], ids=["lost", "reported"]
)
def test_hanging_up_in_the_middle_of_an_entry(habits: frozenset[Habit], sent: list[str]) -> None:
    played = take(moves((1, Person.answer), (2, keys("12")), (1, Person.hang_up)), habits=habits)

    assert digits(played) == sent
    assert played.service.event("completed")["disconnected_by"] == "user"
    assert played.leg.scene.ended_s == pytest.approx(4)


def test_keys_on_their_way_arrive_although_the_callee_hangs_up() -> None:
    async def slow(_: dict[str, Any]) -> httpx.Response:
        await asyncio.sleep(3)
        return ncco(TALK)

    played = take(moves((1, Person.answer), (2, keys("1234")), (1, Person.hang_up)), slow)

    assert digits(played) == ["1234"]
    assert played.service.event("completed")["disconnected_by"] == "user"
    assert [x.webhook for x in played.timeline.happenings() if isinstance(x, WebhookSent)].count("input") == 1


def test_onlookers_learn_how_many_keys_there_are_and_never_which() -> None:
    seen: list[Question | None] = []

    async def scene(leg: Leg) -> None:
        await moves((1, Person.answer), (2, keys("7")), (0.1, lambda _: seen.append(leg.scene.question)))(leg)
        await moves((0, Person.hang_up))(leg)

    played = take(scene)

    assert seen == [Question(most=4, submits_on_hash=True, until_s=13.0, keyed=1)]
    assert played.leg.scene.question is None
