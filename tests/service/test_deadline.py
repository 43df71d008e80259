"""4 s at the store for each handler, however many steps it has there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.world import World, bearer, make_world
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.errors import VendorRefusedError

STEP_S = 1.5
KEY = {"Idempotency-Key": "k"}


class SlowStore:
    """Lets each step at the store take its time, and notes how long it was to take at most."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.allowed: list[tuple[str, float | None]] = []
        self._within = False
        for name in ("create", "get", "update", "delete"):
            patch.setattr(world.store, name, self._slow(name, getattr(world.store, name)))
        quota = world.app.callers().calls.admission.quota
        for name in ("acquire", "release"):
            patch.setattr(quota, name, self._slow(name, getattr(quota, name)))

    def _slow(self, name: str, method: Any) -> Any:
        def step(*args: Any, **options: Any) -> Any:
            if self._within:  # what the store asks of itself is no step of the handler
                return method(*args, **options)
            self.allowed.append((name, options.get("timeout_s")))
            self._within = True
            try:
                return method(*args, **options)
            finally:
                self._within = False
                self.world.clock.advance(STEP_S)

        return step


@pytest.fixture
def limited(tmp_path: Path) -> World:
    return make_world(tmp_path, MAX_CALLS_PER_NUMBER="9/600s")


def test_placing_has_four_seconds_for_all_its_steps(limited: World, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowStore(limited, monkeypatch)

    assert limited.post_call().status_code == 200
    assert slow.allowed == [("create", 4), ("acquire", 2.5), ("update", 1)]


def test_taking_back_gets_half_a_second_a_step_when_all_is_used_up(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowStore(limited, monkeypatch)
    limited.voice.error = VendorRefusedError("no", vendor_status=400)

    assert limited.post_call().status_code == 422
    assert slow.allowed == [("create", 4), ("acquire", 2.5), ("release", 1), ("delete", 0.5)]


def test_a_replay_has_four_seconds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = bearer(world.clock) | KEY
    world.post_call(headers)
    slow = SlowStore(world, monkeypatch)

    assert world.post_call(headers).status_code == 200
    assert slow.allowed == [("create", 4), ("get", 2.5), ("update", 1)]


def test_what_vonage_and_the_receiver_take_does_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tid = world.place()
    world.event("busy")
    slow = SlowStore(world, monkeypatch)
    world.voice.while_looked_up = lambda: world.clock.advance(60)
    world.sender.takes_s = 15
    response = world.client.post(f"/call/{tid}/redeliver", headers=bearer(world.clock))

    assert response.status_code == 200
    recording = slow.allowed.pop(2)
    assert recording[0] == "update"
    assert slow.allowed == [("get", 4), ("update", 2.5), ("get", 1)]


def test_a_cancellation_that_finds_the_call_ended_has_four_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid = world.place()
    world.voice.ending = CallEnded(EndStatus.BUSY)
    slow = SlowStore(world, monkeypatch)
    world.client.delete(f"/call/{tid}", headers=bearer(world.clock))

    assert slow.allowed == [("get", 4), ("update", 2.5), ("update", 1)]


def test_the_grace_period_does_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place()
    world.event("answered")
    slow = SlowStore(world, monkeypatch)
    world.event("completed", disconnected_by="user")

    assert slow.allowed[:2] == [("update", 4), ("update", 2.5)]
