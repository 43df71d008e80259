"""How Vonage, and the way from it to the service, behave just now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from devphone.vendor.faulty_sender import Faults
from devphone.vendor.habits import Habit


@dataclass(slots=True, eq=False)
class Behaviour:
    """May be changed at any time: habits hold for new calls. `rate`: most new calls a second, None for no limit."""

    habits: Collection[Habit] = frozenset()
    faults: Faults = field(default_factory=Faults)
    rate: float | None = None
