"""Server-sent events (HTML standard §9.2): what a browser listens to, and goes on with where it was cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

BEAT_S: Final = 15
"""After so much silence a comment is sent, so that a lost connection is noticed."""

Event = dict[str, Any]
News = Callable[[], Iterator[tuple[str, str | None, Any]]]
"""Returns what is new since it was asked last: kind, id, value."""


class Bell:
    """Wakes everybody who listens, from any thread."""

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.is_closed = False

    def ring(self) -> None:
        """Say that there is something new."""
        for loop, event in list(self._waiting):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Say that nothing new will come."""
        self.is_closed = True
        self.ring()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Give an event that is set at every ring."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.append(entry)
        try:
            yield entry[1]
        finally:
            self._waiting.remove(entry)


async def stream(bell: Bell, news: News) -> AsyncIterator[str]:
    """Send what is new, whenever the bell rings, until it is closed."""
    with bell.listening() as rung:
        while not bell.is_closed:
            rung.clear()
            for kind, number, value in news():
                yield _event(kind, number, value)
            try:
                async with asyncio.timeout(BEAT_S):
                    await rung.wait()
            except TimeoutError:
                yield ": still here\n\n"


def _event(kind: str, number: str | None, value: Any) -> str:
    head = f"event: {kind}\n" + ("" if number is None else f"id: {number}\n")
    return f"{head}data: {json.dumps(value, separators=(',', ':'))}\n\n"
