"""What a sweep counts, what it learns of a host, and how few steps at the store it takes."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.fakes import FakeSender
from tests.records import keys_read, rewrite
from tests.service.test_sweep_order import counts, sweep_of
from tests.world import World, bearer, make_world
from ttsprompt.domain import timing
from ttsprompt.domain.model import DeliveryState
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import BUSY, CallbackRequest, CallbackResponse
from ttsprompt.service.agenda import BUDGET_S, Agenda
from ttsprompt.service.sweep import CLAIM, TRY_S, SweepReport


class ByHost(FakeSender):
    """A receiver that answers as its name says: its status, or that we have nothing free for it, or it meets a bug."""

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        del now, timeout_s
        self.sent.append(request)
        host = request.url.removeprefix("https://").partition(".")[0]
        if host == "bug":
            raise ZeroDivisionError
        return CallbackResponse(fault=BUSY) if host == "busy" else CallbackResponse(http_status=int(host[1:]))


def settled(world: World, host: str) -> str:
    """Return a call whose first try has failed."""
    world.sender.responses = [CallbackResponse(http_status=500)]
    tid = world.place(callback=f"https://{host}.example/callback")
    world.event("busy")
    return tid


def keys_written(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that takes the tid of each call that is written from now on."""
    tids: list[str] = []
    update = world.store.update

    def noted(tid: str, *args: Any, **options: Any) -> Any:
        tids.append(tid)
        return update(tid, *args, **options)

    monkeypatch.setattr(world.store, "update", noted)
    return tids


def test_each_end_that_a_call_comes_to_is_counted_as_often_as_it_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    down: set[str] = set()
    for number in range(2):
        for host in ("s200", "s410", "s500", "busy", "bug", "down", "torn", "senseless"):
            tid = settled(world, host)
            if host == "down":
                down.add(tid)
            if host == "torn":
                rewrite(world.store, tid, lambda document: document | {"state": "dreaming"})
            if host == "senseless":
                rewrite(world.store, tid, lambda document: document | {"callback": {"url": "http://"}})
        world.place(callback=f"https://s20{number}.example/callback")
    world.clock.advance(1000)
    update = world.store.update

    def down_for_some(tid: str, *args: Any, **options: Any) -> Any:
        if tid in down:
            raise StoreUnavailableError
        return update(tid, *args, **options)

    monkeypatch.setattr(world.store, "update", down_for_some)

    assert counts(sweep_of(world, ByHost(world.clock)).run()) == {
        "expired": 2,
        "delivered": 4,
        "retrying": 2,
        "undeliverable": 2,
        "errors": 8,
        "remaining": 2,
    }


def test_what_fails_beside_the_calls_is_added_to_the_errors(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttsprompt.service.agenda.PAGE_SIZE", 1)
    for _ in range(2):
        settled(world, "bug")
    world.clock.advance(1000)
    due, failures = world.store.due, [StoreUnavailableError()]

    def down_once(*args: Any, **options: Any) -> Any:
        if options["after"] is not None and failures:
            raise failures.pop()
        return due(*args, **options)

    def down(_: datetime) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(world.store, "due", down_once)
    monkeypatch.setattr(world.store, "purge", down)

    # Two calls, a page, and the deletion of what has outlived its retention.
    assert counts(sweep_of(world, ByHost(world.clock)).run()) == {"errors": 4}


class TwoAtOnce(FakeSender):
    """A host at which two tries last until the sweep's time is over, and until somebody has `waited` for it."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self.waited = threading.Event()

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        del now, timeout_s
        self.sent.append(request)
        assert self.waited.wait(30)
        self.clock.advance(BUDGET_S)
        return CallbackResponse(http_status=200)


def test_calls_that_a_sweep_settles_and_has_no_time_to_try_count_as_retrying(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tids = [world.place() for _ in range(4)]
    world.clock.advance(1000)
    settled_at = world.clock.now()
    sender, turned_away, lock, enter = TwoAtOnce(world), [], threading.Lock(), Agenda.enter

    def noted(*args: Any) -> bool:
        may_go_on = enter(*args)
        with lock:
            turned_away.extend([1] * (not may_go_on))
            if len(turned_away) == 2:
                sender.waited.set()
        return may_go_on

    monkeypatch.setattr(Agenda, "enter", noted)

    assert counts(sweep_of(world, sender, threads=4).run()) == {"expired": 4, "delivered": 2, "retrying": 2}

    left = [call for call in map(world.call, tids) if call.delivery.state is DeliveryState.PENDING]
    assert [(call.delivery.tries, call.due_at) for call in left] == [((), settled_at + timedelta(seconds=60))] * 2
    world.clock.advance(60)
    assert counts(sweep_of(world).run()) == {"delivered": 2}


def test_a_call_that_waits_for_its_host_is_written_when_it_settles_and_when_it_was_tried_and_read_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settlement has set a later date, which holds it without a claim."""
    tids = [world.place() for _ in range(3)]
    world.clock.advance(1000)
    writes, reads = keys_written(world, monkeypatch), keys_read(monkeypatch)
    try_the_last_one = settled_by_a_sweep(world)
    try_the_last_one()

    assert len(world.sender.sent) == 3
    assert Counter(writes) == dict.fromkeys(tids, 2)
    assert reads == [world.sender.sent[-1].webhook_id]


def settled_by_a_sweep(world: World) -> Callable[[], None]:
    """Let a sweep settle the three calls there are, and try two; return what tries the one that waits."""
    sweep, report = sweep_of(world), SweepReport()
    agenda = Agenda(world.store, world.clock, threads=64)
    agenda.read_page()
    first, second, third = (agenda.take() or pytest.fail("it is due") for _ in range(3))

    def one_more_at_the_host() -> None:
        world.sender.meanwhile = lambda: sweep._work(third, agenda, report)
        sweep._work(second, agenda, report)

    world.sender.meanwhile = one_more_at_the_host
    sweep._work(first, agenda, report)
    assert (report.expired, report.delivered) == (3, 2)
    waited = agenda.take()
    assert waited is not None
    return lambda: sweep._work(waited, agenda, report)


def one_waits_in_a_sweep(world: World) -> tuple[str, Callable[[], None]]:
    """Place three calls and let a sweep settle them and try two; return the tid of the third, and what tries it."""
    tids = {world.place() for _ in range(3)}
    world.clock.advance(1000)
    try_it = settled_by_a_sweep(world)
    (tid,) = tids - {request.webhook_id for request in world.sender.sent}
    return tid, try_it


def test_while_a_call_waits_in_a_sweep_for_its_host_no_redelivery_sends_it_beside_the_sweep(world: World) -> None:
    tid, try_it = one_waits_in_a_sweep(world)

    world.clock.advance(44)
    asked: list[TestResponse] = []
    world.sender.meanwhile = lambda: asked.append(redeliver(world, tid))
    before = redeliver(world, tid)
    try_it()

    assert [response.status_code for response in (before, *asked)] == [429, 429]
    assert before.headers["Retry-After"] == "16"
    assert len(world.sender.sent) == 3
    assert redeliver(world, tid).status_code == 200


def test_a_call_that_is_erased_while_it_waits_in_a_sweep_is_not_sent(world: World) -> None:
    tid, try_it = one_waits_in_a_sweep(world)

    assert world.client.post(f"/call/{tid}/erase", headers=bearer(world.clock)).status_code == 200
    try_it()

    assert len(world.sender.sent) == 2


def test_a_call_that_waited_too_long_for_a_whole_try_is_claimed_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, CALLBACK_RETRY_SCHEDULE="5,300,1800")
    tid, try_it = one_waits_in_a_sweep(world)
    world.clock.advance(5)
    writes = keys_written(world, monkeypatch)
    written_before: list[str] = []
    world.sender.meanwhile = lambda: written_before.extend(writes)
    try_it()

    assert (written_before, writes) == ([tid], [tid] * 2)


