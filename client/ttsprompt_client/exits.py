"""How a command ends."""

from __future__ import annotations

from enum import IntEnum

from ttsprompt_client.outcome import Outcome


class Exit(IntEnum):
    """The exit codes. `sysexits.h` has 64 for wrong usage; what argparse uses for it, 2, is an outcome here."""

    OK = 0
    FAILED = 1
    ERROR = 2
    NOT_PLACED = 3
    UNCLEAR = 4
    USAGE = 64


def of_outcome(outcome: Outcome) -> Exit:
    """Return the exit code of an outcome."""
    return {"ok": Exit.OK, "failed": Exit.FAILED, "error": Exit.ERROR}[outcome.status]
