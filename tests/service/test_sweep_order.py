"""A sweep: who comes first, what is left for later, and that one bad call costs only itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock, FakeSender
from tests.records import rewrite
from tests.world import World, fields_logged, make_world
from ttsprompt.ports import CallbackRequest, CallbackResponse, CallbackSender, DueCall
from ttsprompt.service.delivery import Deliveries
from ttsprompt.service.sweep import Sweep, SweepReport

GIVES_UP_S = 60
"""A sweep that does not come so far within this never will."""


def sweep_of(world: World, sender: CallbackSender | None = None, threads: int = 1) -> Sweep:
    policy = world.app.webhooks.deliveries.policy
    deliveries = Deliveries(
        store=world.store, sender=sender or world.sender, clock=world.clock, policy=policy, random=lambda: 0.5
    )
    return Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=policy, threads=threads)


def counts(report: SweepReport) -> dict[str, int]:
    return {name: count for name, count in report.as_dict().items() if count}


def undelivered(world: World, *hosts: str) -> list[str]:
    """Return calls whose first try failed, each a second later than the one before."""
    tids = []
    for host in hosts:
        world.sender.responses = [CallbackResponse(http_status=500)]
        tids.append(world.place(callback=f"https://{host}.example/callback"))
        world.event("busy")
        world.clock.advance(100)  # more than the jitter of the first step
    world.sender.sent.clear()
    world.clock.advance(1000)
    return tids


def test_of_deliveries_to_several_hosts_the_one_due_first_comes_first(world: World) -> None:
    tids = undelivered(world, "b", "c", "b", "a", "c", "a")
    report = sweep_of(world).run()

    assert report.delivered == 6
    assert [request.webhook_id for request in world.sender.sent] == tids


def test_no_call_is_begun_later_than_forty_five_seconds_after_the_first(world: World) -> None:
    for _ in range(5):
        world.place()
    world.clock.advance(1000)
    world.sender.takes_s = 15

    assert counts(sweep_of(world).run()) == {"expired": 3, "delivered": 3, "remaining": 2}


def test_a_record_that_cannot_be_read_is_left_alone_by_sweeps_at_the_same_time(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    tid = world.place()
    rewrite(world.store, tid, lambda document: document | {"state": "dreaming"})
    world.clock.advance(1000)
    assert counts(sweep_of(world).run()) == {"errors": 1}
    world.clock.advance(25)
    assert counts(sweep_of(world).run()) == {}
    world.clock.advance(3600)
    assert counts(sweep_of(world).run()) == {"errors": 1}

    assert fields_logged(caplog, "record_unreadable") == [{"tid": tid}] * 2


class Faulty(FakeSender):
    """A sender with a bug that shows with one call alone."""

    bad = ""

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        if request.webhook_id == self.bad:
            raise ZeroDivisionError
        return super().send(request, now=now, timeout_s=timeout_s)


def test_a_bug_that_one_call_meets_is_logged_and_the_others_are_done(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    tids = [world.place() for _ in range(4)]
    world.clock.advance(1000)
    sender = Faulty(world.clock)
    sender.bad = tids[0]

    assert counts(sweep_of(world, sender).run()) == {"expired": 4, "delivered": 3, "errors": 1}
    assert sorted(request.webhook_id for request in sender.sent) == sorted(tids[1:])
    assert fields_logged(caplog, "sweep_call_failed") == [{"tid": tids[0]}]
    (record,) = [record for record in caplog.records if record.msg == "sweep_call_failed"]
    assert record.exc_info is not None


def test_the_outcome_of_a_call_that_a_sweep_settles_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The alerts and the dashboard count these lines."""
    caplog.set_level(logging.INFO)
    tid = world.place()
    world.clock.advance(1000)
    sweep_of(world).run()

    assert fields_logged(caplog, "call_settled") == [
        {"tid": tid, "status": "error", "reason": "expired", "attempts": 0}
    ]
    assert [(line["tid"], line["outcome"]) for line in fields_logged(caplog, "callback_tried")] == [(tid, "delivered")]
    (done,) = fields_logged(caplog, "sweep_done")
    assert (done["expired"], done["delivered"], done["errors"], done["remaining"]) == (1, 1, 0, 0)


class BlockedHost(FakeSender):
    """Holds the tries at `blocked.example` until it is let go."""

    def __init__(self, clock: FakeClock, response: CallbackResponse) -> None:
        super().__init__(clock)
        self.response = response
        self.free = threading.Event()
        self.begun = threading.Semaphore(0)
        self._lock = threading.Lock()

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        assert now == self.clock.now()
        with self._lock:
            self.sent.append(request)
            self.timeouts.append(timeout_s)
        if "blocked" not in request.url:
            return CallbackResponse(http_status=200)
        self.begun.release()
        assert self.free.wait(GIVES_UP_S)
        return self.response


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + GIVES_UP_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_call_whose_date_passes_while_it_waits_for_its_host_is_not_tried_by_two_sweeps(tmp_path: Path) -> None:
    """The first sweep settled it, and found no place at its host until another sweep had delivered it."""
    world = make_world(tmp_path, CALLBACK_RETRY_SCHEDULE="1,1")  # so that its date comes within the budget
    tids = {world.place(callback="https://blocked.example/callback") for _ in range(3)}
    world.clock.advance(1000)
    sender = BlockedHost(world.clock, CallbackResponse(http_status=200))
    first = in_thread(sweep_of(world, sender, threads=3).run)
    try:
        until(lambda: len(sender.sent) == 2 and all(world.call(tid).settled_at is not None for tid in tids))
        (waiting,) = tids - {request.webhook_id for request in sender.sent}
        world.clock.current = world.call(waiting).due_at or pytest.fail("it is due")
        sweep_of(world).run()
    finally:
        sender.free.set()
        first.join()
    tried = [request.webhook_id for request in [*sender.sent, *world.sender.sent]]

    assert tried.count(waiting) == 1


def test_a_call_that_another_sweep_tried_since_its_page_was_read_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tid,) = undelivered(world, "a")
    read = world.store.due

    def read_and_be_slow(now: datetime, limit: int, **options: Any) -> list[DueCall]:
        page = read(now, limit, **options)
        if not world.sender.sent:
            monkeypatch.setattr(world.store, "due", read)
            world.sender.responses = [CallbackResponse(http_status=500)]
            sweep_of(world).run()
        return page

    monkeypatch.setattr(world.store, "due", read_and_be_slow)
    sweep_of(world).run()

    assert [request.webhook_id for request in world.sender.sent] == [tid]
    assert world.call(tid).delivery.attempts_made == 2


def test_of_more_than_can_be_held_the_newest_are_left_for_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttsprompt.service.agenda.PAGE_SIZE", 5)
    monkeypatch.setattr("ttsprompt.service.agenda.MAX_QUEUED", 10)
    tids = undelivered(world, *["blocked"] * 30, "well")
    sender = BlockedHost(world.clock, CallbackResponse(http_status=500))
    reports: list[SweepReport] = []
    sweep = in_thread(lambda: reports.append(sweep_of(world, sender, threads=3).run()))
    try:
        # It has read every page when it serves the last.
        until(lambda: tids[-1] in {request.webhook_id for request in sender.sent})
    finally:
        sender.free.set()
        sweep.join()
    tried = {request.webhook_id for request in sender.sent} - {tids[-1]}

    assert 2 < len(tried) < 30
    assert tried == set(tids[: len(tried)])
    assert reports[0].remaining == 30 - len(tried)
