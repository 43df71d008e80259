"""`python -m benchmarks`: measure, print the table, write the figures as JSON. Exit code 1: some target was not met."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.measures import (
    cold_start,
    events,
    hot_paths,
    many_processes,
    memory,
    shown_first,
    sweep,
    threads,
    waiting,
    whole_calls,
)
from benchmarks.report import Row, table
from benchmarks.stage import Stage, stage
from devphone.processes.emulator import is_installed

MEASURES: Final[dict[str, Callable[[Stage], Iterator[Row]]]] = {
    "cold-start": lambda at: cold_start.measure(at, "firestore"),
    "cold-start-sqlite": lambda at: cold_start.measure(at, "sqlite"),
    "hot-paths": lambda at: hot_paths.measure(at, "firestore"),
    "hot-paths-sqlite": lambda at: hot_paths.measure(at, "sqlite"),
    "events": events.measure,
    "whole-calls": lambda at: whole_calls.measure(at, "firestore"),
    "whole-calls-sqlite": lambda at: whole_calls.measure(at, "sqlite"),
    "threads": lambda at: threads.measure(at, "firestore"),
    "shown-first": shown_first.measure,
    "waiting": lambda at: waiting.measure(at, "firestore"),
    "sweep": sweep.measure,
    "processes-sqlite": many_processes.measure,
    "memory": memory.measure,
}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=MEASURES, action="append", help="measure just this; may be repeated")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    options = parser.parse_args()
    names = options.only or list(MEASURES)
    rows: list[Row] = []
    failed: list[str] = []
    began = time.monotonic()
    if not is_installed():
        print(
            "The figures need the Firestore emulator: gcloud (with cloud-firestore-emulator) and Java.", file=sys.stderr
        )
        return 1
    for name in names:
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="bench-") as folder, stage(Path(folder)) as place:
                rows.extend(MEASURES[name](place))
        except RuntimeError as error:
            # What was measured before stands.
            print(f"{name} failed: {error}", file=sys.stderr)
            failed.append(name)
        print(f"… {name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    imports = cold_start.imports()
    _write(options.json, rows, imports)
    print(table(rows))
    print("\nImported before the first /input on Firestore, in milliseconds by package (-X importtime):")
    print("  " + ", ".join(f"{package} {ms:g}" for package, ms in imports.items()))
    print(f"\n{time.monotonic() - began:.0f} s; the figures are in {options.json}")
    return 1 if failed or any(row.is_met is False for row in rows) else 0


def _write(path: Path, rows: list[Row], imports: dict[str, float]) -> None:
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
    figures = {"machine": machine, "rows": [row.as_dict() for row in rows], "imports_ms": imports}
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
