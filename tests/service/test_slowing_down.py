"""Vonage asks to slow down (429): nobody was phoned, so the same request is sent again for a short while."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fakes import FakeVoice
from tests.world import World, bearer, make_world
from ttsprompt.errors import VendorRateLimitedError, VendorRefusedError, VendorUnclearError
from ttsprompt.ports import CallOrder


def throttle(voice: FakeVoice, *asked_for_s: float | None, then: Exception | None = None) -> None:
    """Let Vonage answer 429 once for each of `asked_for_s`, its Retry-After."""
    left = list(asked_for_s)

    def next_answer(_order: CallOrder) -> None:
        voice.error = VendorRateLimitedError("slow down", asked_for_s=left.pop(0)) if left else then

    voice.meanwhile = next_answer


@pytest.mark.parametrize(("asked_for_s", "status"), [(3, 200), (3.01, 429)])
def test_three_seconds_are_waited_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_for_s: float, status: int
) -> None:
    monkeypatch.setattr(random.SystemRandom, "random", lambda _: 0.0)
    world = make_world(tmp_path)
    throttle(world.voice, asked_for_s)

    assert world.post_call().status_code == status
    assert world.clock.slept == [3] * (status == 200)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_request_that_vonage_throttles_for_a_moment_is_placed_once(world: World, times: int) -> None:
    throttle(world.voice, *[None] * times)
    tid = world.place()

    assert len(world.voice.orders) == times + 1
    assert world.voice.orders == [world.voice.orders[0]] * (times + 1)
    assert world.call(tid).state == "placed"


def test_the_pauses_double_with_jitter_and_end_after_three_seconds(world: World) -> None:
    throttle(world.voice, *[None] * 100)
    response = world.post_call()

    assert (response.status_code, (response.json or {})["code"]) == (429, "vendor_rate_limited")
    assert response.headers["Retry-After"] == "1"
    for waited, pause in zip(world.clock.slept, (0.3, 0.6, 1.2), strict=True):
        assert pause <= waited <= 1.2 * pause
    assert sum(world.clock.slept) <= 3
    assert world.records() == []


def test_requests_that_were_throttled_together_do_not_return_together(tmp_path: Path) -> None:
    waits = set()
    for number in range(5):
        world = make_world(tmp_path / str(number))
        throttle(world.voice, None)
        world.place()
        waits.add(world.clock.slept[0])

    assert len(waits) == 5


@pytest.mark.parametrize(
    ("asked_for_s", "waited_s"), [([2], [2]), ([1, 1], [1, 1]), ([0.5], [0.5]), ([0], [0.1]), ([None, 1], [0.3, 1])]
)
def test_vonages_retry_after_is_waited_for(
    world: World, asked_for_s: list[float | None], waited_s: list[float]
) -> None:
    throttle(world.voice, *asked_for_s)
    world.place()

    assert len(world.clock.slept) == len(waited_s)
    for slept, waited in zip(world.clock.slept, waited_s, strict=True):
        assert waited <= slept <= 1.2 * waited


@pytest.mark.parametrize(("asked_for_s", "told"), [(3.1, "4"), (30.5, "31"), (60, "60")])
def test_a_longer_wait_than_three_seconds_is_the_callers(world: World, asked_for_s: float, told: str) -> None:
    throttle(world.voice, asked_for_s)
    response = world.post_call()

    assert (response.status_code, response.headers["Retry-After"]) == (429, told)
    assert world.clock.slept == []
    assert len(world.voice.orders) == 1


def test_time_that_vonage_takes_for_its_answer_counts(world: World) -> None:
    throttle(world.voice, None, None)
    answer = world.voice.meanwhile
    assert answer is not None

    def slowly(order: CallOrder) -> None:
        world.clock.advance(2)
        answer(order)

    world.voice.meanwhile = slowly

    assert world.post_call().status_code == 429
    assert len(world.voice.orders) == 2


@pytest.mark.parametrize(
    ("then", "status", "records"),
    [(VendorRefusedError("no", vendor_status=400), 422, 0), (VendorUnclearError("silence"), 504, 1)],
)
def test_what_comes_after_a_pause_decides(world: World, then: Exception, status: int, records: int) -> None:
    throttle(world.voice, None, then=then)

    assert world.post_call().status_code == status
    assert len(world.voice.orders) == 2
    assert len(world.records()) == records


def test_a_call_cancelled_in_a_pause_is_hung_up_as_soon_as_it_is_placed(world: World) -> None:
    throttle(world.voice, None)

    def cancel() -> None:
        (tid,) = world.records()
        assert world.client.delete(f"/call/{tid}", headers=bearer(world.clock)).status_code == 200

    world.clock.on_sleep = cancel
    world.place()

    assert world.voice.hung_up == [world.voice.uuid]


def test_a_repeat_that_meets_the_pause_is_told_to_wait(world: World) -> None:
    headers = bearer(world.clock) | {"Idempotency-Key": "order-7"}
    throttle(world.voice, None)
    codes = []

    def repeat() -> None:
        codes.append((world.post_call(headers).json or {})["code"])

    world.clock.on_sleep = repeat
    assert world.post_call(headers).status_code == 200

    assert codes == ["in_progress"]
    assert len(world.voice.orders) == 2
