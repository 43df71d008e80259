"""Whose turn it is in a sweep: due calls wait in lanes, one for each application and host, and share the threads.

A host begins with two tries at a time. Each success lets it have one more, each failure half as many, so that one that
is well drains as fast as it can take it, and one that is not gets little. Beyond that, nobody holds more than half of
the threads while others wait: no application, whatever names and ports its callbacks have, and no machine on all its
ports.
"""

from __future__ import annotations

import bisect
import logging
import math
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ttsprompt.domain.model import Phase
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.net.callback_url import parse_callback_url
from ttsprompt.ports import CallStore, Clock, DueCall, Stored

log = logging.getLogger(__name__)

BUDGET_S: Final = 45.0
"""No call is begun after this; with a last try of 15 s the sweep is over well before its time-out of 120 s."""

PAGE_SIZE: Final = 500
MAX_FAILED_PAGES: Final = 3
"""After so many the sweep works off what it has read."""

MAX_QUEUED: Final = 10_000
"""Calls held in memory while their hosts are busy. To read on, the longest lane lets go of its newest."""

FIRST_TRIES: Final = 2
MOST_TRIES: Final = 16
"""At one host at the same time."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True, eq=False)
class Host:
    """One port of one machine, and what is known of it. On another port another server listens, which may be well.

    Calls that are not to be delivered yet, or whose URL makes no sense, are at the host without a `machine`, which has
    a place for everybody.
    """

    machine: str | None
    limit: int = FIRST_TRIES
    running: int = 0

    @property
    def has_place(self) -> bool:
        """Whether the host may have one more try now."""
        return self.machine is None or self.running < self.limit

    @property
    def sharer(self) -> str:
        """The machine, as one that threads are charged to beside applications."""
        return f"//{self.machine}"

    def learn(self, *, success: bool) -> None:
        """Let the host have more tries at once after a success, and fewer after a failure."""
        self.limit = min(self.limit + 1, MOST_TRIES) if success else max(self.limit // 2, 1)


@dataclass(slots=True, eq=False)
class Lane:
    """The calls of one application whose callbacks go to one host, the oldest first.

    Of one application, so that none waits behind another's that has had its share.
    """

    host: Host
    application: str
    number: int
    waiting: deque[Item] = field(default_factory=deque)

    @property
    def sharers(self) -> tuple[str, ...]:
        """Who is charged for a thread that works on one of them: the application, and the machine."""
        return (self.application,) if self.host.machine is None else (self.application, self.host.sharer)


@dataclass(slots=True, eq=False)
class Item:
    """A due call, in its lane.

    One that this sweep has `settled` waits for its host without a claim: its settlement has set a later date.
    """

    due: DueCall
    lane: Lane
    settled: bool = False
    has_place: bool = False


class Agenda:
    """What is still to be done, for several threads.

    Calls that wait do not keep others from being read: one dead host with hundreds of deliveries would otherwise fill
    every page.
    """

    def __init__(self, store: CallStore, clock: Clock, threads: int) -> None:
        self._store, self._clock = store, clock
        self._share = max(threads // 2, 1)
        self._began = clock.monotonic()
        self._hosts: dict[str, Host] = {}
        self._anywhere = Host(None)
        self._lanes: dict[tuple[Host, str], Lane] = {}
        self._by_age: list[tuple[datetime, int, Lane]] = []
        """The lanes in which calls wait, by the date of their first; sorted at all times."""
        self._held: Counter[str] = Counter()
        """How many threads work for each sharer."""
        self._waiting: Counter[str] = Counter()
        """How many calls of each sharer wait."""
        self._queued = self._working = 0
        self._let_go: Counter[bool] = Counter()
        """How many calls were settled, or not, when there was no room for them."""
        self._last: DueCall | None = None
        self._all_read = self._reading = False
        self._changed = threading.Condition()
        self.failed_pages = 0

    def read_page(self) -> None:
        """Read the next page of due calls.

        Raises:
            StoreUnavailableError: it could not be read.
        """
        page = self._store.due(self._clock.now(), PAGE_SIZE, after=self._last)
        with self._changed:
            self._all_read = len(page) < PAGE_SIZE
            self._last = page[-1] if page else self._last
            for due in page:
                is_settled = due.stored is not None and due.stored.call.phase is Phase.SETTLED
                self._queue(Item(due, self._lane(due.stored, to_host=is_settled)))

    def take(self) -> Item | None:
        """Return the call whose turn it is, waiting for one if need be; None when the sweep is over."""
        with self._changed:
            while self._clock.monotonic() - self._began < BUDGET_S:
                lane = self._next_lane()
                if lane is not None:
                    return self._begin(lane)
                if not self._all_read and not self._reading:
                    self._read_on()
                elif self._queued or self._working or self._reading:
                    self._changed.wait(timeout=1)
                else:
                    return None
            return None

    def enter(self, item: Item, settled: Stored) -> bool:
        """Go on to the host of a call that was just settled; if there is no place, the call waits its turn."""
        with self._changed:
            moved = Item(
                DueCall(item.due.tid, item.due.due_at, settled), self._lane(settled, to_host=True), settled=True
            )
            self._release(item)
            may_go_on = moved.lane.host.has_place and not self._is_unfair(moved.lane)
            if may_go_on:
                item.due, item.lane = moved.due, moved.lane
            else:
                self._queue(moved)
            self._hold(item)
            return may_go_on

    def tried(self, item: Item, *, success: bool) -> None:
        """Free the place at the host: the try is over, though not recorded yet."""
        with self._changed:
            item.lane.host.learn(success=success)
            item.lane.host.running -= 1
            item.has_place = False
            # This place, and one more if the host has earned it.
            self._changed.notify(2)

    def done(self, item: Item) -> None:
        """Free the thread, and the place if it was not."""
        with self._changed:
            self._working -= 1
            self._release(item)
            # The thread itself takes the next; all the others end if there is none.
            if self._queued or self._working:
                self._changed.notify()
            else:
                self._changed.notify_all()

    def left(self) -> tuple[int, int]:
        """Return how many calls were read but not worked on, and how many were settled but not tried."""
        items = [item for lane in self._lanes.values() for item in lane.waiting]
        settled = sum(item.settled for item in items)
        return len(items) - settled + self._let_go[False], settled + self._let_go[True]

    def _next_lane(self) -> Lane | None:
        """Return the lane whose turn it is: of the machine that holds the fewest threads, the oldest call.

        Calls that need no host come when they are older. None when there is no call that may be taken, or when it may
        only because nobody else is known to wait, and there is room to read who does.
        """
        has_room_to_read = not self._all_read and self._queued + PAGE_SIZE <= MAX_QUEUED
        anywhere: Lane | None = None
        best: Lane | None = None
        fewest = math.inf
        for _, _, lane in self._by_age:
            if not lane.host.has_place or self._is_unfair(lane, even_alone=has_room_to_read):
                continue
            if lane.host.machine is None:
                anywhere = anywhere or lane
                if best is None:
                    break
                continue
            held = self._held[lane.host.sharer]
            if held < fewest:
                best, fewest = lane, held
            if not held:
                break
        if best is None or anywhere is None:
            return best or anywhere
        return anywhere if anywhere.waiting[0].due.due_at <= best.waiting[0].due.due_at else best

    def _is_unfair(self, lane: Lane, *, even_alone: bool = False) -> bool:
        """Tell whether a sharer of the lane holds its half of the threads already, while others wait."""
        return any(
            self._held[sharer] >= self._share and (even_alone or self._queued > self._waiting[sharer])
            for sharer in lane.sharers
        )

    def _begin(self, lane: Lane) -> Item:
        item = lane.waiting.popleft()
        self._forget(item)
        del self._by_age[bisect.bisect_left(self._by_age, (item.due.due_at, lane.number))]
        self._sort_in(lane)
        self._working += 1
        self._hold(item)
        return item

    def _read_on(self) -> None:
        self._reading = True
        self._make_room()
        # The others go on meanwhile.
        self._changed.release()
        try:
            self.read_page()
        except StoreUnavailableError:
            log.error("sweep_page_failed")
            self._note_failed_page()
        except Exception:
            log.exception("sweep_page_failed")
            self._note_failed_page()
        finally:
            self._changed.acquire()
            self._reading = False
            self._changed.notify_all()

    def _note_failed_page(self) -> None:
        self.failed_pages += 1
        self._all_read = self.failed_pages >= MAX_FAILED_PAGES

    def _make_room(self) -> None:
        """Leave to a later sweep what cannot be held: a host with more due than that must not hide the others."""
        longest_first = sorted(self._lanes.values(), key=lambda lane: len(lane.waiting), reverse=True)
        for lane in longest_first:
            while len(lane.waiting) > 1 and self._queued + PAGE_SIZE > MAX_QUEUED:
                item = lane.waiting.pop()
                self._forget(item)
                self._let_go[item.settled] += 1

    def _lane(self, stored: Stored | None, *, to_host: bool) -> Lane:
        place = _machine_and_port(stored) if stored is not None and to_host else None
        host = self._anywhere if place is None else self._hosts.setdefault(f"{place[0]}:{place[1]}", Host(place[0]))
        application = "" if stored is None else stored.call.application_id
        return self._lanes.setdefault((host, application), Lane(host, application, len(self._lanes)))

    def _queue(self, item: Item) -> None:
        item.lane.waiting.append(item)
        if len(item.lane.waiting) == 1:
            self._sort_in(item.lane)
        self._queued += 1
        self._waiting.update(item.lane.sharers)

    def _sort_in(self, lane: Lane) -> None:
        if lane.waiting:
            bisect.insort(self._by_age, (lane.waiting[0].due.due_at, lane.number, lane))

    def _forget(self, item: Item) -> None:
        self._queued -= 1
        self._waiting.subtract(item.lane.sharers)

    def _hold(self, item: Item) -> None:
        item.lane.host.running += 1
        item.has_place = True
        self._held.update(item.lane.sharers)

    def _release(self, item: Item) -> None:
        if item.has_place:
            item.lane.host.running -= 1
        self._held.subtract(item.lane.sharers)


def _machine_and_port(settled: Stored) -> tuple[str, int] | None:
    """Return machine and port of the callback, None if its URL makes no sense."""
    callback = settled.call.callback
    try:
        url = None if callback is None else parse_callback_url(callback.url)
        return None if url is None else (url.host.rstrip("."), url.port or _DEFAULT_PORTS[url.scheme])
    except Exception:  # noqa: BLE001 - whatever one record holds, the others are read; who takes it up logs the fault
        return None
