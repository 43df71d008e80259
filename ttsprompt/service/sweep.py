"""The scheduled sweep: settles calls that ended without telling us, and delivers what is still due.

It may run late, twice, or twice at once, and may die anywhere: what is to be done with a call follows from its own
state, and one write under compare-and-set decides who does it.
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from ttsprompt.domain import events
from ttsprompt.domain.model import Call, DeliveryState, Phase
from ttsprompt.errors import CallNotFoundError, StoreUnavailableError, TtsPromptError
from ttsprompt.ports import Stored
from ttsprompt.service.agenda import Agenda, Item
from ttsprompt.service.delivery import Deliveries, report_settled
from ttsprompt.service.writing import CallWriter

log = logging.getLogger(__name__)

TRY_S: Final = 15.0
"""How long one try to deliver may take, by the wall clock."""

CLAIM: Final = timedelta(seconds=30)
"""For so long a claimed call is left alone by other sweeps: twice a try."""

UNREADABLE_FOR: Final = timedelta(seconds=30)
"""A record that cannot be read is left alone for this sweep: a later version of the service may have written it."""

SENSELESS_FOR: Final = timedelta(hours=1)
"""A call whose callback URL makes no sense is left alone for so long: it will make none in a minute either."""

THREADS: Final = 64
"""Most of them wait, for the store or for a receiver."""


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


def _start(thread: threading.Thread) -> bool:
    """Start a thread, if the system has one: with fewer the sweep only takes longer."""
    try:
        thread.start()
    except RuntimeError:
        log.warning("sweep_thread_not_started")
        return False
    return True


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
        agenda = Agenda(self.store, self.clock, self.threads)
        agenda.read_page()
        errors = self._purge()
        parts = [SweepReport() for _ in range(self.threads)]
        threads = [threading.Thread(target=self._work_off, args=(agenda, part)) for part in parts[1:]]
        started = [thread for thread in threads if _start(thread)]
        self._work_off(agenda, parts[0])
        for thread in started:
            thread.join()
        report = SweepReport(**{name: sum(getattr(part, name) for part in parts) for name in SweepReport().as_dict()})
        remaining, untried = agenda.left()
        report.remaining += remaining
        report.retrying += untried
        report.errors += agenda.failed_pages + errors
        log.info("sweep_done", extra={"fields": report.as_dict()})
        return report

    def _purge(self) -> int:
        """Delete what has outlived its retention; return 1 if that failed: the next sweep does it."""
        try:
            self.store.purge(self.clock.now())
        except StoreUnavailableError as error:
            log.error("purge_failed", extra={"fields": {"code": error.code}})
            return 1
        return 0

    def _work_off(self, agenda: Agenda, report: SweepReport) -> None:
        """Work on one call after the other; nothing that one of them does ends the sweep."""
        while (item := agenda.take()) is not None:
            try:
                self._work(item, agenda, report)
            except CallNotFoundError:
                pass  # deleted meanwhile: nothing is left to do
            except TtsPromptError as error:
                log.error("sweep_call_failed", extra={"fields": {"tid": item.due.tid, "code": error.code}})
                report.errors += 1
            except Exception:
                log.exception("sweep_call_failed", extra={"fields": {"tid": item.due.tid}})
                report.errors += 1
            finally:
                agenda.done(item)

    def _work(self, item: Item, agenda: Agenda, report: SweepReport) -> None:
        """Do what the call's state says: put it off, settle it, try to deliver it, or the last two."""
        stored = item.due.stored
        if stored is None:
            log.error("record_unreadable", extra={"fields": {"tid": item.due.tid}})
            self.store.quarantine(item.due, self.clock.now() + UNREADABLE_FOR)
            report.errors += 1
            return
        is_held = False
        if item.settled:
            # It has waited for its host: meanwhile it may have been erased, or have become another sweep's.
            seen, stored = stored, self.read(item.due.tid, self.deadline())
            if stored.call.due_at != seen.call.due_at:
                return
            is_held = stored.version == seen.version and self._is_held_for_a_try(stored.call)
        if stored.call.phase is not Phase.SETTLED:
            settled = self._settle(stored)
            if settled is None:
                return
            report.expired += 1
            report_settled(settled.call)
            if settled.call.callback is None or not agenda.enter(item, settled):
                return
            stored, is_held = settled, True
        if item.lane.host.machine is None:
            log.error("callback_url_senseless", extra={"fields": {"tid": item.due.tid}})
            self._claim(stored, SENSELESS_FOR)
            report.errors += 1
            return
        claimed = stored if is_held else self._claim(stored, CLAIM)
        if claimed is not None:
            self._deliver(claimed, item, agenda, report)

    def _deliver(self, claimed: Stored, item: Item, agenda: Agenda, report: SweepReport) -> None:
        tried = self.deliveries.send(claimed.call, timeout_s=TRY_S)
        if tried is None:
            report.remaining += 1
            return
        agenda.tried(item, success=tried.outcome is events.DeliveryOutcome.DELIVERED)
        match self.deliveries.note(claimed, tried):
            case DeliveryState.DELIVERED:
                report.delivered += 1
            case DeliveryState.UNDELIVERABLE:
                report.undeliverable += 1
            case _:
                report.retrying += 1

    def _settle(self, due: Stored) -> Stored | None:
        """Settle a call whose time is up, unless another sweep was faster or something happened to it."""
        if due.call.due_at is None:
            return None
        return self._apply(due, events.Overdue(due.call.due_at))

    def _is_held_for_a_try(self, call: Call) -> bool:
        """Tell whether a call that this sweep settled a while ago is still its own until a try is over."""
        until = call.delivery.under_way_until
        return until is not None and until > self.clock.now() + timedelta(seconds=TRY_S)

    def _claim(self, stored: Stored, wait: timedelta) -> Stored | None:
        """Take the call, or keep it for longer, unless another sweep was faster or something else happened to it."""
        # No two sweeps may write the same date, or each would take the other's for its own.
        until = self.clock.now() + wait + timedelta(microseconds=random.randrange(1_000_000))  # noqa: S311
        return self._apply(stored, events.Claimed(until, stored.call.due_at))

    def _apply(self, stored: Stored, event: events.Claimed | events.Overdue) -> Stored | None:
        update = self.record(stored.call.tid, event, self.deadline(), expected=stored)
        return update.stored if update.written else None
