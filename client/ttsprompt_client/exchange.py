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
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

T = TypeVar("T")


class BrokenError(Exception):
    """The exchange came to nothing. What went wrong is its cause: a `TimeoutError`, or an error of the libraries.

    Attributes:
        sent: the peer may have got the request. If not, it never will.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__()
        self.sent = sent


def within(seconds: float, work: Callable[[requests.Session], T]) -> T:
    """Return what `work` returns, with a session of its own, or raise what it raises.

    Raises:
        BrokenError: it took longer, could not begin, or failed. Its connection is cut; it opens no other.
    """
    line, done = _Line(), Future[T]()

    def run() -> None:
        try:
            with requests.Session() as session:
                for scheme in ("http://", "https://"):
                    session.mount(scheme, _Adapter(line))
                result = work(session)
            done.set_result(result)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    # A daemon: a name server that says nothing must not keep the process from ending.
    thread = threading.Thread(target=run, name="ttsprompt exchange", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # this machine has no thread left
        raise BrokenError(sent=False) from error
    try:
        return done.result(seconds)
    # Both libraries let errors of the other, of sockets and of codecs through.
    except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
        raise BrokenError(sent=line.cut()) from error
    finally:
        line.cut()


class _Line:
    """The connection of one exchange."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._handle: socket.socket | None = None
        self._is_cut = self._is_ready = False

    def opened(self, connection: socket.socket) -> None:
        """Note the connection, to the peer or to a proxy.

        Raises:
            ConnectionAbortedError: it comes too late.
        """
        with self._lock:
            if self._is_cut:
                connection.close()
            self.go_on()
            self._close()
            # A descriptor of our own: TLS takes the other one away from its socket.
            self._handle = connection.dup()

    def ready(self) -> None:
        """Note that the request may leave: TLS and a proxy's tunnel are there.

        Raises:
            ConnectionAbortedError: it comes too late.
        """
        with self._lock:
            self.go_on()
            self._is_ready = True

    def cut(self) -> bool:
        """End the connection, so that the thread that reads from it wakes up, and let there be no other.

        Returns whether bytes of the request may have left; if not, none will.
        """
        with self._lock:
            self._is_cut = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)
            self._close()
            return self._is_ready

    def go_on(self) -> None:
        """Raise ConnectionAbortedError if it is cut."""
        with self._lock:
            if self._is_cut:
                raise ConnectionAbortedError

    def _close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class _Connection(HTTPConnection):
    """Mixed into the connections of urllib3, with TLS and without: tells the line how far it is."""

    line: _Line

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        self.line.opened(connection)
        return connection

    def _tunnel(self) -> None:
        super()._tunnel()
        # Of a connection that was cut it takes the end for that of the proxy's answer.
        self.line.go_on()

    def connect(self) -> None:
        """Connect, through a proxy's tunnel and with TLS where those are asked for."""
        super().connect()
        self.line.ready()


class _Adapter(HTTPAdapter):
    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = type("Connection", (_Connection, pool.ConnectionCls), {"line": self._line})
        return pool
