"""A request's body: all of it, or the reason why it is not taken, whatever the server is."""

from __future__ import annotations

import io
import socket
import tracemalloc
from collections.abc import Iterator
from typing import IO, Any

import pytest
from flask import Request

from ttsprompt.errors import MalformedRequestError, RequestTimeoutError, TooLargeError
from ttsprompt.web import bodies
from ttsprompt.web.bodies import MAX_BODY_BYTES, read_body
from ttsprompt.web.reading import Watch, Watcher


class Broken(io.RawIOBase):
    """A stream that gives `start` and then fails, as gunicorn's does at a broken chunk."""

    def __init__(self, start: bytes = b"") -> None:
        self._left = start

    def read(self, size: int = -1) -> bytes:
        part, self._left = self._left[:size], self._left[size:]
        if not part:
            raise ValueError("invalid chunk size")
        return part


def a_request(stream: IO[bytes] | Broken, length: int | None = None, **environ: Any) -> Request:
    """Return a request as gunicorn hands it over: the stream ends where the body does, or where the client went."""
    given = {"REQUEST_METHOD": "POST", "wsgi.input": stream, "wsgi.input_terminated": True, **environ}
    return Request(given if length is None else {**given, "CONTENT_LENGTH": str(length)})


def sent(body: bytes) -> Request:
    return a_request(io.BytesIO(body), len(body))


class Noting(Watcher):
    """Notes which connections it is to watch, and cuts none."""

    def __init__(self) -> None:
        super().__init__(60)
        self.watched: list[socket.socket] = []
        self.ended: list[Watch] = []

    def begin(self, connection: socket.socket) -> Watch:
        self.watched.append(connection)
        return Watch(connection, 0)

    def end(self, watch: Watch) -> bool:
        self.ended.append(watch)
        return watch.was_cut


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Noting:
    noting = Noting()
    monkeypatch.setattr(bodies, "_watcher", noting)
    return noting


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(30)
        yield ours


# How much


@pytest.mark.parametrize("size", [1, 1000, MAX_BODY_BYTES])
def test_a_body_up_to_the_cap_is_returned_whole(size: int) -> None:
    body = bytes(index % 251 for index in range(size))

    assert read_body(sent(body)) == body


def test_a_body_that_comes_in_pieces_is_put_together() -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 7))

    body = bytes(range(100))

    assert read_body(a_request(Dripping(body), len(body))) == body


@pytest.mark.parametrize("length", [MAX_BODY_BYTES + 1, None])
def test_a_body_over_the_cap_is_too_large_whether_it_says_so_or_not(length: int | None) -> None:
    chunked = {} if length else {"HTTP_TRANSFER_ENCODING": "chunked"}

    with pytest.raises(TooLargeError, match=f"^The body may have at most {MAX_BODY_BYTES} bytes.$"):
        read_body(a_request(io.BytesIO(bytes(MAX_BODY_BYTES + 1)), length, **chunked))


def test_of_a_body_over_the_cap_the_rest_is_read_and_not_kept() -> None:
    body = io.BytesIO(bytes(8_000_000))
    request = a_request(body, 8_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            read_body(request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert body.read() == b"", "the client would not see the answer"
    assert peak < 1_000_000


def test_nothing_of_a_body_is_left_for_the_framework() -> None:
    request = a_request(Broken(b"text=h"), 7)
    with pytest.raises(MalformedRequestError):
        read_body(request)

    assert request.stream.read() == b""


# How it ends


@pytest.mark.parametrize("came", [b"", b"text=h"])
def test_a_body_that_ends_before_its_length_is_broken(came: bytes) -> None:
    with pytest.raises(MalformedRequestError, match=r"^The body is broken, or ended before its Content-Length\.$"):
        read_body(a_request(io.BytesIO(came), 7))


@pytest.mark.parametrize("start", [b"", b"text=hi"])
@pytest.mark.parametrize(("length", "chunked"), [(7, {}), (None, {"HTTP_TRANSFER_ENCODING": "chunked"})])
def test_a_body_whose_reading_fails_is_broken(start: bytes, length: int | None, chunked: dict[str, str]) -> None:
    with pytest.raises(MalformedRequestError):
        read_body(a_request(Broken(start), length, **chunked))


def test_a_chunked_body_needs_no_length() -> None:
    assert read_body(a_request(io.BytesIO(b"text=hi"), HTTP_TRANSFER_ENCODING="chunked")) == b"text=hi"


def test_a_length_beside_chunks_says_nothing() -> None:
    request = a_request(io.BytesIO(b"text=hi"), 99, HTTP_TRANSFER_ENCODING="chunked")

    assert read_body(request) == b"text=hi"


# How long it takes


@pytest.mark.parametrize("server", ["gunicorn.socket", "werkzeug.socket"])
def test_a_body_that_does_not_arrive_in_time_is_given_up(
    connection: socket.socket, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_watcher", Watcher(0.05))
    with connection.makefile("rb") as stream, pytest.raises(RequestTimeoutError) as raised:
        read_body(a_request(stream, 7, **{server: connection}))

    assert str(raised.value) == "The body did not arrive within 5 seconds."


@pytest.mark.parametrize(("length", "chunked"), [(7, {}), (None, {"HTTP_TRANSFER_ENCODING": "chunked"})])
def test_a_body_is_watched_until_it_is_read(
    connection: socket.socket, length: int | None, chunked: dict[str, str], watcher: Noting
) -> None:
    environ = {"gunicorn.socket": connection, **chunked}

    assert read_body(a_request(io.BytesIO(b"text=hi"), length, **environ)) == b"text=hi"
    assert watcher.watched == [connection]
    assert [watch.connection for watch in watcher.ended] == [connection]


def test_a_body_that_is_broken_is_watched_no_more(connection: socket.socket, watcher: Noting) -> None:
    with pytest.raises(MalformedRequestError):
        read_body(a_request(Broken(), 7, **{"gunicorn.socket": connection}))

    assert len(watcher.ended) == 1


@pytest.mark.parametrize("length", [None, 0])
def test_a_request_without_a_body_is_not_watched(
    connection: socket.socket, length: int | None, watcher: Noting
) -> None:
    assert read_body(a_request(io.BytesIO(), length, **{"gunicorn.socket": connection})) == b""
    assert watcher.watched == []


def test_where_the_server_shows_no_connection_nothing_is_watched(watcher: Noting) -> None:
    assert read_body(sent(b"text=hi")) == b"text=hi"
    assert watcher.watched == []
