"""Whole calls through real HTTP: placed, answered, the PIN keyed, ended, and the outcome delivered."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from benchmarks.client import Load, Request, run_load
from benchmarks.report import Row
from benchmarks.stage import PIN, Placed, Stage
from devphone.processes.service import Service

ROUNDS = 3
CALLS = {"sqlite": 300, "firestore": 150}
CLIENTS = 8


def measure(stage: Stage, store: str, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return calls in a second, against the same requests and round trips without anything in between."""
    vendor = stage.stand_ins()
    service, floor = stage.service(store, vendor, THREADS="16"), stage.floor(store, vendor, THREADS="16")
    number = CALLS[store]
    pairs = [(on_floor(floor, number), through_service(stage, service, vendor, number)) for _ in range(rounds)]
    floors, rates = zip(*pairs, strict=True)
    yield Row(f"whole calls, {store}", "1/s", floors, rates, bar=0.6, at_most=False)


def through_service(stage: Stage, service: Service, vendor: str, number: int, *, answered_of: int = 1) -> float:
    """Live through calls: all are placed, then all go on; return calls in a second.

    One in `answered_of` is answered, the others are busy.
    """
    placing, calls = stage.place(service, vendor, number, concurrency=CLIENTS)
    scripts = [_script(call) if i % answered_of == 0 else [call.event("busy")] for i, call in enumerate(calls)]
    playing = run_load(service.port, scripts, concurrency=CLIENTS)
    return _rate(number, placing, playing)


def on_floor(floor: Service, number: int, *, answered_of: int = 1) -> float:
    """Do the same round trips on the floor."""
    tids = [uuid.uuid4().hex for _ in range(number)]
    body = {"text": "x" * 200}
    placing = run_load(floor.port, [[Request("POST", f"/place/{tid}", body)] for tid in tids], concurrency=CLIENTS)
    routes = [["turn", "turn", "end"] if i % answered_of == 0 else ["end"] for i in range(number)]
    scripts = [
        [Request("POST", f"/{route}/{tid}", body) for route in script] for tid, script in zip(tids, routes, strict=True)
    ]
    playing = run_load(floor.port, scripts, concurrency=CLIENTS)
    return _rate(number, placing, playing)


def _script(call: Placed) -> list[Request]:
    return [
        call.event("answered"),
        call.keys(1, PIN),
        call.event("completed", duration="9", price="0.01", disconnected_by="platform"),
    ]


def _rate(number: int, *loads: Load) -> float:
    return number / sum(load.seconds for load in loads)
