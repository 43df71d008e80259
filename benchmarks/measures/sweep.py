"""The sweep with a backlog: calls that nobody told the end of, and outcomes that were not delivered."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from benchmarks.report import Row
from benchmarks.stage import Stage, documents
from devphone.service import Service

CALLS = 10_000
BATCH: Final = 400
RAW_S: Final = 5.0
THREADS: Final = 32
"""As many as the sweep has."""

HOSTS: Final = 24
"""Receivers: with a single one, its limit of two tries at once would be measured."""

WRITES_EXPIRED: Final = 3
WRITES_DELIVERED: Final = 2
"""A call costs a claim, a settlement and a note of the delivery; an undelivered outcome one less (design §4)."""


def measure(stage: Stage, *, calls: int = CALLS) -> Iterator[Row]:
    """Return commits in a second of the sweep, against the bare client with as many threads."""
    vendor = stage.stand_ins()
    service = stage.service("firestore", vendor, THREADS="16")
    sweeper = stage.sweeper(service)
    collection = documents(service)
    template = _template(stage, service, vendor, collection)
    raw = _raw_commits_per_second(collection, template)
    fill(collection, calls, lambda n: template | {"callback": _callback(template, vendor, n)})
    yield _row("sweep, stale calls", raw, calls * WRITES_EXPIRED / _drain(sweeper, "expired", calls), 0.5)
    ended = {**template, "state": "ended", "reason": "busy", "payload": "to=1&tid=1&status=error&reason=busy"}
    ended |= {"decided_at": template["created_at"], "ended_at": template["created_at"]}
    ended |= {"settled_at": template["created_at"], "delivery": {"state": "pending", "tries": []}}
    for name in ("prompts", "pin_mac", "reject_mac"):
        ended.pop(name, None)
    fill(collection, calls, lambda n: ended | {"callback": _callback(template, vendor, n)})
    yield _row("sweep, undelivered outcomes", raw, calls * WRITES_DELIVERED / _drain(sweeper, "delivered", calls), None)


def _row(name: str, raw: float, ours: float, bar: float | None) -> Row:
    return Row(f"{name}, commits", "1/s", (raw,), (ours,), bar=bar, at_most=False, compared_with="bare client")


def _template(stage: Stage, service: Service, vendor: str, collection: Any) -> dict[str, Any]:
    """Return the document of a call that was placed and not heard of since."""
    stage.place(service, vendor, 1)
    snapshot = next(iter(collection.stream()))
    document: dict[str, Any] = snapshot.to_dict()
    snapshot.reference.delete()
    return document


def _callback(template: dict[str, Any], vendor: str, number: int) -> dict[str, Any]:
    host = f"127.0.0.{number % HOSTS + 1}"
    return {**template["callback"], "url": vendor.replace("127.0.0.1", host) + "/callback"}


def fill(collection: Any, number: int, document: Callable[[int], dict[str, Any]]) -> None:
    """Put so many calls into the store, all due."""
    client, due_at = collection._client, datetime.now(UTC) - timedelta(minutes=5)  # noqa: SLF001 - it has no other name
    for start in range(0, number, BATCH):
        batch = client.batch()
        for position in range(start, min(start + BATCH, number)):
            due = due_at + timedelta(microseconds=position)
            batch.set(collection.document(str(uuid.uuid4())), document(position) | {"due_at": due})
        batch.commit()


def _drain(sweeper: Service, count: str, number: int) -> float:
    """Sweep until all is done; return how long that took, in seconds."""
    began, done = time.perf_counter(), 0
    while done < number:
        response = httpx.post(f"{sweeper.url}/", timeout=120, trust_env=False)
        counts = response.raise_for_status().json()
        if not counts[count] or counts["errors"]:
            raise RuntimeError(f"the sweep came to a stop: {counts}")
        done += counts[count]
    return time.perf_counter() - began


def _raw_commits_per_second(collection: Any, template: dict[str, Any]) -> float:
    """Return how many commits with a precondition the bare client makes, each thread on documents of its own."""
    client, until = collection._client, time.perf_counter() + RAW_S  # noqa: SLF001 - it has no other name
    committed, lock = 0, threading.Lock()

    def commit() -> None:
        nonlocal committed
        reference = client.collection("raw").document(str(uuid.uuid4()))
        seen, made = reference.set(template).update_time, 0
        while time.perf_counter() < until:
            changes = {"due_at": datetime.now(UTC), "write_id": uuid.uuid4().hex}
            seen = reference.update(changes, option=client.write_option(last_update_time=seen)).update_time
            made += 1
        with lock:
            committed += made

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(THREADS):
            pool.submit(commit)
    return committed / RAW_S
