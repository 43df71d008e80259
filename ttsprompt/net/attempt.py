"""One try to do something over a connection, which the thread that waits for it can end at any time.

The time-outs of an HTTP client hold for each read alone: a peer that drips one byte now and then, or headers without
end, keeps it waiting for ever. So the exchange has a thread of its own, and whoever waits for it cuts the connection.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_PIECE_BYTES: Final = 256 * 1024
_MAX_PIECES: Final = 256
"""64 MiB, more than a receive buffer holds: whoever cuts must not wait for a peer either."""


class AttemptOverError(Exception):
    """The try was given up before this step of it."""


@dataclass(slots=True, eq=False)
class Attempt:
    """When the try must be over (monotonic seconds), how far it has come, and the means to end it."""

    deadline: float
    _handle: socket.socket | None = None
    _sending: bool = False
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def left_s(self) -> float:
        """Return the seconds left."""
        return self.deadline - time.monotonic()

    def connect(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """Connect, unless it is too late; from then on `cut` ends the connection.

        Raises:
            AttemptOverError: it is too late.
        """
        if self._over.is_set():
            raise AttemptOverError
        connected = connect()
        with self._lock:
            if self._over.is_set():
                connected.close()
                raise AttemptOverError
            # A second descriptor: TLS takes the first one away from its socket object, and a closed number may be
            # somebody else's connection by the time of the cut.
            self._handle = connected.dup()
        return connected

    def begin_sending(self) -> None:
        """Note that bytes of the request are about to leave; from then on nobody can know that none arrived.

        Raises:
            AttemptOverError: it is too late.
        """
        with self._lock:
            if self._over.is_set():
                raise AttemptOverError
            self._sending = True

    @property
    def may_have_sent(self) -> bool:
        """Whether a byte of the request may have left. Final once the try is over."""
        with self._lock:
            return self._sending

    def cut_unless_sending(self) -> bool:
        """End the try if no byte of the request has left, and tell whether: then none will."""
        with self._lock:
            if not self._sending:
                self._end()
            return not self._sending

    def cut(self) -> None:
        """End the try and its connection, if there is one, so that the thread that reads from it wakes up."""
        with self._lock:
            self._end()

    def close(self) -> None:
        """Free the descriptor."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def _end(self) -> None:
        self._over.set()
        if self._handle is not None:
            # Each fails if the peer was first. What has come already is still read after a shutdown: some megabytes
            # of a hostile peer's "100 Continue" keep the other thread busy for seconds. So it is thrown away.
            with contextlib.suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                for _ in range(_MAX_PIECES):
                    if not self._handle.recv(_PIECE_BYTES, socket.MSG_DONTWAIT):
                        break
