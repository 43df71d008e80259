"""Redelivery of many outcomes at once, by the operator: after a receiver's outage, without customers' tokens.

A run only writes down that outcomes are to be delivered again; the sweep delivers them, at the pace that each receiver
bears. A run that was broken off may go on: what it has asked for bears a date of its own and is left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ttsprompt.domain.events import RedeliveryRequested
from ttsprompt.domain.model import Call, DeliveryState
from ttsprompt.errors import CallNotFoundError, StoreUnavailableError, TtsPromptError
from ttsprompt.net.callback_url import parse_callback_url
from ttsprompt.ports import Stored
from ttsprompt.service.writing import CallWriter

PAGE_SIZE: Final = 100
PAGE_TRIES: Final = 5
PAGE_PAUSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Selection:
    """Which outcomes: calls settled from `since` until before `until`, in one of `states`, told to `host`, or to any.

    `run` is when the run began, which is its name too: what was asked for since then is not asked for again.
    """

    run: datetime
    since: datetime
    until: datetime
    states: frozenset[DeliveryState]
    host: str | None = None

    def has(self, call: Call) -> bool:
        """Tell whether the outcome is to be told again, whatever this run has done. Erased calls have none to tell."""
        if call.settled_at is None or call.callback is None or call.payload is None:
            return False
        if not self.since <= call.settled_at < self.until or call.delivery.state not in self.states:
            return False
        if self.host is None:
            return True
        url = parse_callback_url(call.callback.url)
        return url is not None and url.host == self.host

    def has_asked_for(self, call: Call) -> bool:
        """Tell whether this run has asked for it already, or a customer has since this run began."""
        return call.redelivered_at is not None and call.redelivered_at >= self.run


class _LeftAloneError(Exception):
    """Nothing is to be written: another writer was here since the page was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivery(CallWriter):
    """The use case; each `run` is one walk through the store, or the rest of one."""

    def run(self, selection: Selection, *, dry_run: bool) -> dict[str, int]:
        """Ask for what is selected and was not asked for; return how many calls came to which end.

        `requested` (or `would_be_requested`), `requested_before` in this run, `too_soon` for the rule of once a
        minute and not beside a try, `failed` when the store did not take it, `unreadable` records, and of all `seen`.

        Raises:
            StoreUnavailableError: the next page could not be read; the run may go on later.
        """
        counts = Counter({"seen": 0, "requested": 0, "requested_before": 0, "too_soon": 0, "failed": 0})
        for tid, stored in self._all():
            counts["seen"] += 1
            if stored is None:
                counts["unreadable"] += 1
            elif selection.has(stored.call):
                counts[self._ask(tid, stored, selection, dry_run=dry_run)] += 1
        return dict(counts)

    def _all(self) -> Iterator[tuple[str, Stored | None]]:
        after = None
        while page := self._page(after):
            yield from page
            after = page[-1][0]

    def _page(self, after: str | None) -> list[tuple[str, Stored | None]]:
        for _ in range(PAGE_TRIES - 1):
            try:
                return self.store.scan(PAGE_SIZE, after=after)
            except StoreUnavailableError:
                self.clock.sleep(PAGE_PAUSE_S)
        return self.store.scan(PAGE_SIZE, after=after)

    def _ask(self, tid: str, stored: Stored, selection: Selection, *, dry_run: bool) -> str:
        """Ask for one redelivery, and return how it is counted."""
        if selection.has_asked_for(stored.call):
            return "requested_before"
        allowed_at = stored.call.redelivery_allowed_at
        if allowed_at is not None and self.clock.now() < allowed_at:
            return "too_soon"
        if dry_run:
            return "would_be_requested"
        try:
            update = self.record(
                tid, RedeliveryRequested(at_once=False), self.deadline(), expected=stored, allowed=_still(selection)
            )
        except (_LeftAloneError, CallNotFoundError):
            return "changed_meanwhile"
        except TtsPromptError:
            return "failed"
        return "requested" if update.written else "too_soon"


def _still(selection: Selection) -> Callable[[Call], None]:
    """Return what looks again at the moment of the write: a rival, or the sweep, may have been faster."""

    def check(call: Call) -> None:
        if not selection.has(call) or selection.has_asked_for(call):
            raise _LeftAloneError

    return check
