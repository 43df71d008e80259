"""Placing and cancelling: what comes before what, and what is left when it goes wrong in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeVoice
from tests.world import World, bearer, make_world, tid_of
from ttsprompt.domain.verdict import Reason
from ttsprompt.errors import StoreUnavailableError, VendorRefusedError, VendorUnclearError
from ttsprompt.service.sweep import Sweep


def cancel(world: World, tid: str) -> int:
    return world.client.delete(f"/call/{tid}", headers=bearer(world.clock)).status_code


def down(*_: object, **__: object) -> None:
    raise StoreUnavailableError


# --- placing


def right_pin(world: World) -> None:
    world.enter("1234")


def wrong_pins(world: World) -> None:
    world.enter("1", "2", "3")


def rejection(world: World) -> None:
    world.enter("9")


def machine(world: World) -> None:
    world.event("machine")


@pytest.mark.parametrize(
    ("decide", "reason"),
    [
        (right_pin, Reason.PIN_MATCHED),
        (wrong_pins, Reason.WRONG_PIN),
        (rejection, Reason.CALLEE_REJECTED),
        (machine, Reason.MACHINE),
    ],
)
def test_a_call_decided_before_vonages_answer_is_not_hung_up(
    world: World, decide: Callable[[World], None], reason: Reason
) -> None:
    """Whoever keyed the right PIN is just being told so."""
    world.voice.meanwhile = lambda _: decide(world)
    verdict = world.call(world.place(reject_code="9", machine_detection="hangup")).verdict

    assert verdict is not None
    assert verdict.reason is reason
    assert world.voice.hung_up == []


def test_a_call_cancelled_before_vonages_refusal_keeps_its_record_and_its_outcome(world: World) -> None:
    """Somebody was told that it is cancelled, and is owed the callback."""
    world.voice.meanwhile = lambda order: cancelled.append(cancel(world, tid_of(order)))
    world.voice.error = VendorRefusedError("no", vendor_status=400)
    cancelled: list[int] = []
    assert world.post_call().status_code == 422
    tid = tid_of(world.voice.orders[-1])
    world.clock.advance(1000)
    deliveries = world.app.webhooks.deliveries
    Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=deliveries.policy, threads=1).run()

    assert cancelled == [200]
    assert [(outcome["tid"], outcome["reason"]) for outcome in world.outcomes] == [(tid, "cancelled")]


def test_a_limit_that_cannot_be_asked_leaves_no_record_and_the_key_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, MAX_CALLS_PER_NUMBER="2/600s")
    headers = bearer(world.clock) | {"Idempotency-Key": "k"}
    with monkeypatch.context() as patch:
        patch.setattr(world.app.callers().calls.admission.quota, "acquire", down)
        refused = world.post_call(headers)
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (503, "store_unavailable")
    assert world.voice.orders == []
    assert world.records() == []

    again = world.post_call(headers)
    assert again.status_code == 200
    assert "Idempotency-Replayed" not in again.headers
    assert len(world.voice.orders) == 1


def test_a_call_over_its_limit_leaves_the_key_free(tmp_path: Path) -> None:
    world = make_world(tmp_path, MAX_CALLS_PER_NUMBER="1/600s")
    world.place()
    headers = bearer(world.clock) | {"Idempotency-Key": "k"}
    assert world.post_call(headers).status_code == 429
    world.clock.advance(600)
    again = world.post_call(headers)

    assert again.status_code == 200
    assert "Idempotency-Replayed" not in again.headers


def test_an_unclear_call_counts_for_its_limit_and_its_record_stays(tmp_path: Path) -> None:
    world = make_world(tmp_path, MAX_CALLS_PER_NUMBER="1/600s")
    world.voice.error = VendorUnclearError("silence")

    assert world.post_call().status_code == 504
    assert world.records() == [tid_of(world.voice.orders[-1])]
    assert world.post_call().status_code == 429


# --- cancelling


@dataclass
class WatchedVoice(FakeVoice):
    """Notes what is stored of the call while Vonage is told to hang up."""

    look: Callable[[], Any] = lambda: None
    seen: list[Any] | None = None

    def hang_up(self, uuid: str, token: str) -> int:
        self.seen = [*(self.seen or []), self.look()]
        return super().hang_up(uuid, token)


def test_the_verdict_is_stored_before_vonage_is_told_to_hang_up(tmp_path: Path) -> None:
    """A hang-up is soon followed by the event of the call's end, which would decide it otherwise."""
    voice = WatchedVoice()
    world = make_world(tmp_path, voice=voice)
    tid = world.place()
    voice.look = lambda: (world.call(tid).verdict or pytest.fail("nothing is decided yet")).reason
    assert cancel(world, tid) == 200

    assert voice.seen == [Reason.CANCELLED]


def test_a_call_ended_by_the_hang_up_itself_is_cancelled(tmp_path: Path) -> None:
    voice = WatchedVoice()
    world = make_world(tmp_path, voice=voice)
    tid = world.place()
    world.event("answered")
    voice.look = lambda: world.event("completed", duration="3", disconnected_by="platform").status_code
    assert cancel(world, tid) == 200

    assert voice.seen == [204]
    assert [outcome["reason"] for outcome in world.outcomes] == ["cancelled"]


def test_nothing_is_hung_up_when_the_verdict_cannot_be_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tid = world.place()
    with monkeypatch.context() as patch:
        patch.setattr(type(world.store), "update", down)
        assert cancel(world, tid) == 503

    assert world.voice.hung_up == []
    assert world.call(tid).verdict is None
