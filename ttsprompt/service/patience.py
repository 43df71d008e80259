"""How long one handler waits for the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ttsprompt.ports import STORE_TIMEOUT_S, Clock

LEAST_S: Final = 0.5
"""What a later step gets in any case: by then Vonage may have been asked, or the callee judged."""


class Patience:
    """What is left of the 4 s that all of a handler's steps at the store have together, whatever lies between them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left_s = STORE_TIMEOUT_S

    @contextmanager
    def step(self) -> Iterator[float]:
        """Give the seconds for one step, and take off what it took."""
        began = self._clock.monotonic()
        try:
            yield max(self._left_s, LEAST_S)
        finally:
            self._left_s -= self._clock.monotonic() - began
