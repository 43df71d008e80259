"""One exchange over HTTP, over by the wall clock whatever the peer does.

The time-outs of requests hold for each read alone, and for no look-up of a name: a peer that drips a byte now and then
keeps it waiting for ever. So the exchange has a thread of its own, and whoever waits for it cuts the connection.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

T = TypeVar("T")


class TooLateError(Exception):
    """The exchange was not over in time.

    Attributes:
        sent: the peer may have got the request. If not, it never will.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__("The exchange was not over in time.")
        self.sent = sent


def within(seconds: float, work: Callable[[requests.Session], T]) -> T:
    """Return what `work` returns, with a session of its own, or raise what it raises.

    Raises:
        TooLateError: it took longer, or could not begin. Its connection is cut; it opens no other.
    """
    line, done = _Line(), Future[T]()

    def run() -> None:
        try:
            with requests.Session() as session:
                for scheme in ("http://", "https://"):
                    session.mount(scheme, _Adapter(line))
                done.set_result(work(session))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    # A daemon: a name server that says nothing must not keep the process from ending.
    thread = threading.Thread(target=run, name="ttsprompt exchange", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # this machine has no thread left
        raise TooLateError(sent=False) from error
    try:
        return done.result(seconds)
    except TimeoutError:
        raise TooLateError(sent=line.cut()) from None
    finally:
        line.cut()


class _Line:
    """The connection of one exchange."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: socket.socket | None = None
        self._is_cut = False

    def opened(self, connection: socket.socket) -> None:
        """Note the connection.

        Raises:
            ConnectionAbortedError: it comes too late.
        """
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError
            self._opened = connection

    def cut(self) -> bool:
        """End the connection, so that the thread that reads from it wakes up, and let there be no other.

        Returns whether there was one: bytes may have left then, and never will otherwise.
        """
        with self._lock:
            self._is_cut = True
            if self._opened is None:
                return False
            with contextlib.suppress(OSError):
                # Not TLS's own, which would change the object in the other thread's hands.
                socket.socket.shutdown(self._opened, socket.SHUT_RDWR)
            return True


class _Connection:
    """Mixed into urllib3's: tells the line when it is connected, TLS and a proxy's tunnel included."""

    line: _Line
    sock: socket.socket

    def connect(self) -> None:
        """Connect."""
        super().connect()  # type: ignore[misc] # of urllib3's class
        self.line.opened(self.sock)


class _Adapter(HTTPAdapter):
    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = type("Connection", (_Connection, pool.ConnectionCls), {"line": self._line})
        return pool
