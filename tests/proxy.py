"""A TCP proxy between a client and a server that can lose replies, fall silent, or be gone."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from enum import Enum, auto


class Mode(Enum):
    """What the proxy does with bytes."""

    PASS = auto()
    LOSE_REPLIES = auto()
    """The server gets everything, the client gets nothing; then the connections break."""
    BLACK_HOLE = auto()
    """Nobody gets anything, and nobody is told."""
    GONE = auto()
    """Connections are refused or broken at once."""


class Proxy:
    """Forwards a port of 127.0.0.1 to `target` ("host:port")."""

    def __init__(self, target: str) -> None:
        host, _, port = target.partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.mode = Mode.PASS
        self.swallowed = 0
        self.cuts_replies_after: int | None = None
        """Bytes of replies after which the connections break, again and again."""
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_reply(self) -> None:
        """Lose what the server says next, for long enough to be its whole reply, and break the connections."""
        self.mode = Mode.LOSE_REPLIES

    def be(self, mode: Mode) -> None:
        """Go over to another mode for connections old and new."""
        self.mode = mode
        if mode is Mode.GONE:
            self._break()

    def close(self) -> None:
        """Stop."""
        self.mode = Mode.GONE
        self._listener.close()
        self._break()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode is Mode.GONE:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.mode is Mode.BLACK_HOLE:
                    continue
                if self.mode is Mode.LOSE_REPLIES and is_reply:
                    self.swallowed += len(data)
                    self._break_soon()
                    continue
                sink.sendall(data)
                if self.cuts_replies_after is not None and is_reply:
                    self.cuts_replies_after -= len(data)
                    if self.cuts_replies_after <= 0:
                        self.swallowed += 1
                        self._break()
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.close()

    def _break_soon(self) -> None:
        """Give the server time to work on what it got before the connections break; then all is well again."""

        def work() -> None:
            time.sleep(0.3)
            if self.mode is Mode.LOSE_REPLIES:
                self.mode = Mode.PASS
                self._break()

        threading.Thread(target=work, daemon=True).start()

    def _break(self) -> None:
        sockets, self._sockets = self._sockets, []
        for end in sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
