"""Reads that end in time, however slowly the other side drips.

A server's own time-out, if it has one, is for each piece that arrives: whoever sends a byte a second holds a thread for
as long as he likes, and with as many connections as there are threads nobody answers Vonage.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class Watch:
    """One read that is under way."""

    connection: socket.socket
    ends_at: float
    is_over: bool = False
    was_cut: bool = False


class Watcher:
    """Cuts reads that last too long: one thread watches all of them.

    Cutting shuts the reading half of the connection down, so that whoever reads finds its end; the answer can still be
    written. Every read has the same time, so the first that began is the first that ends.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watches: deque[Watch] = deque()
        self._changed = threading.Condition()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def begin(self, connection: socket.socket) -> Watch:
        """Watch a read that begins now."""
        watch = Watch(connection, time.monotonic() + self._seconds)
        with self._changed:
            self._watches.append(watch)
            if self._thread is None:
                # Not before: the server forks after it has imported us, and threads do not survive that.
                thread = threading.Thread(target=self._run, name="reading", daemon=True)
                # When no thread can be had just now, the next read starts one, which watches this read too.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread
            elif self._wakes_at > watch.ends_at:
                self._changed.notify()
        return watch

    def end(self, watch: Watch) -> bool:
        """Watch a read no more; return whether it was cut."""
        with self._changed:
            watch.is_over = True
            while self._watches and self._watches[0].is_over:
                self._watches.popleft()
            return watch.was_cut

    def _run(self) -> None:
        with self._changed:
            while True:
                first = self._watches[0] if self._watches else None
                self._wakes_at = first.ends_at if first else math.inf
                if first is None:
                    self._changed.wait()
                elif (left := first.ends_at - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    self._watches.popleft()
                    if not first.is_over:
                        first.was_cut = True
                        with contextlib.suppress(OSError):  # it has just gone
                            first.connection.shutdown(socket.SHUT_RD)
