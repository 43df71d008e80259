"""The scheduled sweep: settles calls that ended without telling us, and delivers what is still due.

It may run late, twice, or twice at once, and may die anywhere: each call is claimed right before it is worked on, and
what is to be done with it follows from its own state.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from ttsprompt.domain import events
from ttsprompt.domain.model import Call, DeliveryState, Phase
from ttsprompt.errors import CallNotFoundError, StoreUnavailableError, TtsPromptError
from ttsprompt.ports import CallStore, Clock, DueCall, Stored
from ttsprompt.service.delivery import Deliveries, report_settled
from ttsprompt.service.writing import CallWriter

log = logging.getLogger(__name__)

BUDGET_S: Final = 45.0
"""No call is begun after this; with a last try of 15 s the sweep is over well before its time-out of 120 s."""

TRY_S: Final = 15.0
"""How long one try to deliver may take, by the wall clock."""

CLAIM: Final = timedelta(seconds=30)
"""For so long a claimed call is left alone by other sweeps: twice a try."""

QUARANTINE: Final = timedelta(hours=1)
PAGE_SIZE: Final = 500
MAX_QUEUED: Final = 10_000
"""Calls held in memory while their hosts are busy. To read on, the longest lane lets go of its newest."""

TRIES_PER_HOST: Final = 2
"""So that one receiver that hangs cannot take all threads."""

THREADS: Final = 32

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class SweepReport:
    """What a sweep did. `expired`: calls settled by it; `remaining`: calls seen to be due but not worked on."""

    expired: int = 0
    delivered: int = 0
    retrying: int = 0
    undeliverable: int = 0
    errors: int = 0
    remaining: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(CallWriter):
    """The use case; each `run` is one sweep."""

    deliveries: Deliveries
    threads: int = THREADS

    def run(self) -> SweepReport:
        """Work on all that is due, as far as the budget goes.

        Raises:
            StoreUnavailableError: the store could not be asked what is due.
        """
        agenda = _Agenda(self.store, self.clock)
        agenda.read_page()
        report = SweepReport()
        self._purge(report)
        lock = threading.Lock()

        def count(**counts: int) -> None:
            with lock:
                for name, number in counts.items():
                    setattr(report, name, getattr(report, name) + number)

        def work() -> None:
            while (item := agenda.take()) is not None:
                try:
                    self._work(item, agenda, count)
                except CallNotFoundError:
                    pass  # deleted meanwhile: nothing is left to do
                except TtsPromptError as error:
                    log.error("sweep_call_failed", extra={"fields": {"tid": item.due.tid, "code": error.code}})
                    count(errors=1)
                except Exception:
                    log.exception("sweep_call_failed", extra={"fields": {"tid": item.due.tid}})
                    count(errors=1)
                finally:
                    agenda.done(item)

        threads = [threading.Thread(target=work, name=f"sweep-{n}") for n in range(self.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report.remaining, untried = agenda.left()
        report.retrying += untried
        report.errors += agenda.failed_pages
        log.info("sweep_done", extra={"fields": report.as_dict()})
        return report

    def _purge(self, report: SweepReport) -> None:
        """Delete what has outlived its retention; if that fails the next sweep does it."""
        try:
            self.store.purge(self.clock.now())
        except StoreUnavailableError as error:
            log.error("purge_failed", extra={"fields": {"code": error.code}})
            report.errors += 1

    def _work(self, item: _Item, agenda: _Agenda, count: Callable[..., None]) -> None:
        due = item.due
        if due.stored is None:
            log.error("record_unreadable", extra={"fields": {"tid": due.tid}})
            self.store.quarantine(due, self.clock.now() + QUARANTINE)
            count(errors=1)
            return
        is_held = item.settled and self._is_held_for_a_try(due.stored.call)
        claimed = due.stored if is_held else self._claim(due.stored)
        if claimed is None:
            return
        if claimed.call.phase is not Phase.SETTLED:
            settled = self._settle(claimed)
            if settled is None:
                return
            count(expired=1)
            report_settled(settled.call)
            if settled.call.callback is None or not agenda.enter_host(item, settled):
                return
            claimed = settled
        state = self.deliveries.deliver(claimed, timeout_s=TRY_S)
        name = {
            DeliveryState.DELIVERED: "delivered",
            DeliveryState.PENDING: "retrying",
            DeliveryState.UNDELIVERABLE: "undeliverable",
        }[state]
        count(**{name: 1})

    def _is_held_for_a_try(self, call: Call) -> bool:
        """Tell whether a call that this sweep settled a while ago is safe from other sweeps until a try is over."""
        return call.due_at is not None and call.due_at > self.clock.now() + timedelta(seconds=TRY_S)

    def _claim(self, stored: Stored) -> Stored | None:
        """Take the call, or keep it for longer, unless another sweep was faster or something else happened to it."""
        # No two sweeps may write the same date, or each would take the other's for its own.
        until = self.clock.now() + CLAIM + timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311
        return self._apply(stored, events.Claimed(until, stored.call.due_at))

    def _settle(self, claimed: Stored) -> Stored | None:
        """Settle a call whose time is up, unless something happened to it since the claim."""
        if claimed.call.due_at is None:
            return None
        return self._apply(claimed, events.Overdue(claimed.call.due_at))

    def _apply(self, stored: Stored, event: events.Claimed | events.Overdue) -> Stored | None:
        update = self.record(stored.call.tid, event, self.deadline(), expected=stored)
        return update.stored if update.written else None


@dataclass(slots=True, eq=False)
class _Item:
    """A due call, and the host that it occupies while it is worked on.

    One that this sweep has `settled` waits for its host without a claim: its settlement has set a later date.
    """

    due: DueCall
    host: str | None
    settled: bool = False


@dataclass(slots=True, eq=False)
class _Agenda:
    """What is still to be done, for several threads: the oldest first, but at most two at once for each host.

    Calls that wait for their host do not keep others from being read: one dead host with hundreds of deliveries would
    otherwise fill every page.
    """

    store: CallStore
    clock: Clock
    failed_pages: int = 0
    _lanes: dict[str | None, deque[_Item]] = field(default_factory=dict)
    _running: Counter[str] = field(default_factory=Counter)
    _queued: int = 0
    _let_go: Counter[bool] = field(default_factory=Counter)
    """How many calls were settled, or not, when there was no room for them."""
    _working: int = 0
    _last: DueCall | None = None
    _all_read: bool = False
    _began: float = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._began = self.clock.monotonic()

    def read_page(self) -> None:
        """Read the next page of due calls."""
        page = self.store.due(self.clock.now(), PAGE_SIZE, after=self._last)
        self._all_read = len(page) < PAGE_SIZE
        self._last = page[-1] if page else self._last
        self._queued += len(page)
        for due in page:
            settled = due.stored is not None and due.stored.call.phase is Phase.SETTLED
            host = _host(due.stored.call) if due.stored is not None and settled else None
            self._lanes.setdefault(host, deque()).append(_Item(due, host))

    def take(self) -> _Item | None:
        """Return the oldest call whose host is free, waiting for one if need be; None when the sweep is over."""
        with self._changed:
            while self.clock.monotonic() - self._began < BUDGET_S:
                lane = self._best_lane()
                if lane is not None:
                    item = lane.popleft()
                    if not lane:
                        del self._lanes[item.host]
                    self._queued -= 1
                    self._working += 1
                    if item.host is not None:
                        self._running[item.host] += 1
                    return item
                if not self._all_read:
                    self._make_room()
                    self._read_next_page()
                elif not self._queued and not self._working:
                    return None
                else:
                    self._changed.wait(timeout=1)
            return None

    def enter_host(self, item: _Item, settled: Stored) -> bool:
        """Occupy a place at the host of a call that was just settled; if there is none, the call waits its turn."""
        host = _host(settled.call)
        with self._changed:
            if self._running[host] < TRIES_PER_HOST:
                self._running[host] += 1
                item.host = host
                return True
            waiting = _Item(DueCall(item.due.tid, item.due.due_at, settled), host, settled=True)
            self._lanes.setdefault(host, deque()).append(waiting)
            self._queued += 1
            return False

    def done(self, item: _Item) -> None:
        """Free the item's place at its host."""
        with self._changed:
            self._working -= 1
            if item.host is not None:
                self._running[item.host] -= 1
                if not self._running[item.host]:
                    del self._running[item.host]
            self._changed.notify_all()

    def left(self) -> tuple[int, int]:
        """Return how many calls were read but not worked on, and how many were settled but not tried."""
        items = [item for lane in self._lanes.values() for item in lane]
        settled = sum(item.settled for item in items)
        return len(items) - settled + self._let_go[False], settled + self._let_go[True]

    def _make_room(self) -> None:
        """Leave to a later sweep what cannot be held: a host with more due than that must not hide the others."""
        excess = self._queued + PAGE_SIZE - MAX_QUEUED
        if excess > 0:
            longest = max(self._lanes.values(), key=len)
            for _ in range(min(excess, len(longest))):
                self._let_go[longest.pop().settled] += 1
                self._queued -= 1

    def _read_next_page(self) -> None:
        try:
            self.read_page()
        except StoreUnavailableError:
            log.error("sweep_page_failed")
            self.failed_pages += 1
            self._all_read = True

    def _best_lane(self) -> deque[_Item] | None:
        free = [lane for host, lane in self._lanes.items() if host is None or self._running[host] < TRIES_PER_HOST]
        return min(free, key=lambda lane: lane[0].due.due_at, default=None)


def _host(call: Call) -> str:
    """Return the host and port of the callback: on another port another server listens, which may be well."""
    if call.callback is None:
        return ""
    url = urlsplit(call.callback.url)
    return f"{(url.hostname or '').rstrip('.')}:{url.port or _DEFAULT_PORTS[url.scheme]}"
