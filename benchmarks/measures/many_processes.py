"""SQLite under four service processes at once: nobody waits long, and nobody is told that the file is locked."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client import finish_load, run_load, start_load
from benchmarks.report import Row
from benchmarks.stage import WRONG, Stage

ROUNDS = 3
PROCESSES = 4
CALLS = 40
TRIES = 10


def measure(stage: Stage, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return the p99 of `/input` with one client on each of four processes, against one client on one of them."""
    vendor = stage.stand_ins()
    first = stage.service("sqlite", vendor)
    services = [first, *(stage.service("sqlite", vendor, **first.settings) for _ in range(PROCESSES - 1))]
    pairs = []
    for _ in range(rounds):
        _, calls = stage.place(first, vendor, CALLS * (PROCESSES + 1), attempts=TRIES)
        scripts = [[call.keys(step, WRONG) for step in range(1, TRIES)] for call in calls]
        alone = run_load(first.port, scripts[:CALLS])
        # A locked file would be answered 503, which ends the run.
        loads = [
            start_load(service.port, scripts[CALLS * (i + 1) : CALLS * (i + 2)]) for i, service in enumerate(services)
        ]
        together = max(finish_load(load).percentile(0.99) for load in loads)
        pairs.append((alone.percentile(0.99) * 1000, together * 1000))
    one, four = zip(*pairs, strict=True)
    yield Row("/input p99, SQLite, 4 processes", "ms", one, four, bar=None, compared_with="1 process")
