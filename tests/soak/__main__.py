"""`make soak`: the long runs, with their figures."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from devphone.processes.emulator import start_emulator
from tests.soak.run import Result, Soak, soak


def main() -> int:
    """Run; return the exit code: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long calls are placed, for each store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=["sqlite", "firestore", "both"], default="both")
    parser.add_argument("--rate", type=float, default=8, help="calls a second")
    options = parser.parse_args()
    good = True
    for store in ["sqlite", "firestore"] if options.store == "both" else [options.store]:
        _say(f"On {store}:")
        with ExitStack() as stack:
            emulator = start_emulator() if store == "firestore" else None
            if emulator is not None:
                stack.callback(emulator.stop)
            result = soak(Soak(options.seconds, options.seed, options.rate), emulator, _say)
        _show(result)
        good = good and result.is_good
    return 0 if good else 1


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command prints


def _show(result: Result) -> None:
    report = result.report
    answered = report.calls - report.refused - report.unanswered
    figures = {
        "calls": f"{report.calls} in {result.seconds:.0f} s, {answered} answered with a tid",
        **result.troubles,
        "outcomes": ", ".join(f"{name} {count}" for name, count in report.outcomes.items()),
        "repeated deliveries": report.repeated_deliveries,
        "lost": report.lost,
        "changed": report.changed,
        "wrong": report.wrong,
        "dialled twice": report.dialled_twice,
        "left in the store": result.left,
    }
    for name, value in figures.items():
        _say(f"  {name:<28}{len(value) if isinstance(value, list) else value}")
        for sentence in value[:5] if isinstance(value, list) else ():
            _say(f"    {sentence}")


if __name__ == "__main__":
    sys.exit(main())