@pytest.mark.parametrize("is_taken", [True, False], ids=["under way", "failed"])
def test_a_call_that_became_another_sweeps_while_it_waited_is_left_to_that_one(tmp_path: Path, is_taken: bool) -> None:
    """With a schedule whose first step is short, a call is any sweep's again before it has waited 45 s."""
    world = make_world(tmp_path, CALLBACK_RETRY_SCHEDULE="5,300,1800")
    tid, try_it = one_waits_in_a_sweep(world)
    world.clock.advance(20)
    world.sender.responses = [CallbackResponse(http_status=500)]
    if is_taken:
        world.sender.meanwhile = try_it
    assert counts(sweep_of(world).run()) == {"retrying": 1}
    world.clock.advance(1)
    if not is_taken:
        try_it()

    assert [request.webhook_id for request in world.sender.sent].count(tid) == 1


def test_a_redelivery_waits_as_long_as_a_sweep_may_hold_a_call_and_try_it() -> None:
    assert timedelta(seconds=BUDGET_S + TRY_S) == timing.SWEEP


def redeliver(world: World, tid: str) -> TestResponse:
    return world.client.post(f"/call/{tid}/redeliver", headers=bearer(world.clock))


def test_a_call_that_other_sweeps_see_too_is_claimed_before_it_is_tried_and_not_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid = settled(world, "example")
    world.clock.advance(1000)
    writes, reads = keys_written(world, monkeypatch), keys_read(monkeypatch)
    written_before: list[str] = []
    world.sender.meanwhile = lambda: written_before.extend(writes)

    assert counts(sweep_of(world).run()) == {"delivered": 1}
    assert (written_before, writes) == ([tid], [tid] * 2)
    assert reads == []


@pytest.mark.parametrize(("draw", "drawn"), [(lambda _: 0, 0), (lambda end: end - 1, 999_999)], ids=["least", "most"])
def test_a_claim_lasts_thirty_seconds_and_less_than_one_more(
    world: World, monkeypatch: pytest.MonkeyPatch, draw: Callable[[int], int], drawn: int
) -> None:
    """By chance: no two sweeps may write the same date, or each would take the other's for its own."""
    tid = settled(world, "example")
    world.clock.advance(1000)
    (due,) = world.store.due(world.clock.now(), 10)
    assert due.stored is not None
    monkeypatch.setattr(random, "randrange", draw)
    assert sweep_of(world)._claim(due.stored, CLAIM) is not None

    assert world.call(tid).due_at == world.clock.now() + timedelta(seconds=30, microseconds=drawn)


@pytest.mark.parametrize(
    ("response", "at_once"),
    [
        (CallbackResponse(http_status=200), 3),
        (CallbackResponse(http_status=410), 1),
        (CallbackResponse(http_status=500), 1),
        (CallbackResponse(fault="timeout"), 1),
    ],
)
def test_a_host_may_have_more_tries_at_once_after_a_delivery_and_fewer_after_anything_else(
    world: World, response: CallbackResponse, at_once: int
) -> None:
    settled(world, "example")
    world.clock.advance(1000)
    agenda = Agenda(world.store, world.clock, threads=64)
    agenda.read_page()
    item = agenda.take()
    assert item is not None
    world.sender.responses = [response]
    sweep_of(world)._work(item, agenda, SweepReport())

    assert item.lane.host.limit == at_once
