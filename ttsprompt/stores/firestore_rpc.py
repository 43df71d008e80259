"""How long RPCs to Firestore may take, and what is repeated within that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from ttsprompt.errors import StoreUnavailableError

CALL_S: Final = 2.0
"""The longest that one RPC may take, its repeats included."""

T = TypeVar("T")


class Deadline:
    """How long a method may go on, and what that leaves for each of its RPCs."""

    def __init__(self, patience_s: float) -> None:
        self._until = time.monotonic() + patience_s

    def call(self, rpc: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Make one RPC, and again while the server is not available.

        The repeats are ours because the library's bound an attempt but not the whole: its time-out starts anew when
        less than a second is left (google.api_core.timeout.TimeToDeadlineTimeout).

        Raises:
            StoreUnavailableError: there is no time left.
        """
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        until = min(self._until, time.monotonic() + CALL_S)
        pause = 0.05
        while (left := until - time.monotonic()) > 0:
            try:
                return rpc(*args, **kwargs, retry=None, timeout=left)
            except exceptions.ServiceUnavailable:
                if time.monotonic() + pause >= until:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.4)
        raise StoreUnavailableError

    def attempts(self) -> Iterator[int]:
        """Count attempts, with a jittered pause between them that lets the winner finish."""
        attempt = 0
        while True:
            yield attempt
            pause = random.uniform(0, min(0.01 * 2**attempt, 0.3))  # noqa: S311 - jitter
            if time.monotonic() + pause >= self._until:
                return
            time.sleep(pause)
            attempt += 1
