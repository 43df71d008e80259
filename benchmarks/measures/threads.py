"""Slow outsiders beside a callee: 75 requests at once, a vendor that takes 400 ms, callbacks that take 5 s."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.client import Request, finish_load, run_load, start_load
from benchmarks.report import Row
from benchmarks.stage import PIN, TRIES, Stage, key_wrongly

ROUNDS = 3
THREADS = (20, 80)
VENDOR_S = 0.4
RECEIVER_S = 5.0
PLACING = 5
"""Twelve calls a second, four times Vonage's limit by default; many more would measure what two cores carry."""

ENDING = 70
CALLS = 20
UNDER_WAY_S = 1.2
"""After that all the slow requests wait; seventy endings at one instant would be a measure of the machine."""

MOST = 2.0


def measure(stage: Stage, store: str, *, threads: tuple[int, ...] = THREADS, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return the p99 of `/input` beside 75 slow requests, against a quiet service, for each number of threads."""
    slow = stage.stand_ins(VENDOR_S, RECEIVER_S)
    for number in threads:
        is_ours = number == max(threads)
        # Too few threads show at once, and cost a quarter of a minute each time.
        pairs = [_round(stage, store, number, slow) for _ in range(rounds if is_ours else 1)]
        quiet, busy = zip(*pairs, strict=True)
        bar = MOST if is_ours else None
        name = f"/input p99 beside 75 slow, {number} threads"
        yield Row(name, "ms", quiet, busy, bar=bar, compared_with="quiet")


def _round(stage: Stage, store: str, threads: int, slow: str) -> tuple[float, float]:
    service = stage.service(store, slow, THREADS=str(threads))
    try:
        _, calls = stage.place(service, slow, 2 * CALLS, concurrency=20, attempts=TRIES)
        _, ending = stage.place(service, slow, ENDING, concurrency=20, callback=f"{slow}/callback")
        run_load(service.port, [[call.event("answered"), call.keys(1, PIN)] for call in ending], concurrency=4)
        quiet = key_wrongly(service, calls[:CALLS])
        loads = [
            start_load(service.port, [[call.event("completed", duration="9")] for call in ending], concurrency=ENDING),
            # Nor do callers come in step.
            start_load(service.port, _placements(stage, slow), concurrency=PLACING, spread_s=VENDOR_S),
        ]
        time.sleep(UNDER_WAY_S)
        busy = key_wrongly(service, calls[CALLS:])
        for load in loads:
            finish_load(load)
    finally:
        service.stop()
    return quiet.percentile(0.99) * 1000, busy.percentile(0.99) * 1000


def _placements(stage: Stage, vendor: str) -> list[list[Request]]:
    """Clients that place calls one after the other, for about as long as the callbacks take."""
    return [[stage.order(i, vendor)] * int(RECEIVER_S / VENDOR_S) for i in range(PLACING)]
