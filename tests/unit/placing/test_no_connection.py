"""No connection comes about: it is certain that no phone rings."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from tests.raw_server import Serve, answering
from tests.unit.placing.order import CREATED, LIMIT_S, SHORT_SETUP, at, failure, join_all, placing_threads, posts
from ttsprompt.errors import VendorUnreachableError


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = failure(f"http://127.0.0.1:{port}")

    assert type(error) is VendorUnreachableError
    assert "nothing was sent" in error.detail


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert type(failure("http://vonage.invalid")) is VendorUnreachableError


@pytest.mark.parametrize("name", ["x" * 64 + ".example", "a..b", "[::1", "%zz"])
def test_a_name_that_cannot_exist_is_unreachable(name: str) -> None:
    assert type(failure(f"http://{name}")) is VendorUnreachableError


def test_an_address_that_swallows_packets_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float | None] = []

    def connect(self: socket.socket, _: object) -> None:
        timeouts.append(self.gettimeout())
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)

    assert type(failure("http://127.0.0.1:9")) is VendorUnreachableError
    assert timeouts == [3.0]


def test_a_look_up_that_hangs_is_unreachable_in_time(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    release = threading.Event()
    server = serve(answering(CREATED))
    real = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        release.wait(10)
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    began = time.monotonic()

    error = failure(at(server), SHORT_SETUP)

    assert time.monotonic() - began < LIMIT_S
    assert [thread.daemon for thread in placing_threads()] == [True]
    release.set()
    assert type(error) is VendorUnreachableError
    join_all(placing_threads())
    assert posts(server) == 0


def test_a_connection_that_comes_too_late_is_closed_unused(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    server, release = serve(answering(CREATED)), threading.Event()

    def connect_late(self: socket.socket, address: Any) -> None:
        release.wait(10)
        socket.SocketType.connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_late)

    error = failure(at(server), SHORT_SETUP)
    release.set()

    assert type(error) is VendorUnreachableError
    assert server.closed_by_peer.wait(5)
    assert server.received == [b""]


def test_without_a_thread_it_is_unreachable(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    server = serve(answering(CREATED))

    def start(_: threading.Thread) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        error = failure(at(server))

    assert type(error) is VendorUnreachableError
    assert "no thread" in error.detail
    assert server.connections == 0
