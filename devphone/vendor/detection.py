"""Machine detection (docs/vonage.md §1.1, §3.3): what a request asks for. The verdict is the callee's doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

LONGEST_WAIT_S: Final = 5.0
"""The first NCCO waits no longer for a verdict."""
BEEP_S: Final = 8.0
"""How long after it picked up a machine beeps."""


@dataclass(frozen=True, slots=True)
class Detection:
    """`waits`: the first NCCO waits for the verdict. `hears_beep`: a beep is an event too."""

    hangs_up: bool
    waits: bool
    hears_beep: bool


def detection_of(order: dict[str, Any]) -> Detection | None:
    """Return what the body of a request asks for, None for nothing; the charged form takes precedence."""
    advanced = order.get("advanced_machine_detection")
    if advanced is not None:
        mode = advanced.get("mode", "detect")
        return Detection(advanced.get("behavior") == "hangup", mode != "default", mode != "detect")
    free = order.get("machine_detection")
    return None if free is None else Detection(free == "hangup", waits=True, hears_beep=False)
