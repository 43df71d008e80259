"""What it costs that a token is shown to Vonage first: `POST /call` with a key, against the same without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import uuid4

from benchmarks.client import Request, run_load
from benchmarks.report import Row
from benchmarks.stage import Stage
from devphone.vendor.tokens import make_application

VENDOR_S = 0.1
ROUNDS = 5
CALLS = 20

Change = Callable[[Request], Request]


def measure(stage: Stage, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return p50 at a Vonage that takes 100 ms, for a caller with a token for each request and one who keeps it."""
    vendor, application = stage.stand_ins(VENDOR_S), make_application()
    service = stage.service("sqlite", vendor)

    def p50(change: Change) -> float:
        orders = [change(stage.order(position, vendor)) for position in range(CALLS)]
        return run_load(service.port, [orders]).percentile(0.5) * 1000

    def with_a_key(order: Request) -> Request:
        return replace(order, headers=order.headers | {"Idempotency-Key": str(uuid4())})

    def with_a_new_token(order: Request) -> Request:
        return with_a_key(replace(order, headers={"Authorization": f"Bearer {application.token()}"}))

    ways: dict[str, Change] = {"a token for each": with_a_new_token, "a token that is kept": with_a_key}
    pairs: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, change in ways.items():
            pairs[way].append((p50(lambda order: order), p50(change)))
    for way, found in pairs.items():
        not_shown, shown = zip(*found, strict=True)
        yield Row(f"POST /call with a key, {way}, p50", "ms", not_shown, shown, bar=None, compared_with="no key")
