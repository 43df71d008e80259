"""Everything that happened on the phone, in order, for people and for tests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import islice
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

    @classmethod
    def of(cls, value: dict[str, Any]) -> Line:
        """Return the line of its JSON, which may tell more."""
        return cls(value["at_s"], value["who"], value["what"], value["call"], value["data"])


class Timeline:
    """The last lines, and whoever wants to hear of new ones."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=KEPT)
        self._count = 0
        self._listeners: list[Callable[[Line], None]] = []
        self._lock = threading.Lock()

    def add(self, line: Line) -> None:
        """Record a line and tell the listeners."""
        with self._lock:
            self._lines.append(line)
            self._count += 1
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

    def count(self) -> int:
        """Return the number of the last line."""
        with self._lock:
            return self._count

    def numbered(self, after: int = 0) -> list[tuple[int, Line]]:
        """Return the lines after line number `after` with their numbers, from 1; the oldest may be gone."""
        with self._lock:
            first = self._count - len(self._lines) + 1
            skipped = max(after - first + 1, 0)
            return list(enumerate(islice(self._lines, skipped, None), first + skipped))
