"""Everything that happened on the phone, in order, for people and for tests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `who` did it: service, vonage, callee or receiver. `at_s`: telephone seconds."""

    at_s: float
    who: str
    what: str
    call: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the line as JSON."""
        return asdict(self)


class Timeline:
    """The last lines, and whoever wants to hear of new ones."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._listeners: list[Callable[[Line], None]] = []
        self._lock = threading.Lock()

    def add(self, line: Line) -> None:
        """Record a line and tell the listeners."""
        with self._lock:
            self._lines.append(line)
            listeners = list(self._listeners)
        for listener in listeners:
            listener(line)

    def listen(self, listener: Callable[[Line], None]) -> None:
        """Have `listener` called for each new line, on whatever thread records it."""
        with self._lock:
            self._listeners.append(listener)

    def lines(self) -> list[Line]:
        """Return what is kept."""
        with self._lock:
            return list(self._lines)
