"""The sweep: what Vonage never told is settled, what was not delivered is delivered, whatever else goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_call
from tests.fakes import FakeClock, FakeSender
from tests.records import rewrite
from tests.world import World, fields_logged, make_world, payload_of
from ttsprompt.domain.call import Transition
from ttsprompt.domain.model import Call, Delivery, DeliveryState
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.net.callback_url import parse_callback_url
from ttsprompt.ports import BUSY, CallbackRequest, CallbackResponse, Clock
from ttsprompt.service.agenda import BUDGET_S
from ttsprompt.service.delivery import Deliveries
from ttsprompt.service.sweep import CLAIM, Sweep

DAY = 86400


def sweep_of(world: World, threads: int = 1) -> Sweep:
    deliveries = world.app.webhooks.deliveries
    return Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=deliveries.policy, threads=threads)


def swept(world: World) -> dict[str, int]:
    return {name: count for name, count in sweep_of(world).run().as_dict().items() if count}


def outcome(world: World) -> tuple[str, str, str]:
    (only,) = world.outcomes
    return only["status"], only["reason"], only["attempts"]


def test_nothing_due_is_nothing_done(world: World) -> None:
    world.place()

    assert swept(world) == {}


def test_a_call_that_nobody_heard_of_again_expires_as_an_error_once(world: World) -> None:
    world.place()
    # ringing_timeout 45 + "Enter the PIN" at 4 characters a second 3.25 + input_timeout 10 + 60
    world.clock.advance(118.2)
    assert swept(world) == {}
    world.clock.advance(0.1)

    assert swept(world) == {"expired": 1, "delivered": 1}
    assert swept(world) == {}
    assert outcome(world) == ("error", "expired", "0")


def test_an_answered_call_expires_after_its_longest_length(world: World) -> None:
    tid = world.place()
    world.event("answered")
    length = world.call(tid).length_timer_s
    world.clock.advance(length + 59)
    assert swept(world) == {}
    world.clock.advance(1)

    assert swept(world) == {"expired": 1, "delivered": 1}
    assert outcome(world) == ("error", "expired", "0")


def test_a_right_pin_without_completed_is_ok(world: World) -> None:
    world.place()
    world.enter("1234")
    world.clock.advance(32.3)
    assert swept(world) == {"expired": 1, "delivered": 1}

    assert outcome(world) == ("ok", "pin_matched", "1")


def test_a_call_whose_handler_died_in_the_grace_period_is_settled(world: World) -> None:
    world.place()
    world.event("answered")

    class DiedError(BaseException):
        pass

    def die() -> None:
        raise DiedError

    world.clock.on_sleep = die
    with pytest.raises(DiedError):
        world.event("completed", duration="4", disconnected_by="user")
    assert swept(world) == {}
    world.clock.advance(3)

    assert swept(world) == {"expired": 1, "delivered": 1}
    assert outcome(world) == ("failed", "hung_up", "0")


def test_stale_after_settles_a_live_call_early(tmp_path: Path) -> None:
    world = make_world(tmp_path, STALE_AFTER="5")
    world.place()
    world.event("answered")
    world.enter("1111")
    world.clock.advance(5)

    assert swept(world) == {"expired": 1, "delivered": 1}
    assert outcome(world) == ("error", "expired", "1")


def test_events_after_an_expiry_change_nothing(world: World) -> None:
    world.place()
    world.clock.advance(1000)
    swept(world)
    assert world.event("answered").status_code == 204
    assert world.key("1234").json == []
    assert world.event("completed", duration="5").status_code == 204

    assert outcome(world) == ("error", "expired", "0")


def test_the_schedule_is_eleven_tries_in_three_point_eight_days_then_undeliverable(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)] * 99
    tid = world.place()
    world.event("busy")
    began, gaps, last = world.clock.now(), [], world.clock.now()
    while (due_at := world.call(tid).due_at) is not None:
        world.clock.current = due_at - timedelta(microseconds=1)
        assert swept(world) == {}
        world.clock.current = due_at
        gaps.append((due_at - last).total_seconds())
        last = due_at
        report = swept(world)

    assert report == {"undeliverable": 1}
    assert world.call(tid).delivery.state == "undeliverable"
    assert len(world.sender.sent) == 11
    steps = [60, 300, 1800, 7200, 14400, 28800, 43200, 57600, 86400, 86400]
    assert all(0.8 * step <= gap <= 1.2 * step for step, gap in zip(steps, gaps, strict=True))
    assert 0.8 * 3.775 * DAY <= (last - began).total_seconds() <= 1.2 * 3.775 * DAY
    assert [r.levelname for r in caplog.records if r.msg == "callback_undeliverable"] == ["ERROR"]


def test_every_try_sends_the_same_bytes_under_the_same_id(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=500), CallbackResponse(fault="timeout")]
    tid = world.place()
    world.event("busy")
    world.event("completed", duration="3", price="0.5")
    for _ in range(2):
        world.clock.advance(400)
        swept(world)

    assert len(world.sender.sent) == 3
    assert {(request.webhook_id, request.payload) for request in world.sender.sent} == {
        (tid, world.sender.sent[0].payload)
    }


@pytest.mark.parametrize(
    ("retry_after_s", "low", "high"), [(1, 60, 72), (90, 90, 90), (120, 120, 120), (9999, 120, 120), (0, 60, 72)]
)
def test_retry_after_is_honoured_within_one_to_two_steps(
    world: World, retry_after_s: float, low: float, high: float
) -> None:
    world.sender.responses = [CallbackResponse(http_status=429, retry_after_s=retry_after_s)]
    tid = world.place()
    world.event("busy")
    due_at = world.call(tid).due_at

    assert due_at is not None
    assert low <= (due_at - world.clock.now()).total_seconds() <= high


def test_a_try_of_the_sweep_gets_fifteen_seconds(world: World) -> None:
    world.place()
    world.clock.advance(1000)
    swept(world)

    assert world.sender.timeouts == [15]


def test_a_process_that_died_while_it_delivered_is_made_good(world: World) -> None:
    world.place()

    class DiedError(BaseException):
        pass

    send = world.sender.send

    def die(*_: object, **__: object) -> CallbackResponse:
        raise DiedError

    world.sender.send = die  # type: ignore[method-assign]  # the process dies while it sends
    with pytest.raises(DiedError):
        world.event("busy")
    world.sender.send = send  # type: ignore[method-assign]  # the next process
    world.clock.advance(60)

    assert swept(world) == {"delivered": 1}
    assert outcome(world) == ("error", "busy", "0")


def test_sweeps_at_once_deliver_each_call_once(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    for _ in range(40):
        world.place()
    world.clock.advance(1000)
    reports: list[dict[str, int]] = []

    def run() -> None:
        reports.append(sweep_of(world, threads=2).run().as_dict())

    in_threads(run, 4)

    # A call that one sweep settled while its host was busy is left for the next.
    while sum(report["delivered"] for report in reports) < 40:
        world.clock.advance(100)
        reports.append(sweep_of(world).run().as_dict())
    assert sum(report["expired"] for report in reports) == 40
    assert sum(report["errors"] for report in reports) == 0
    assert len({request.webhook_id for request in world.sender.sent}) == len(world.sender.sent) == 40


def test_sweeps_at_once_try_each_undelivered_callback_once(tmp_path: Path) -> None:
    """Two at most go to one host at once, so there are as many hosts as calls."""
    world = make_world(tmp_path)
    for number in range(40):
        world.sender.responses = [CallbackResponse(http_status=500)]
        world.place(callback=f"https://host{number}.example/callback")
        world.event("busy")
    world.sender.sent.clear()
    world.clock.advance(1000)

    def run() -> None:
        sweep_of(world, threads=2).run()

    in_threads(run, 4)

    assert len({request.webhook_id for request in world.sender.sent}) == len(world.sender.sent) == 40


def test_a_sweep_that_died_with_a_claim_is_made_good_after_thirty_seconds(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    world.place()
    world.event("busy")
    world.clock.advance(1000)
    (due,) = world.store.due(world.clock.now(), 10)
    assert due.stored is not None
    assert sweep_of(world)._claim(due.stored, CLAIM) is not None
    assert swept(world) == {}
    world.clock.advance(29)
    assert swept(world) == {}
    world.clock.advance(2)

    assert swept(world) == {"delivered": 1}


def test_a_sweep_that_died_after_a_settlement_is_made_good_at_the_date_that_this_has_set(world: World) -> None:
    world.place()
    world.clock.advance(1000)
    (due,) = world.store.due(world.clock.now(), 10)
    assert due.stored is not None
    assert sweep_of(world)._settle(due.stored) is not None
    assert swept(world) == {}
    world.clock.advance(60)

    assert swept(world) == {"delivered": 1}
    assert outcome(world) == ("error", "expired", "0")


def test_of_two_sweeps_that_saw_a_call_overdue_one_settles_it(world: World) -> None:
    world.place()
    world.clock.advance(1000)
    seen = [world.store.due(world.clock.now(), 10)[0].stored for _ in range(2)]

    settled = [sweep_of(world)._settle(one) for one in seen if one is not None]

    assert [one is not None for one in settled] == [True, False]


@pytest.mark.parametrize(("left_s", "is_held"), [(None, False), (-1, False), (15, False), (15.1, True)])
def test_a_call_settled_a_while_ago_is_claimed_anew_unless_a_whole_try_fits_in(
    world: World, left_s: float | None, *, is_held: bool
) -> None:
    """From the end of that time on a redelivery may be asked for, and soon it is any sweep's."""
    until = None if left_s is None else world.clock.now() + timedelta(seconds=left_s)
    call = replace(a_call(), delivery=Delivery(DeliveryState.PENDING, under_way_until=until))

    assert sweep_of(world)._is_held_for_a_try(call) is is_held


