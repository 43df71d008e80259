"""Ctrl-C and its like: once, at a good moment, so that no process of ours is left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_once() -> None:
    """Have the first signal raise KeyboardInterrupt, and any more leave the tidying up alone; it ends by itself."""
    for name in SIGNALS:
        signal.signal(name, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


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
