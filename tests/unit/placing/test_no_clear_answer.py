"""No clear answer: bytes have left, and the phone may ring. A known status decides, however badly the rest comes."""

from __future__ import annotations

import threading
import time

import pytest

from tests.raw_server import Script, Serve, answering, dripping, resetting, silent
from tests.unit.placing.order import (
    CREATED,
    CREATED_BODY,
    LIMIT_S,
    SHORT,
    UUID,
    at,
    failure,
    place,
    posts,
    reply,
)
from tests.world import fields_logged
from ttsprompt.errors import VendorRefusedError, VendorUnclearError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
UNCLEAR: dict[str, Script] = {
    "closed at once": answering(b""),
    "reset": resetting(b""),
    "half a status line": answering(b"HTTP/1.1 20"),
    "reset in the status line": resetting(b"HTTP/1.1 2"),
    "not HTTP": answering(b"220 smtp.example ESMTP\r\n"),
    "a status that is none": answering(b"HTTP/1.1 2001 X\r\n\r\n"),
    "too many headers": answering(b"HTTP/1.1 201 X\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"),
    "a header without end": answering(b"HTTP/1.1 201 X\r\nX-A: " + b"b" * 70_000),
    "only a 100": answering(CONTINUE),
    "a 100, then reset": resetting(CONTINUE),
    "switched protocols": answering(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n"),
    "silence": silent(b""),
    "silence in the headers": silent(b"HTTP/1.1 201 X\r\nX-A: b\r\n"),
    "silence after a 100": silent(CONTINUE),
    "another answer after a 101": answering(b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\nHTTP/1.1 201 Created\r\n\r\n{}"),
    "silence after a 103": silent(EARLY_HINTS),
    "a dripping status line": dripping(b"HTTP/1.1 201 ", b"X"),
    "dripping headers": dripping(b"HTTP/1.1 201 X\r\nX-A: ", b"b"),
    "many dripping headers": dripping(b"HTTP/1.1 100 X\r\n", b"X-A: b\r\n"),
    "a drip of 100s": dripping(b"", CONTINUE),
    "a flood of 100s": dripping(b"", CONTINUE * 2000),
}


@pytest.mark.parametrize("script", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_it_is_unclear_soon_and_sent_once(serve: Serve, script: Script) -> None:
    server = serve(script)
    began = time.monotonic()

    error = failure(at(server), SHORT)

    assert type(error) is VendorUnclearError
    assert error.detail.startswith(("The connection broke, or no answer came in time.", "Vonage answered 101."))
    assert time.monotonic() - began < LIMIT_S
    assert server.closed_by_peer.wait(30)
    assert (server.connections, posts(server)) == (1, 1)


def test_a_server_that_never_reads_leaves_it_unclear(serve: Serve) -> None:
    server = serve(resetting(b""), unasked=True)

    assert isinstance(failure(at(server)), VendorUnclearError)
    assert server.connections == 1


# A known status decides, however badly the rest comes

ACCEPTED: dict[str, tuple[Script, str | None]] = {
    "headers break off": (answering(b"HTTP/1.1 201 Created\r\nConte"), None),
    "body breaks off": (answering(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n{"), None),
    "body ends by reset": (resetting(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n{"), None),
    "body stalls": (silent(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n{"), None),
    "whole body, wrong length": (silent(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n" + CREATED_BODY), UUID),
    "whole body, no end": (silent(b"HTTP/1.1 201 X\r\n\r\n" + CREATED_BODY), UUID),
    "dripping body": (dripping(b"HTTP/1.1 201 X\r\n\r\n" + CREATED_BODY, b" "), UUID),
    "flood": (dripping(b"HTTP/1.1 201 X\r\n\r\n", b"x" * 1_000_000), None),
    "bad chunk": (answering(b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), None),
    "bad gzip": (answering(reply(201, b"no gzip", "Content-Encoding: gzip")), None),
    "after a 100": (answering(CONTINUE + CREATED), UUID),
    "after other interim responses": (answering(PROCESSING + EARLY_HINTS + CREATED), UUID),
}


@pytest.mark.parametrize(("script", "uuid"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_201_is_accepted_soon_and_sent_once(serve: Serve, script: Script, uuid: str | None) -> None:
    server = serve(script)
    began = time.monotonic()

    assert place(at(server), timeouts=SHORT) == uuid
    assert time.monotonic() - began < LIMIT_S
    assert server.closed_by_peer.wait(30)
    assert (server.connections, posts(server)) == (1, 1)


def test_a_refusal_with_a_dripping_body_is_a_refusal(serve: Serve) -> None:
    server = serve(dripping(b"HTTP/1.1 400 X\r\n\r\n", b" "))

    assert isinstance(failure(at(server), SHORT), VendorRefusedError)


def test_the_whole_takes_the_sum_of_its_two_bounds_by_default(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the clock's readings taken from the bounds that the exchange waits for, instead of 14 s of waiting."""
    waits: list[float | None] = []
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(threading.Event, "wait", lambda _, timeout=None: waits.append(timeout))
    monkeypatch.setattr("ttsprompt.net.attempt.Attempt.cut_unless_sending", lambda _: False)

    failure("http://127.0.0.1:9")

    assert waits == [4.0, pytest.approx(14, abs=0.9)]
    assert fields_logged(caplog, "vonage_exchange_failed") == [{"failure": "deadline"}]


def test_when_no_time_is_left_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    monkeypatch.setattr(threading.Thread, "start", lambda _: None)
    monkeypatch.setattr(threading.Event, "wait", lambda _, timeout=None: waits.append(timeout))
    monkeypatch.setattr("ttsprompt.net.attempt.Attempt.cut_unless_sending", lambda _: False)
    monkeypatch.setattr("ttsprompt.net.attempt.Attempt.left_s", lambda _: -0.5)

    failure("http://127.0.0.1:9")

    assert waits[1] == 0
