"""Who commits the settlement delivers, and nobody else; and the ending event is over in time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.world import World, bearer, fields_logged, make_world
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import CallbackResponse
from ttsprompt.service.sweep import Sweep

VONAGE_ASKS_AGAIN_S = 10


def sweep(world: World) -> None:
    deliveries = world.app.webhooks.deliveries
    Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=deliveries.policy, threads=1).run()


def test_a_repeated_ending_does_not_send_again_what_is_still_to_be_delivered(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    tid = world.place()
    for status in ("busy", "busy", "completed", "failed"):
        assert world.event(status).status_code == 204
    assert world.key("1234").json == []

    assert len(world.sender.sent) == 1
    assert world.call(tid).delivery.attempts_made == 1


def test_a_repeated_ending_does_not_send_while_the_first_try_is_under_way(world: World) -> None:
    world.place()
    world.sender.meanwhile = lambda: answers.append(world.event("busy").status_code)
    answers: list[int] = []
    world.event("busy")

    assert answers == [204]
    assert len(world.sender.sent) == 1


def test_of_two_that_wait_for_late_keys_one_delivers(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The sweep settles while the handler of the ending still waits."""
    caplog.set_level(logging.INFO)
    world.sender.responses = [CallbackResponse(http_status=500)]
    tid = world.place()
    world.event("answered")

    def the_sweep_is_faster() -> None:
        world.clock.advance(3)
        sweep(world)

    world.clock.on_sleep = the_sweep_is_faster
    world.event("completed", duration="5", disconnected_by="user")

    assert len(world.sender.sent) == 1
    assert fields_logged(caplog, "call_settled") == [
        {"tid": tid, "status": "failed", "reason": "hung_up", "attempts": 0}
    ]


def test_a_look_at_a_call_sends_nothing(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    tid = world.place()
    world.event("busy")
    world.voice.ending = CallEnded(EndStatus.COMPLETED, duration=9, price="0.01")
    for _ in range(2):
        assert world.client.get(f"/call/{tid}", headers=bearer(world.clock)).status_code == 200

    assert len(world.sender.sent) == 1


@pytest.mark.parametrize("answered", [False, True], ids=["busy", "after the grace period"])
def test_the_ending_event_is_over_before_vonage_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answered: bool
) -> None:
    """The receiver takes all the time it is given, and so does the store for what came of it."""
    world = make_world(tmp_path)
    world.place()
    if answered:
        world.event("answered")
    update, send = world.store.update, world.sender.send

    def slow_when_recording(*args: Any, **options: Any) -> Any:
        if not world.sender.sent:
            return update(*args, **options)
        world.clock.advance(options["timeout_s"])
        raise StoreUnavailableError

    def slow(*args: Any, timeout_s: float, **options: Any) -> CallbackResponse:
        world.sender.takes_s = timeout_s
        return send(*args, timeout_s=timeout_s, **options)

    monkeypatch.setattr(world.store, "update", slow_when_recording)
    monkeypatch.setattr(world.sender, "send", slow)
    began = world.clock.monotonic()
    assert world.event("completed" if answered else "busy", duration="5" if answered else "0").status_code == 204

    assert len(world.sender.sent) == 1
    assert world.clock.monotonic() - began <= 9 < VONAGE_ASKS_AGAIN_S
