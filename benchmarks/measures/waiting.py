"""Callers who wait for outcomes beside callees; those who find no place ask again after a second.

As deployed, an instance is sent `CONCURRENCY` requests at once, so its share of 500 is what counts. All of them at one
instance are reported as well.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.client import ROOT, Request, finish_load, start_load
from benchmarks.report import Row
from benchmarks.stage import TRIES, Stage, key_wrongly

WAITERS: Final = 500
_DEPLOYED: Final = (ROOT / "deploy/defaults/deployment.env").read_text(encoding="utf-8")
CONCURRENCY: Final = int(re.findall(r"^CONCURRENCY=([0-9]+)$", _DEPLOYED, re.MULTILINE)[0])
"""What Cloud Run sends to an instance at once, and so its threads."""

SHARE: Final = math.ceil(WAITERS / math.ceil(WAITERS / CONCURRENCY))
WAIT_S: Final = 10
AGAIN_S: Final = 1.0
"""What `Retry-After` says to whoever finds no place."""

LASTS_S: Final = 10
CALLS: Final = 20
ROUNDS: Final = 3
MOST: Final = 1.3


def measure(stage: Stage, store: str, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return the p99 of `/input` in milliseconds beside callers who wait, against a service at which nobody does."""
    for waiters, bar in ((SHARE, MOST), (WAITERS, None)):
        pairs = [_round(stage, store, waiters) for _ in range(rounds)]
        quiet, busy = zip(*pairs, strict=True)
        name = f"/input p99 beside {waiters} waiters, {store}"
        yield Row(name, "ms", quiet, busy, bar=bar, compared_with="quiet")


def _round(stage: Stage, store: str, waiters: int) -> tuple[float, float]:
    vendor = stage.stand_ins()
    service = stage.service(store, vendor, THREADS=str(CONCURRENCY))
    try:
        _, calls = stage.place(service, vendor, 2 * CALLS, concurrency=10, attempts=TRIES)
        _, (awaited,) = stage.place(service, vendor, 1)
        tid = awaited.event_path.removeprefix("/event/").partition("?")[0]
        quiet = key_wrongly(service, calls[:CALLS])
        ask = Request("GET", f"/call/{tid}?wait={WAIT_S}", None, {"Authorization": f"Bearer {stage.token}"})
        load = start_load(
            service.port, [[ask]] * waiters, concurrency=waiters, seconds=LASTS_S, spread_s=AGAIN_S, pause_s=AGAIN_S
        )
        # By then all of them wait, or ask again and again.
        time.sleep(3 * AGAIN_S)
        busy = key_wrongly(service, calls[CALLS:])
        finish_load(load)
    finally:
        service.stop()
    return quiet.percentile(0.99) * 1000, busy.percentile(0.99) * 1000