def test_the_sweep_that_settled_a_call_may_claim_it_before_its_date_and_no_other_may(world: World) -> None:
    """One that has waited for its host too long to be tried before that date."""
    world.place()
    world.clock.advance(1000)
    sweep = sweep_of(world)
    settled = sweep._settle(world.store.due(world.clock.now(), 10)[0].stored or pytest.fail("it is due"))
    assert settled is not None
    assert settled.call.due_at is not None
    world.clock.advance((settled.call.due_at - world.clock.now()).total_seconds() - 10)

    assert world.store.due(world.clock.now(), 10) == []
    claimed = sweep._claim(settled, CLAIM)
    assert claimed is not None
    assert claimed.call.due_at is not None
    assert claimed.call.due_at > settled.call.due_at
    assert sweep_of(world)._claim(settled, CLAIM) is None


def test_something_that_happens_after_the_sweep_has_read_the_call_wins(world: World) -> None:
    tid = world.place()
    world.clock.advance(1000)
    (due,) = world.store.due(world.clock.now(), 10)
    assert due.stored is not None
    world.event("answered")

    assert sweep_of(world)._settle(due.stored) is None
    assert world.call(tid).verdict is None


def test_a_record_that_cannot_be_read_is_put_off_and_the_others_are_done(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    poison, good = world.place(), world.place()
    corrupt(world, poison)
    world.clock.advance(1000)

    assert swept(world) == {"errors": 1, "expired": 1, "delivered": 1}
    assert [payload_of(request)["tid"] for request in world.sender.sent] == [good]
    assert swept(world) == {}
    assert fields_logged(caplog, "record_unreadable") == [{"tid": poison}]
    world.clock.advance(30)
    assert swept(world) == {"errors": 1}


def test_a_record_that_a_later_version_wrote_is_swept_a_minute_after_that_version_is_here(world: World) -> None:
    tid = world.place()
    word = "dreaming"
    corrupt(world, tid)
    world.clock.advance(1000)
    assert swept(world) == {"errors": 1}
    rewrite(
        world.store, tid, lambda document: document | {"state": "placed"} if document["state"] == word else document
    )
    world.clock.advance(60)

    assert swept(world) == {"expired": 1, "delivered": 1}


SENSELESS = [
    "http://[bad/x",
    "ftp://example.com/",
    "",
    "http://",
    "https://example.com/\u200b",
    "http://1.2.3.4.5/",
    "http\u017f://example.com/",
    5,
    None,
]


@pytest.mark.parametrize("url", SENSELESS)
@pytest.mark.parametrize("is_settled", [True, False])
def test_a_callback_url_that_makes_no_sense_is_put_off_and_the_others_are_done(
    world: World, url: object, *, is_settled: bool
) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    poison = world.place()
    if is_settled:
        world.event("busy")
    rewrite(world.store, poison, lambda document: document | {"callback": document["callback"] | {"url": url}})
    world.clock.advance(1)
    world.sender.sent.clear()
    world.sender.responses = []
    good = world.place()
    world.clock.advance(1000)

    report = swept(world)

    assert (report["delivered"], report["errors"]) == (1, 1)
    assert [request.webhook_id for request in world.sender.sent] == [good]
    assert swept(world) == {}
    world.clock.advance(3602)
    assert swept(world) == {"errors": 1}


def test_a_fault_of_ours_at_one_callback_url_does_not_keep_the_others_from_being_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sweep would meet it in its first page, and settle and deliver nothing any more."""
    world.sender.responses = [CallbackResponse(http_status=500), CallbackResponse(http_status=500)]
    world.place(callback="https://faulty.example/")
    world.event("busy")
    good = world.place()
    world.event("busy")
    world.clock.advance(1000)

    def faulty(url: str) -> Any:
        if "faulty" in url:
            raise ZeroDivisionError
        return parse_callback_url(url)

    monkeypatch.setattr("ttsprompt.service.agenda.parse_callback_url", faulty)
    world.sender.sent.clear()

    assert swept(world)["delivered"] >= 1
    assert good in [request.webhook_id for request in world.sender.sent]


def test_a_delivery_that_is_due_without_a_callback_is_put_off_and_the_others_are_done(world: World) -> None:
    """No version leaves such a record; it must not keep the sweep from the rest of its page."""
    world.sender.responses = [CallbackResponse(http_status=500)]
    poison = world.place()
    world.event("busy")
    rewrite(world.store, poison, lambda document: document | {"callback": None})
    good = world.place()
    world.clock.advance(1000)
    world.sender.sent.clear()

    assert swept(world) == {"errors": 1, "expired": 1, "delivered": 1}
    assert [request.webhook_id for request in world.sender.sent] == [good]


def corrupt(world: World, tid: str) -> None:
    rewrite(world.store, tid, lambda document: document | {"state": "dreaming"})


def test_a_query_that_fails_is_an_error_of_the_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(type(world.store), "due", down)

    with pytest.raises(StoreUnavailableError):
        sweep_of(world).run()


@pytest.mark.parametrize("error", [StoreUnavailableError(), AttributeError()], ids=["store", "bug"])
@pytest.mark.parametrize(("failures", "expired"), [(1, 10), (2, 10), (99, 3)])
def test_a_page_that_cannot_be_read_is_asked_for_again_and_does_not_end_the_sweep(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failures: int,
    expired: int,
    error: Exception,
) -> None:
    monkeypatch.setattr("ttsprompt.service.agenda.PAGE_SIZE", 3)
    for _ in range(10):
        world.place()
    world.clock.advance(1000)
    due, left = type(world.store).due, [failures]

    def down_for_a_while(self: object, *args: object, **options: object) -> object:
        if options["after"] is not None and left[0]:
            left[0] -= 1
            raise error
        return due(self, *args, **options)  # type: ignore[arg-type]  # passed through as it came

    monkeypatch.setattr(type(world.store), "due", down_for_a_while)

    assert swept(world) == {"expired": expired, "delivered": expired, "errors": min(failures, 3)}
    assert "sweep_page_failed" in caplog.messages


def test_a_sweep_does_with_the_threads_that_it_can_get(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError

    world.place()
    world.clock.advance(1000)
    monkeypatch.setattr(threading.Thread, "start", start)

    assert sweep_of(world, threads=8).run().delivered == 1


def test_a_write_that_fails_is_counted_and_the_sweep_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = world.place(), world.place()
    world.clock.advance(1000)
    update = type(world.store).update

    def down_for_one(self: object, tid: str, fn: Callable[[Call], Transition], **options: object) -> object:
        if tid == bad:
            raise StoreUnavailableError
        return update(self, tid, fn, **options)  # type: ignore[arg-type]  # passed through as it came

    monkeypatch.setattr(type(world.store), "update", down_for_one)

    assert swept(world) == {"errors": 1, "expired": 1, "delivered": 1}
    assert [payload_of(request)["tid"] for request in world.sender.sent] == [good]


def sweep_beside_a_dead_host(
    world: World, due_there: list[str], *, good: str = "https://good.example/callback"
) -> Sweep:
    """Return a sweep that has these deliveries to a host that hangs, and ten to another that came later."""
    for url in due_there + [good] * 10:
        if "good" in url:
            world.clock.advance(30)  # later than chance makes the others' next try
        world.sender.responses = [CallbackResponse(http_status=500)]
        world.place(callback=url)
        world.event("busy")
    world.sender.sent.clear()
    world.clock.advance(1000)
    policy = world.app.webhooks.deliveries.policy
    sender = HangingSender(world.clock, others=10)
    deliveries = Deliveries(store=world.store, sender=sender, clock=world.clock, policy=policy, random=lambda: 0.5)
    return Sweep(store=world.store, deliveries=deliveries, clock=world.clock, policy=policy, threads=4)


def most_at_once(sweep: Sweep) -> int:
    assert isinstance(sweep.deliveries.sender, HangingSender)
    return sweep.deliveries.sender.most_at_once


def test_one_dead_host_with_a_thousand_due_does_not_starve_the_others(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    sweep = sweep_beside_a_dead_host(world, ["https://dead.example/callback"] * 1000)
    report = sweep.run()

    assert report.delivered == 10
    assert most_at_once(sweep) <= 2
    # Its budget may end before it has seen all of them; none is lost for that.
    assert report.retrying <= 2 * 4
    due = world.store.due(world.clock.now() + timedelta(days=1), 2000)
    assert len(due) == 1000


def test_many_ports_of_a_dead_machine_do_not_starve_the_others(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    sweep = sweep_beside_a_dead_host(world, [f"https://dead.example:{port}/callback" for port in range(1, 151)])

    assert sweep.run().delivered == 10


def test_a_dead_host_with_more_due_than_can_be_held_does_not_hide_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ttsprompt.service.agenda.PAGE_SIZE", 5)
    monkeypatch.setattr("ttsprompt.service.agenda.MAX_QUEUED", 20)
    sweep = sweep_beside_a_dead_host(world, ["https://dead.example/callback"] * 60)
    report = sweep.run()

    assert report.delivered == 10
    assert report.retrying + report.remaining == 60
    assert most_at_once(sweep) <= 2


def test_a_host_is_the_same_however_its_url_is_spelt(world: World) -> None:
    spelt = ["https://dead.example", "https://DEAD.example:443", "https://dead.example.", "HTTPS://dead.example:"]
    sweep = sweep_beside_a_dead_host(world, [f"{origin}/callback" for origin in spelt])
    sweep.run()

    assert most_at_once(sweep) <= 2


def test_a_server_that_is_well_does_not_wait_for_a_dead_one_on_another_port(world: World) -> None:
    sweep = sweep_beside_a_dead_host(
        world, ["https://dead.example/callback"] * 4, good="https://dead.example:8443/good"
    )
    report = sweep.run()

    assert report.delivered == 10
    assert most_at_once(sweep) <= 2


class HangingSender(FakeSender):
    """All hang until those with `good` in their URL have been served, and then take their 15 s for nothing."""

    def __init__(self, clock: FakeClock, others: int) -> None:
        super().__init__(clock)
        self._all_others_served = threading.Event()
        self._others = others
        self._lock = threading.Lock()
        self._running = 0
        self.most_at_once = 0

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        assert now == self.clock.now()
        if "good" in request.url:
            with self._lock:
                self._others -= 1
                if self._others == 0:
                    self._all_others_served.set()
            return CallbackResponse(http_status=200)
        with self._lock:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        assert self._all_others_served.wait(timeout=20)
        with self._lock:
            self._running -= 1
            self.clock.advance(timeout_s)
        return CallbackResponse(fault="timeout")


def test_no_call_is_begun_after_the_budget(world: World) -> None:
    for _ in range(5):
        world.place()
    world.clock.advance(1000)
    world.sender.takes_s = BUDGET_S / 2

    assert swept(world) == {"expired": 2, "delivered": 2, "remaining": 3}


def test_more_than_a_page_is_worked_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ttsprompt.service.agenda.PAGE_SIZE", 3)
    for _ in range(10):
        world.place()
    world.clock.advance(1000)

    assert swept(world) == {"expired": 10, "delivered": 10}


def test_the_oldest_is_worked_on_first(world: World) -> None:
    tids = []
    for _ in range(5):
        tids.append(world.place())
        world.clock.advance(1)
    world.clock.advance(1000)
    swept(world)

    assert [request.webhook_id for request in world.sender.sent] == tids


def test_records_past_their_retention_are_gone(world: World) -> None:
    tid = world.place()
    world.event("busy")
    world.clock.advance(30 * DAY - 1)
    swept(world)
    assert world.call(tid).delivery.state == "delivered"
    world.clock.advance(2)
    swept(world)

    assert not [1 for due in world.store.due(world.clock.now(), 10) if due.tid == tid]
    with pytest.raises(Exception, match="No call of"):
        world.call(tid)


def in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _fits(clock: FakeClock) -> Clock:
    return clock


@pytest.mark.parametrize("schedule", ["60,300", "1,1"], ids=["due again in a minute", "due again within a try"])
def test_expired_calls_of_one_healthy_host_are_all_tried_in_one_sweep(tmp_path: Path, schedule: str) -> None:
    """They wait for their host; meanwhile the date that their settlement set holds them, or they are claimed anew."""
    world = make_world(tmp_path, CALLBACK_RETRY_SCHEDULE=schedule)
    for _ in range(40):
        world.place()
    world.clock.advance(1000)
    report = sweep_of(world, threads=8).run()

    assert (report.expired, report.delivered, report.retrying, report.remaining) == (40, 40, 0, 0)
    assert len({request.webhook_id for request in world.sender.sent}) == len(world.sender.sent) == 40


def test_a_call_that_another_sweep_took_while_it_waited_is_left_to_that_one(world: World) -> None:
    world.place()
    world.clock.advance(1000)
    sweep = sweep_of(world)
    (due,) = world.store.due(world.clock.now(), 10)
    assert due.stored is not None
    settled = sweep._settle(due.stored)
    assert settled is not None
    world.clock.advance(3600)
    assert swept(world) == {"delivered": 1}

    assert sweep._claim(settled, CLAIM) is None


BUSY_NOW = CallbackResponse(fault=BUSY)


def test_a_try_that_could_not_begin_is_none(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Eleven in a row use nothing up, not even when it would have been the last try."""
    world.sender.responses = [CallbackResponse(http_status=500)] * 10
    tid = world.place()
    world.event("busy")
    for _ in range(9):
        world.clock.advance(2 * DAY)
        assert swept(world) == {"retrying": 1}
    world.clock.advance(2 * DAY)
    before = world.call(tid)
    for _ in range(11):
        world.sender.responses = [BUSY_NOW]
        assert swept(world) == {"remaining": 1}
        delivery = world.call(tid).delivery
        assert (delivery.attempts_made, delivery.tries) == (before.delivery.attempts_made, before.delivery.tries)
        world.clock.advance(31)

    assert swept(world) == {"delivered": 1}


def test_a_webhook_whose_try_could_not_begin_leaves_it_to_the_sweep(world: World) -> None:
    world.sender.responses = [BUSY_NOW]
    tid = world.place()
    world.event("busy")

    assert world.call(tid).delivery.tries == ()
    world.clock.advance(60)
    assert swept(world) == {"delivered": 1}
