"""What each request costs in Firestore RPCs, held against its budget."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from devphone.processes.emulator import Emulator
from tests.contract.conftest import firestore_watched_by
from tests.world import World, bearer, make_world, query_of
from ttsprompt.errors import UnauthenticatedError
from ttsprompt.service.authority import NO_UUID
from ttsprompt.service.sweep import Sweep

KEY = {"Idempotency-Key": "order-4711"}
READ, WRITE, QUERY = "BatchGetDocuments", "Commit", "RunQuery"


class Counting(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]  # no types
    """Counts RPCs by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def intercept_unary_unary(self, proceed: Any, details: Any, request: Any) -> Any:
        self.counts[details.method.rpartition("/")[2]] += 1
        return proceed(details, request)

    intercept_unary_stream = intercept_unary_unary


@pytest.fixture
def counted(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Counter[str]]:
    """A service on Firestore, and the count of its RPCs."""
    counting = Counting()
    store = firestore_watched_by(counting, emulator, monkeypatch)
    return make_world(tmp_path, store=store), counting.counts


def cost(counts: Counter[str], work: Callable[[], object]) -> dict[str, int]:
    counts.clear()
    work()
    return dict(counts)


def test_a_call_from_request_to_delivery(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    answer_url = ""

    def answer() -> None:
        world.webhook(answer_url, {})

    assert cost(counts, world.place) == {WRITE: 2}
    answer_url = world.input_url.replace("/input/", "/answer/")
    assert cost(counts, answer) == {READ: 1}
    for status in ("started", "ringing", "something new"):
        assert cost(counts, lambda status=status: world.event(status)) == {}  # type: ignore[misc]  # a default
    assert cost(counts, lambda: world.event("answered")) == {READ: 1, WRITE: 1}
    assert cost(counts, lambda: world.event("answered")) == {READ: 1}
    for status in ("machine", "human"):
        assert cost(counts, lambda status=status: world.event(status)) == {READ: 1, WRITE: 1}  # type: ignore[misc]  # a default
        assert cost(counts, lambda status=status: world.event(status)) == {READ: 1}  # type: ignore[misc]  # a default
    assert cost(counts, lambda: world.key("1111")) == {READ: 1, WRITE: 1}
    assert cost(counts, lambda: world.key("1111")) == {READ: 1}
    assert cost(counts, lambda: world.key("1234", world.input_url.replace("step=1", "step=2"))) == {READ: 1, WRITE: 1}
    assert cost(counts, lambda: world.event("completed", duration="5", price="1")) == {READ: 1, WRITE: 2}
    assert cost(counts, lambda: world.event("completed", duration="5", price="1")) == {READ: 1}
    assert len(world.outcomes) == 1


def test_a_wrong_token_costs_a_read(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    world.place()
    url = world.input_url.replace(query_of(world.input_url)["token"], "wrong")

    assert cost(counts, lambda: world.key("1234", url)) == {READ: 1}


def test_a_malformed_or_unauthenticated_request_costs_nothing(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted

    assert cost(counts, lambda: world.post_call({})) == {}
    assert cost(counts, lambda: world.post_call(to="x")) == {}
    assert cost(counts, lambda: world.client.post("/event/x?token=y", json={"status": "busy"})) == {}


def test_a_token_that_is_shown_first_costs_no_round_trip_to_the_store(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted

    assert cost(counts, lambda: world.post_call(bearer(world.clock) | KEY)) == {WRITE: 2}
    assert world.voice.looked_up == [NO_UUID]


def test_a_forged_token_writes_nothing(counted: tuple[World, Counter[str]]) -> None:
    """What anybody can ask for: nothing with a key, a read for a look at a call."""
    world, counts = counted
    tid, world.voice.ending = world.place(), UnauthenticatedError("no")
    forged = bearer(world.clock, jti="forged")

    assert cost(counts, lambda: world.post_call(forged | KEY)) == {}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/redeliver")):
        for which in (tid, str(uuid.uuid4()), "nonsense"):
            url = f"/call/{which}{path}"
            assert cost(counts, lambda: world.client.open(url, method=method, headers=forged)) == {READ: 1}  # noqa: B023
    assert len(world.voice.looked_up) == 10


def test_the_grace_rule_costs_one_write_more(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    world.place()
    world.event("answered")

    assert cost(counts, lambda: world.event("completed", duration="5")) == {READ: 1, WRITE: 3}


def test_a_conflict_costs_one_read_and_one_write_more(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    tid = world.place()
    update = world.store.update
    rival: list[int] = []

    def with_rival(tid: str, fn: Any, **options: Any) -> Any:
        def once(call: Any) -> Any:
            if not rival:
                rival.append(1)
                world.event("answered")
                counts.clear()
            return fn(call)

        return update(tid, once, **options)

    world.store.update = with_rival  # type: ignore[method-assign]  # a rival gets in between read and write
    world.key("1111")

    # The first read came before the rival; what is counted is the failed write, the look, and the write.
    assert dict(counts) == {WRITE: 2, READ: 1}
    assert world.call(tid).attempts_used == 1


def test_who_waits_costs_a_read_a_second(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    tid = world.place(callback=..., callback_method=...)

    assert cost(counts, lambda: world.client.get(f"/call/{tid}?wait=5", headers=bearer(world.clock))) == {READ: 6}


def test_an_erasure_costs_a_read_and_a_write(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    tid = world.place()
    world.event("busy")

    for expected in ({READ: 1, WRITE: 1}, {READ: 1}):
        assert cost(counts, lambda: world.client.post(f"/call/{tid}/erase", headers=bearer(world.clock))) == expected


def test_a_replay_costs_a_write_and_a_read(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    headers = bearer(world.clock) | KEY
    assert cost(counts, lambda: world.post_call(headers)) == {WRITE: 2}
    # The refused create, its look at who made the document, and the read of it.
    assert cost(counts, lambda: world.post_call(headers)) == {WRITE: 1, READ: 2}


def test_an_expiry_costs_two_writes(counted: tuple[World, Counter[str]]) -> None:
    world, counts = counted
    world.place()
    world.place()
    world.clock.advance(1000)
    deliveries = world.app.webhooks.deliveries
    sweep = Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=deliveries.policy, threads=1)

    assert cost(counts, sweep.run) == {QUERY: 1, WRITE: 4}
    assert cost(counts, sweep.run) == {QUERY: 1}
