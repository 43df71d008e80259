"""The sweep with a backlog: calls that nobody told the end of, and outcomes that were not delivered."""

from __future__ import annotations

import socket
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
DELIVERIES = 5_000
DEAD = 2_000
"""Deliveries to a receiver that hangs, older than those to the one that is well."""

BATCH: Final = 400
RAW_S: Final = 5.0
THREADS: Final = 32
"""As many as the bare client is fastest with."""

HOSTS: Final = 24
"""Receivers: with a single one, its limit of tries at once would be measured."""

RECEIVER_DELAY_S: Final = 0.1
DELIVERIES_PER_S: Final = 120.0
"""What one receiver that takes so long shall get."""


def measure(stage: Stage, *, calls: int = CALLS, deliveries: int = DELIVERIES, dead: int = DEAD) -> Iterator[Row]:
    """Return what the sweep does in a second: stale calls against the least that they need, and deliveries."""
    vendor = stage.stand_ins()
    service = stage.service("firestore", vendor, THREADS="16")
    sweeper = stage.sweeper(service)
    collection = documents(service)
    template = _template(stage, service, vendor, collection)
    ended = {**template, "state": "ended", "reason": "busy", "payload": "to=1&tid=1&status=error&reason=busy"}
    ended |= {"decided_at": template["created_at"], "ended_at": template["created_at"]}
    ended |= {"settled_at": template["created_at"], "delivery": {"state": "pending", "tries": []}}
    for name in ("prompts", "pin_mac", "reject_mac"):
        ended.pop(name, None)
    bare = _Bare(collection, template)
    least = _end_of_a_call(ended, template, vendor)
    # An emulator that has just started is less than half as fast as a minute later.
    bare.times_per_second(least)
    before = bare.times_per_second(least)
    fill(collection, calls, lambda n: template | {"callback": _callback(template, vendor, n)})
    expired = calls / _drain(sweeper, "expired", calls)
    after = bare.times_per_second(least)
    yield _row("sweep, stale calls, against the least", (before, after), expired, 0.8, "bare client")
    yield from _deliveries(stage, sweeper, collection, ended, deliveries, dead)


def _deliveries(
    stage: Stage, sweeper: Service, collection: Any, ended: dict[str, Any], number: int, dead: int
) -> Iterator[Row]:
    """Return how fast one receiver that is well gets what is due to it: alone, and beside one that hangs."""
    receiver = stage.stand_ins(receiver_delay_s=RECEIVER_DELAY_S)
    well = {**ended["callback"], "url": f"{receiver}/callback"}
    fill(collection, number, lambda _: ended | {"callback": well})
    alone = _rate(sweeper, receiver, number)
    yield _row("deliveries to one host that takes 100 ms", (DELIVERIES_PER_S,), alone, 1.0, "target")
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        hanging = {**ended["callback"], "url": f"http://127.0.0.99:{silent.getsockname()[1]}/callback"}
        fill(collection, dead, lambda _: ended | {"callback": hanging}, age_s=600)
        fill(collection, number, lambda _: ended | {"callback": well})
        beside = _rate(sweeper, receiver, number)
    yield _row("the same beside a dead host", (alone,), beside, 0.95, "without")


def _rate(sweeper: Service, receiver: str, number: int) -> float:
    """Sweep once; return how many callbacks came in a second, from the first to the last."""
    httpx.get(f"{receiver}/callbacks", trust_env=False)
    httpx.post(f"{sweeper.url}/", timeout=120, trust_env=False).raise_for_status()
    came = httpx.get(f"{receiver}/callbacks", trust_env=False).json()
    if len(came) < number:
        raise RuntimeError(f"{len(came)} of {number} callbacks came in one sweep")
    return float((len(came) - 1) / (came[-1] - came[0]))


def _row(name: str, raw: tuple[float, ...], ours: float, bar: float | None, compared_with: str) -> Row:
    """Compare with what the other did right before or right after."""
    return Row(name, "1/s", raw, (ours,) * len(raw), bar=bar, at_most=False, compared_with=compared_with)


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


def fill(collection: Any, number: int, document: Callable[[int], dict[str, Any]], *, age_s: float = 300) -> None:
    """Put so many calls into the store, all due for so long."""
    client, due_at = collection._client, datetime.now(UTC) - timedelta(seconds=age_s)  # noqa: SLF001 - it has no other name
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

    def times_per_second(self, work: Callable[[Commit], None]) -> float:
        """Do the work again and again for a while, with many threads."""
        until = time.perf_counter() + RAW_S
        with ThreadPoolExecutor(THREADS) as pool:
            done = [pool.submit(self._repeat, work, until) for _ in range(THREADS)]
        return sum(times.result() for times in done) / RAW_S

    def _repeat(self, work: Callable[[Commit], None], until: float) -> int:
        client = self.collection._client  # noqa: SLF001 - it has no other name
        reference = client.collection("raw").document(str(uuid.uuid4()))
        seen, times = reference.set(self.template).update_time, 0

        def commit(changes: dict[str, Any]) -> None:
            nonlocal seen
            seen = reference.update(changes, option=client.write_option(last_update_time=seen)).update_time

        while time.perf_counter() < until:
            work(commit)
            times += 1
        return times


def _end_of_a_call(ended: dict[str, Any], template: dict[str, Any], vendor: str) -> Callable[[Commit], None]:
    """Return the least that a stale call needs: a commit that settles it, a POST, a commit that notes the delivery."""
    settlement = {name: value for name, value in ended.items() if value != template.get(name)}
    tries = [{"at": ended["settled_at"], "http_status": 200, "fault": None}]
    delivery = {"delivery": {"state": "delivered", "attempts_made": 1, "tries": tries}, "due_at": None}

    def work(commit: Commit) -> None:
        commit(settlement | {"due_at": datetime.now(UTC), "write_id": uuid.uuid4().hex})
        requests.post(f"{vendor}/callback", data=ended["payload"], timeout=15).raise_for_status()
        commit(delivery | {"write_id": uuid.uuid4().hex})

    return work
