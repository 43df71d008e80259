"""Memory after thousands of calls: what is kept by mistake grows with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measures.whole_calls import on_floor, through_service
from benchmarks.report import Row
from benchmarks.stage import Stage
from devphone.processes.service import Service

CALLS = 10_000
ANSWERED_OF = 10
"""One call in so many is answered: the others take less time and leave as much behind."""


def measure(stage: Stage, *, calls: int = CALLS) -> Iterator[Row]:
    """Return the resident memory after so many calls, against the floor, and after twice as many, against the first."""
    vendor = stage.stand_ins()
    service, floor = stage.service("sqlite", vendor), stage.floor("sqlite", vendor)
    on_floor(floor, calls, answered_of=ANSWERED_OF)
    through_service(stage, service, vendor, calls, answered_of=ANSWERED_OF)
    floor_mb, first_mb = resident_mb(floor), resident_mb(service)
    yield Row(f"memory after {calls} calls", "MB", (floor_mb,), (first_mb,), bar=1.3)
    through_service(stage, service, vendor, calls, answered_of=ANSWERED_OF)
    second_mb = resident_mb(service)
    name = f"memory after {2 * calls} calls"
    yield Row(name, "MB", (first_mb,), (second_mb,), bar=1.05, compared_with=f"after {calls} calls")


def resident_mb(service: Service) -> float:
    """Return the resident memory of a service and its workers, in MiB."""
    assert service.process is not None  # noqa: S101 - for the type
    return sum(_resident_kb(pid) for pid in [service.process.pid, *_children(service.process.pid)]) / 1024


def _resident_kb(pid: int) -> int:
    # Proportional: pages that a worker shares with its parent count once (proc(5)).
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
