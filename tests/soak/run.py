"""One soak: calls are placed for a while, everything is killed now and then, and the promises are held to."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devphone.callee.script import Callee
from devphone.commands.load import SETTINGS, Run
from devphone.commands.load_plan import DEFAULT_MIX, parse_mix
from devphone.commands.load_report import Report
from devphone.processes.emulator import Emulator
from devphone.processes.pair import make_phone
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.tokens import make_application
from tests.soak.stack import running_stack
from tests.soak.trouble import Trouble
from ttsprompt.ports import CallStore

SPEED = 20
CONCURRENCY = 200
PATIENCE_S = 60
"""How long after the last request outcomes are waited for, beyond the age at which calls are given up.

A sweep that was killed keeps its call for 30 s, and one that looks after a killed handler's callback waits for 15.
"""


@dataclass(frozen=True)
class Soak:
    """What to do. `patient` callers try until the service can tell them for sure; others give up after some seconds."""

    seconds: float = 120
    seed: int = 1
    rate: float = 8
    stale_after_s: int = 30
    patient: bool = True


@dataclass(frozen=True)
class Result:
    """What came of it. `left`: calls in the store that still wait for something; there should be none."""

    report: Report
    troubles: dict[str, int]
    left: list[str]
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return self.report.is_good and not self.left


class PersistentRun(Run):
    """Callers who do not give up, for whom any fault may have happened to any call."""

    pauses_s: Sequence[float] = (0.5, 0.5, 1.0, 1.0, 2.0)
    passing = frozenset({"in_progress", "store_unavailable", "vendor_unreachable"})

    def report(self) -> Report:
        """Return the judgement."""
        for call in self._calls.values():
            call.touched = True
        return super().report()


class PatientRun(PersistentRun):
    """Callers who outlast the time in which the service cannot tell what became of a request."""

    pauses_s = (*PersistentRun.pauses_s, *[3.0] * 10)


def soak(wanted: Soak, emulator: Emulator | None, say: Callable[[str], None] = lambda _: None) -> Result:
    """Run it, with the embedded store if there is no emulator.

    Raises:
        StartError, RuntimeError: something did not start, or not again after it was killed.
    """
    application = make_application()
    phone = make_phone(application, Callee(), SPEED)
    options = argparse.Namespace(
        calls=max(int(wanted.seconds * wanted.rate), 1),
        concurrency=CONCURRENCY,
        rate=wanted.rate,
        mix=parse_mix(DEFAULT_MIX),
        repeat=0.1,
        seed=wanted.seed,
        faults=Faults(duplicate=0.05, reorder=0.05, drop=0.01, delay_s=0.05),
    )
    run = (PatientRun if wanted.patient else PersistentRun)(options, phone, application)
    phone.make_sender = run.sender
    settings = {**SETTINGS, "STALE_AFTER": str(wanted.stale_after_s)}
    with (
        tempfile.TemporaryDirectory(prefix="ttsprompt-soak-") as folder,
        running_stack(phone, emulator, Path(folder), settings) as stack,
    ):
        began = time.monotonic()
        with Trouble(stack, wanted.seed) as trouble:
            say(f"{options.calls} calls within {wanted.seconds:g} s, seed {wanted.seed}")
            asyncio.run(run.place_all(stack.front.url, f"{stack.board.url}/callback"))
        say("All are asked for; waiting for what is left.")
        left = _settle(run, stack.open_store(), options.calls, wanted.stale_after_s + PATIENCE_S)
        return Result(run.report(), dict(trouble.counts), left, time.monotonic() - began)


def _settle(run: Run, store: CallStore, calls: int, patience_s: float) -> list[str]:
    """Wait until every outcome is there and nothing in the store is due any more; return what is left of it."""
    deadline = time.monotonic() + patience_s
    while True:
        left = [due.tid for due in store.due(datetime.now(UTC) + timedelta(days=1), 1000)]
        if (run.outcomes() >= calls and not left) or time.monotonic() > deadline:
            return left
        time.sleep(0.2)
