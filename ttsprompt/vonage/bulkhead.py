"""How many requests may wait for Vonage at once, so that a slow Vonage leaves threads for webhooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ttsprompt.errors import VendorUnreachableError

QUICK_S: Final = 1.0
"""Vonage usually answers in less than half of it. Longer, and whoever comes next would only wait as long."""


class Bulkhead:
    """Places for those who wait for Vonage. Anybody can write down a token and have us ask about it.

    While Vonage is quick, whoever finds no place gets the next one. When one has been taken for `QUICK_S`, it is slow:
    then nobody waits for a place, as that too would hold a thread.
    """

    def __init__(self, places: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._monotonic = monotonic
        self._taken_at: list[float] = []
        """Oldest first."""
        self._freed = threading.Condition()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            VendorUnreachableError: there is none; nothing was sent.
        """
        taken_at = self._take()
        try:
            yield
        finally:
            with self._freed:
                self._taken_at.remove(taken_at)
                self._freed.notify()

    def _take(self) -> float:
        with self._freed:
            came_at = now = self._monotonic()
            while len(self._taken_at) >= self._places:
                left_s = min(self._taken_at[0], came_at) + QUICK_S - now
                if left_s <= 0:
                    raise VendorUnreachableError("Too many requests wait for Vonage, which is slow. Try again.")
                self._freed.wait(left_s)
                now = self._monotonic()
            self._taken_at.append(now)
            return now
