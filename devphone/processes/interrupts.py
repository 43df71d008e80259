"""Ctrl-C and its like: once, at a good moment, so that no process of ours is left behind."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_interrupted = threading.Event()


class Interrupted(KeyboardInterrupt):
    """A KeyboardInterrupt that lets us choose the exit code.

    One of exactly KeyboardInterrupt's type that passes through `exec` of a text, as it does in the import of any
    module with a dataclass, has Python die of SIGINT at its end even though it was caught (CPython's
    `unhandled_keyboard_interrupt`).
    """


def interrupt_once() -> None:
    """Have the first signal raise KeyboardInterrupt, and any more leave the tidying up alone; it ends by itself."""
    _interrupted.clear()
    for name in SIGNALS:
        signal.signal(name, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _ignore_more()
    raise Interrupted


def _ignore_more() -> None:
    _interrupted.set()
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)


def run_until_interrupted(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end; the first signal cancels it, and any more leave the tidying up alone.

    An exception that a signal raised would come up in whichever task has its turn, and asyncio would print it.

    Raises:
        Interrupted: a signal came, and all that it ran is over.
    """

    async def run() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(main)

        def cancel(_signal: int, _frame: FrameType | None) -> None:
            _ignore_more()
            loop.call_soon_threadsafe(task.cancel)

        before = {name: signal.signal(name, cancel) for name in SIGNALS}
        try:
            await task
        finally:
            if not _interrupted.is_set():
                for name, handler in before.items():
                    signal.signal(name, handler)

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        raise Interrupted from None


def pause(seconds: float) -> None:
    """Sleep within a loop that waits; it does not go on waiting when the interrupt was lost.

    An exception that a signal raises within a weak reference's callback or a destructor goes nowhere (the import
    machinery has such callbacks), and there is no second signal.
    """
    if _interrupted.is_set():
        raise Interrupted
    time.sleep(seconds)


@contextmanager
def deferred() -> Iterator[None]:
    """Hold signals back while a process is being started: one that nobody knows yet would be nobody's to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {name: signal.signal(name, lambda number, _: held.append(number)) for name in SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        for number in held[:1]:
            signal.raise_signal(number)
