"""Events that change nothing (`started`, `ringing`): most of what Vonage sends."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client import Request, run_load
from benchmarks.report import Row
from benchmarks.stage import Stage

ROUNDS = 5
SECONDS = 2.0
CLIENTS = 4


def measure(stage: Stage, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return requests in a second, against a function that answers 204 and does nothing."""
    service, floor = stage.service("sqlite"), stage.floor("sqlite")
    body = {"status": "ringing", "direction": "outbound", "uuid": "63f61863-4a51-4f6b-86e1-46edebcf9356"}
    ours = Request("POST", "/event/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x", body)
    theirs = Request("POST", "/constant/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x", body)
    pairs = []
    for _ in range(rounds):
        base = run_load(floor.port, [[theirs]] * CLIENTS, concurrency=CLIENTS, seconds=SECONDS)
        own = run_load(service.port, [[ours]] * CLIENTS, concurrency=CLIENTS, seconds=SECONDS)
        pairs.append((base.rate, own.rate))
    floors, rates = zip(*pairs, strict=True)
    yield Row("no-op /event", "1/s", floors, rates, bar=0.8, at_most=False)
