"""`/answer`, `/input` and the ending `/event`, one request at a time, so that queueing says nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from benchmarks.client import Load, Request, run_load
from benchmarks.report import Row
from benchmarks.stage import PIN, WRONG, Placed, Stage
from devphone.processes.service import Service

ROUNDS = 5
CALLS = 60
TRIES = 5


def measure(stage: Stage, store: str, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return p50 and p99 of each, against the same round trips by the bare client."""
    vendor = stage.stand_ins()
    service, floor = stage.service(store, vendor), stage.floor(store, vendor)
    answers, inputs, endings = _Pairs(), _Pairs(), _Pairs()
    for _ in range(rounds):
        _, calls = stage.place(service, vendor, CALLS, attempts=10)
        tids = _place_on_floor(floor, CALLS)
        answers.add(
            run_load(floor.port, [[Request("POST", f"/read/{tid}", {})] * TRIES for tid in tids]),
            run_load(service.port, [[_answer(call)] * TRIES for call in calls]),
        )
        inputs.add(
            run_load(floor.port, [[_turn(tid)] * TRIES for tid in tids]),
            run_load(service.port, [[call.keys(step, WRONG) for step in range(1, TRIES + 1)] for call in calls]),
        )
        run_load(service.port, [[call.keys(TRIES + 1, PIN)] for call in calls])
        endings.add(
            run_load(floor.port, [[Request("POST", f"/end/{tid}", {})] for tid in tids]),
            run_load(service.port, [[call.event("completed", duration="9")] for call in calls]),
        )
    # The target is Firestore's; an embedded file answers in less time than the framework needs.
    bar = 1.3 if store == "firestore" else None
    yield from answers.rows(f"/answer, {store}", bar)
    yield from inputs.rows(f"/input, {store}", bar)
    yield from endings.rows(f"ending /event with delivery, {store}", None)


class _Pairs:
    def __init__(self) -> None:
        self._loads: list[tuple[Load, Load]] = []

    def add(self, floor: Load, ours: Load) -> None:
        self._loads.append((floor, ours))

    def rows(self, name: str, bar: float | None) -> Iterator[Row]:
        for share in (0.5, 0.99):
            pairs = [(f.percentile(share) * 1000, o.percentile(share) * 1000) for f, o in self._loads]
            floor, ours = zip(*pairs, strict=True)
            yield Row(f"{name}, p{share * 100:g}", "ms", floor, ours, bar=bar)


def _place_on_floor(floor: Service, number: int) -> list[str]:
    tids = [str(uuid.uuid4()) for _ in range(number)]
    run_load(floor.port, [[Request("POST", f"/place/{tid}", {"pin": PIN})] for tid in tids], concurrency=2)
    return tids


def _turn(tid: str) -> Request:
    return Request("POST", f"/turn/{tid}", {"dtmf": {"digits": WRONG, "timed_out": False}})


def _answer(call: Placed) -> Request:
    return Request("POST", call.input_path.replace("/input/", "/answer/"), {"to": "447970500000"})
