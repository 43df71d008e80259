"""Bytes that are hardly HTTP, sent to the real server: it answers or hangs up, soon, and is none the worse for it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from email.parser import BytesHeaderParser

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from devphone.processes.service import Service
from tests.hostile import mostly

EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
LONGEST_S = 10


TARGETS = mostly(
    [b"/", b"/call", b"/call/x", b"/event/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x", b"//call"],
    [
        b"*",
        *(
            b"http://evil.example/call",
            b"http://evil.example",
            b"/%00",
            b"/%ff%fe",
            b"/\xff",
            b"/call?%",
            b"/" + b"a" * 3000,
            b"/../call",
            b"",
        ),
    ],
)
BODIES = st.sampled_from([b"", b"{}", b'{"to": "1"}', b"to=1&to=2", b"[" * 500, b"\xff" * 20, b"x" * 70_000])
HEADERS = mostly(
    [b"Content-Type: application/json", b"Content-Type: application/x-www-form-urlencoded", b"Connection: close"],
    [
        *(b"Content-Type: \xff", b"Authorization: Bearer e30.e30.", b"Expect: x"),
        *(b"Expect: 100-continue", b"Host: evil.example", b"X: " + b"a" * 9000, b": x", b"no colon", b"X\x00: y"),
        *(b" folded: x", b"Connection: upgrade", b"Upgrade: h2c", b"Cookie: a=b; a=b"),
    ],
)
LENGTHS = mostly(
    [b"right"],
    [
        *(b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: -1"),
        *(b"Content-Length: 1e3", b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b""),
        *(b"Content-Length: 2\r\nContent-Length: 3", b"Content-Length: 2\r\nTransfer-Encoding: chunked"),
    ],
)


@st.composite
def raw_requests(draw: st.DrawFn) -> bytes:
    body = draw(BODIES)
    length = draw(LENGTHS)
    if length == b"right":
        length = b"Content-Length: %d" % len(body)
    if b"chunked" in length:
        body = draw(
            st.sampled_from([b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", b"zz\r\n", b"5\r\nab", b"-1\r\n\r\n"])
        )
    method = draw(mostly([b"POST"], [b"GET", b"HEAD", b"DELETE", b"get", b"P\x00ST", b""]))
    version = draw(mostly([b"HTTP/1.1"], [b"HTTP/1.0", b"HTTP/9.9", b"x", b""]))
    lines = [b" ".join((method, draw(TARGETS), version)), b"Host: x", *draw(st.lists(HEADERS, max_size=3)), length]
    return b"\r\n".join(line for line in lines if line) + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("raw")
    running = Service({"CALL_STORE": f"sqlite:///{folder}/calls.db"}, log=folder / "service.log")
    running.start()
    yield running
    running.stop()


def answer(port: int, request: bytes) -> bytes:
    """Return all that comes back. The last byte is sent, so whoever waits for more waits for nothing."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection, suppress(ConnectionError):
        connection.sendall(request)
        with suppress(OSError):  # it has hung up already
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
    return received


@settings(
    max_examples=int(EXAMPLES or 300),
    derandomize=EXAMPLES is None,
    deadline=timedelta(seconds=LONGEST_S),
    suppress_health_check=list(HealthCheck),
)
@given(request=st.integers(0, 9).flatmap(lambda n: raw_requests() if n else st.binary(max_size=200)))
def test_bytes_that_are_hardly_http_are_refused_soon_and_harm_nobody(service: Service, request: bytes) -> None:
    began = time.monotonic()
    received = answer(service.port, request)

    assert time.monotonic() - began < LONGEST_S
    head, _, _ = received.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    event(status[9:12].decode() or "hung up on")
    if received:
        code = int(status.split()[1])
        fields = BytesHeaderParser().parsebytes(headers)
        assert code < 500, received
        assert fields["Location"] is None, received
        # What the server itself cannot read it refuses in its own words; ours are marked.
        if code >= 400 and fields["X-Content-Type-Options"]:
            assert fields["Content-Type"].startswith("application/problem+json")
    assert answer(service.port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 ")
