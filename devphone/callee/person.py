"""A person who takes one call at the page: the callee who follows no script."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Person:
    """What a person has done with a call that rings, or that they are in."""

    def __init__(self) -> None:
        self.decided = asyncio.Event()
        """Set when the call is answered or rejected."""
        self.left = asyncio.Event()
        """Set when the person hangs up."""
        self.rejects = False
        self._keys: asyncio.Queue[str] = asyncio.Queue()

    def answer(self) -> None:
        """Pick up."""
        self.decided.set()

    def reject(self) -> None:
        """Refuse the call that rings."""
        self.rejects = True
        self.decided.set()

    def hang_up(self) -> None:
        """End the call."""
        self.left.set()

    def press(self, key: str) -> None:
        """Press a key."""
        self._keys.put_nowait(key)

    def forget(self) -> None:
        """Keys pressed while no question was open are lost."""
        while not self._keys.empty():
            self._keys.get_nowait()

    async def key(self, within_s: float) -> str | None:
        """Return the next key; None if there is none within so many seconds of the clock on the wall."""
        with suppress(TimeoutError):
            # Not `wait_for`: in Python 3.11 it swallows a cancellation that comes together with a key.
            async with asyncio.timeout(max(within_s, 0)):
                return await self._keys.get()
        return None
