"""Rude servers, one exchange each."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ttsprompt_client import transport as transport_module
from ttsprompt_client.transport import Answer, NoAnswerError, Transport

DRIPS = 200
"""Ten seconds long, many times what the client may wait."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[Transport]:
    """Take one request, then behave."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    if connection.recv(65536):
                        behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Transport(f"http://127.0.0.1:{listener.getsockname()[1]}", "test")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        assert not thread.is_alive(), "the connection was not cut"


def silent(connection: socket.socket) -> None:
    connection.recv(1)  # until the client goes


def dripping(connection: socket.socket) -> None:
    """Send a byte now and then, each well within the time that a read may take."""
    connection.sendall(HEAD + b"\r\n")
    for _ in range(DRIPS):
        connection.sendall(b" ")
        time.sleep(0.05)


def dripping_head(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    for _ in range(DRIPS):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)


def endless(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n{")
    while True:
        connection.sendall(b" " * 20_000)


def torn(connection: socket.socket) -> None:
    connection.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"tid":')


def garbled(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")


@pytest.fixture
def no_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole exchange is over within the time for connecting and the time for reading."""
    monkeypatch.setattr(transport_module, "CONNECT_S", 1)


@pytest.mark.parametrize("behave", [silent, dripping, dripping_head, endless, torn, garbled])
@pytest.mark.usefixtures("no_time_to_connect")
def test_without_a_whole_answer_the_request_may_have_been_taken(behave: Callable[[socket.socket], None]) -> None:
    with server(behave) as transport, pytest.raises(NoAnswerError) as caught:
        transport.ask("POST", "/call", read_s=0.3)

    assert (caught.value.sent, caught.value.is_final) == (True, False)


@pytest.mark.usefixtures("no_time_to_connect")
def test_a_proxy_that_drips_gets_no_request_and_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(dripping_head) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(NoAnswerError) as caught:
            Transport("https://calls.example", "test").ask("POST", "/call", read_s=0.3)

    assert (caught.value.sent, caught.value.is_final) == (False, False)
    assert exchanges_end()


def exchanges_end() -> bool:
    until = time.monotonic() + 5
    while any(thread.name == "ttsprompt exchange" for thread in threading.enumerate()) and time.monotonic() < until:
        time.sleep(0.01)
    return not any(thread.name == "ttsprompt exchange" for thread in threading.enumerate())


def test_no_descriptor_is_left_of_an_exchange() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def answering(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    def ask() -> int:
        for _ in range(20):
            with server(answering) as transport:
                assert transport.ask("GET", "/").status == 200
        return descriptors()

    before, after = ask(), ask()
    assert after < before + 10


@pytest.mark.usefixtures("no_time_to_connect")
def test_a_request_that_could_not_leave_in_time_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer, look_up, taken = threading.Event(), socket.getaddrinfo, threading.Event()

    def hanging(*args: Any, **kwargs: Any) -> Any:
        assert may_answer.wait(10)
        return look_up(*args, **kwargs)

    with server(lambda _: taken.set()) as transport, monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", hanging)
        with pytest.raises(NoAnswerError) as caught:
            transport.ask("POST", "/call", read_s=0.1)
        (exchange,) = [thread for thread in threading.enumerate() if thread.name == "ttsprompt exchange"]
        may_answer.set()
        exchange.join(10)
        assert not exchange.is_alive()

    assert (caught.value.sent, caught.value.is_final) == (False, False)
    assert not taken.is_set()


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        ("https://127.0.0.1:9", {"REQUESTS_CA_BUNDLE": "/no/such/file"}),
        ("https://a..b", {}),
        (f"https://{'a' * 64}.example", {}),
    ],
    ids=["no authorities", "empty label", "long label"],
)
def test_what_keeps_a_request_from_being_made_at_all_is_told(
    url: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(NoAnswerError) as caught:
        Transport(url, "test").ask("POST", "/call")

    assert not caught.value.sent


def test_a_request_for_which_there_is_no_thread_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    transport = Transport("http://127.0.0.1:9", "test")
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(NoAnswerError) as caught:
        transport.ask("GET", "/")

    assert not caught.value.sent


@pytest.mark.parametrize("text", ["7", "6.2", " 7 "])
def test_retry_after_is_whole_seconds_rounded_up(text: str) -> None:
    assert Answer(503, {}, {"Retry-After": text}).retry_after_s == 7


def test_retry_after_may_be_a_date() -> None:
    soon, past = (datetime.now(UTC) + timedelta(seconds=s) for s in (30, -30))

    assert 20 < (Answer(503, {}, {"Retry-After": format_datetime(soon, usegmt=True)}).retry_after_s or 0) <= 30
    assert Answer(503, {}, {"Retry-After": format_datetime(past, usegmt=True)}).retry_after_s == 0


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "9" * 30])
def test_a_retry_after_that_makes_no_sense_is_none(text: str) -> None:
    assert Answer(503, {}, {"Retry-After": text}).retry_after_s is None
