"""The sweep with a backlog: calls that nobody told the end of, and outcomes that were not delivered."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import requests

from benchmarks.report import Row
from benchmarks.stage import Stage, documents
from devphone.processes.service import Service

CALLS = 10_000
BATCH: Final = 400
RAW_S: Final = 5.0
THREADS: Final = 32
"""As many as the sweep has."""

HOSTS: Final = 24
"""Receivers: with a single one, its limit of two tries at once would be measured."""

WRITES_EXPIRED: Final = 3
WRITES_DELIVERED: Final = 2
"""A call costs a claim, a settlement and a note of the delivery; an undelivered outcome one less."""


def measure(stage: Stage, *, calls: int = CALLS) -> Iterator[Row]:
    """Return commits in a second of the sweep, against the bare client with as many threads."""
    vendor = stage.stand_ins()
    service = stage.service("firestore", vendor, THREADS="16")
    sweeper = stage.sweeper(service)
    collection = documents(service)
    template = _template(stage, service, vendor, collection)
    # An emulator that has just started is less than half as fast as a minute later.
    bare = _Bare(collection, template)
    bare.commits_per_second(_claim)
    before = bare.commits_per_second(_claim)
    fill(collection, calls, lambda n: template | {"callback": _callback(template, vendor, n)})
    expired = calls * WRITES_EXPIRED / _drain(sweeper, "expired", calls)
    between = bare.commits_per_second(_claim)
    yield _row("sweep, stale calls, commits", (before, between), expired, 0.5)
    end = _end_of_a_call(collection, template, vendor)
    yield _row("the same against commits and callbacks", (bare.commits_per_second(end),), expired, None)
    ended = {**template, "state": "ended", "reason": "busy", "payload": "to=1&tid=1&status=error&reason=busy"}
    ended |= {"decided_at": template["created_at"], "ended_at": template["created_at"]}
    ended |= {"settled_at": template["created_at"], "delivery": {"state": "pending", "tries": []}}
    for name in ("prompts", "pin_mac", "reject_mac"):
        ended.pop(name, None)
    fill(collection, calls, lambda n: ended | {"callback": _callback(template, vendor, n)})
    delivered = calls * WRITES_DELIVERED / _drain(sweeper, "delivered", calls)
    after = bare.commits_per_second(_claim)
    yield _row("sweep, undelivered outcomes, commits", (between, after), delivered, None)


def _row(name: str, raw: tuple[float, ...], ours: float, bar: float | None) -> Row:
    """Compare a drain with what the bare client did right before or right after it."""
    return Row(name, "1/s", raw, (ours,) * len(raw), bar=bar, at_most=False, compared_with="bare client")


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


Commit = Callable[[dict[str, Any]], None]
"""Writes so much to the thread's own document."""


@dataclass(frozen=True, slots=True)
class _Bare:
    """The bare client, writing with a precondition, each thread on a document of its own."""

    collection: Any
    template: dict[str, Any]

    def commits_per_second(self, work: Callable[[Commit], None]) -> float:
        """Do the work again and again for a while, with as many threads as the sweep has."""
        until = time.perf_counter() + RAW_S
        with ThreadPoolExecutor(THREADS) as pool:
            done = [pool.submit(self._repeat, work, until) for _ in range(THREADS)]
        return sum(commits.result() for commits in done) / RAW_S

    def _repeat(self, work: Callable[[Commit], None], until: float) -> int:
        client = self.collection._client  # noqa: SLF001 - it has no other name
        reference = client.collection("raw").document(str(uuid.uuid4()))
        seen, commits = reference.set(self.template).update_time, 0

        def commit(changes: dict[str, Any]) -> None:
            nonlocal seen, commits
            seen = reference.update(changes, option=client.write_option(last_update_time=seen)).update_time
            commits += 1

        while time.perf_counter() < until:
            work(commit)
        return commits


def _claim(commit: Commit) -> None:
    commit({"due_at": datetime.now(UTC), "write_id": uuid.uuid4().hex})


def _end_of_a_call(collection: Any, template: dict[str, Any], vendor: str) -> Callable[[Commit], None]:
    """Return what the sweep has to do for a stale call, no more: the writes of one that it has ended, and a POST."""
    ended: dict[str, Any] = next(iter(collection.stream())).to_dict()
    settlement = {name: value for name, value in ended.items() if value != template.get(name)}
    delivery = {"delivery": ended["delivery"], "write_id": ended["write_id"]}

    def work(commit: Commit) -> None:
        _claim(commit)
        commit(settlement)
        requests.post(f"{vendor}/callback", data=ended["payload"], timeout=15).raise_for_status()
        commit(delivery)

    return work
