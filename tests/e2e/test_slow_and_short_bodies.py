"""Bodies that end early, drip or are compressed, sent to the real server: nobody is phoned for half a request."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from devphone.processes.service import Service
from tests.fakes import FakeClock
from tests.world import REQUEST, bearer

THREADS = 4 * (os.cpu_count() or 1)
"""Of the framework's server, when nobody sets them."""
LONGEST_S = 60
FORM = b"to=447970513607&from=447520616161&text=Hi&callback=https://example.com/&pin_code=123456"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("bodies")
    running = Service(
        # Nothing listens at Vonage's address: a request that is taken is answered with 503.
        {"CALL_STORE": f"sqlite:///{folder}/calls.db", "VONAGE_API_URL": "http://127.0.0.1:9"},
        log=folder / "service.log",
    )
    running.start()
    assert answer(running, head(b"Content-Length: %d" % len(FORM)), FORM)[0] == 503
    yield running
    running.stop()


def head(length: bytes, kind: bytes = b"application/x-www-form-urlencoded", *more: bytes) -> bytes:
    token = bearer(FakeClock(), exp=int(time.time()) + 900)["Authorization"].encode()
    lines = (
        *(b"POST /call HTTP/1.1", b"Host: x", b"Connection: close", b"Content-Type: " + kind),
        *(b"Authorization: " + token, length, *more),
    )
    return b"\r\n".join(lines) + b"\r\n\r\n"


def answer(service: Service, *pieces: bytes, half_close: bool = True) -> tuple[int, dict[str, object]]:
    """Send pieces, stop sending, and return status and problem."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=LONGEST_S) as connection:
        for piece in pieces:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return read(connection)


def read(connection: socket.socket) -> tuple[int, dict[str, object]]:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    start, _, body = received.partition(b"\r\n\r\n")
    return int(start.split()[1]), json.loads(body)


def records(service: Service) -> int:
    """Return how many calls are stored. The file has its schema once a request was taken, as one was by the fixture."""
    path = Path(service.settings["CALL_STORE"].removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM calls").fetchone()[0]
        return count


def test_a_whole_form_is_taken(service: Service) -> None:
    status, problem = answer(service, head(b"Content-Length: %d" % len(FORM)), FORM)

    assert (status, problem["code"]) == (503, "vendor_unreachable")


@pytest.mark.parametrize("missing", [1, 3, 20, len(FORM)])
@pytest.mark.parametrize("kind", [b"application/x-www-form-urlencoded", b"application/json"])
def test_a_body_that_ends_before_its_length_is_refused(service: Service, missing: int, kind: bytes) -> None:
    """Half a form is a form: another number, or a PIN of three digits."""
    body = FORM if b"form" in kind else json.dumps(REQUEST).encode()
    status, problem = answer(service, head(b"Content-Length: %d" % len(body), kind), body[:-missing])

    assert (status, problem["code"]) == (400, "malformed")
    assert records(service) == 0


@pytest.mark.parametrize(
    "chunks",
    [b"%x\r\n" % len(FORM) + FORM[:-3], b"%x\r\n" % len(FORM) + FORM + b"\r\n", b"10\r\n" + FORM[:16] + b"\r\n"],
)
def test_a_chunked_body_that_ends_early_is_refused(service: Service, chunks: bytes) -> None:
    status, problem = answer(service, head(b"Transfer-Encoding: chunked"), chunks)

    assert (status, problem["code"]) == (400, "malformed")
    assert records(service) == 0


def test_a_chunked_body_that_is_whole_is_taken(service: Service) -> None:
    status, problem = answer(
        service, head(b"Transfer-Encoding: chunked"), b"%x\r\n" % len(FORM) + FORM + b"\r\n0\r\n\r\n"
    )

    assert (status, problem["code"]) == (503, "vendor_unreachable")


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"GZIP", b"deflate, identity", b"zstd"])
def test_a_compressed_body_is_refused_as_such(service: Service, encoding: bytes) -> None:
    length = b"Content-Length: %d" % len(FORM)
    status, problem = answer(
        service, head(length, b"application/x-www-form-urlencoded", b"Content-Encoding: " + encoding), FORM
    )

    assert (status, problem["code"]) == (415, "unsupported_media_type")


def test_the_encoding_that_is_none_is_taken(service: Service) -> None:
    length = b"Content-Length: %d" % len(FORM)
    status, _ = answer(service, head(length, b"application/x-www-form-urlencoded", b"Content-Encoding: identity"), FORM)

    assert status == 503


def drip(service: Service, length: bytes, first: bytes) -> tuple[int, dict[str, object]]:
    """Send a byte now and then until the server has had enough."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=LONGEST_S) as connection:
        connection.sendall(head(length) + first)
        over = threading.Event()

        def more() -> None:
            with suppress(OSError):
                while not over.wait(0.2):
                    connection.sendall(b"1\r\nx\r\n" if b"chunked" in length else b"x")

        threading.Thread(target=more, daemon=True).start()
        try:
            return read(connection)
        finally:
            over.set()


@pytest.mark.parametrize("length", [b"Content-Length: 60000", b"Transfer-Encoding: chunked"])
def test_as_many_dripping_bodies_as_there_are_threads_stop_nobody_for_long(service: Service, length: bytes) -> None:
    with ThreadPoolExecutor(THREADS + 1) as pool:
        dripping = [
            pool.submit(drip, service, length, b"2\r\nto\r\n" if b"chunked" in length else b"to")
            for _ in range(THREADS)
        ]
        time.sleep(1)  # they have the threads by now, or most of them
        webhook = pool.submit(
            answer, service, b"GET /answer/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", half_close=False
        )

        assert webhook.result()[0] == 404
        for one in dripping:
            status, problem = one.result()
            assert (status, problem["code"]) == (408, "request_timeout")
    assert records(service) == 0


def test_a_silent_body_is_given_up(service: Service) -> None:
    status, problem = answer(service, head(b"Content-Length: 100") + b"to=", half_close=False)

    assert (status, problem["code"]) == (408, "request_timeout")


def test_two_requests_on_one_connection_are_both_answered(service: Service) -> None:
    """The time of one body is not counted on the next."""
    request = head(b"Content-Length: %d" % len(FORM)).replace(b"Connection: close\r\n", b"")
    with socket.create_connection(("127.0.0.1", service.port), timeout=LONGEST_S) as connection:
        for _ in range(2):
            connection.sendall(request + FORM)
            received = b""
            while b"}" not in received:
                received += connection.recv(65536)
            assert received.startswith(b"HTTP/1.1 503")
