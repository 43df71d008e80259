"""Everything that happened on the phone, in order, for people and for tests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from devphone.happenings import Happening

KEPT: Final = 10_000


class Timeline:
    """The last happenings, and whoever wants to hear of new ones."""

    def __init__(self) -> None:
        self._kept: deque[Happening] = deque(maxlen=KEPT)
        self._count = 0
        self._listeners: list[Callable[[Happening], None]] = []
        self._lock = threading.Lock()

    def add(self, happening: Happening) -> None:
        """Record what happened and tell the listeners."""
        with self._lock:
            self._kept.append(happening)
            self._count += 1
            listeners = list(self._listeners)
        for listener in listeners:
            listener(happening)

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """Have `listener` called for each happening, on whatever thread records it."""
        with self._lock:
            self._listeners.append(listener)

    def happenings(self) -> list[Happening]:
        """Return what is kept."""
        with self._lock:
            return list(self._kept)

    def count(self) -> int:
        """Return the number of the last happening."""
        with self._lock:
            return self._count

    def numbered(self, after: int = 0) -> list[tuple[int, Happening]]:
        """Return what came after number `after` with its numbers, from 1; the oldest may be gone."""
        with self._lock:
            first = self._count - len(self._kept) + 1
            skipped = max(after - first + 1, 0)
            return list(enumerate(islice(self._kept, skipped, None), first + skipped))
