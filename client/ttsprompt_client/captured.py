"""Reads one HTTP request as it came over the wire, out of a file or a pipe."""

from __future__ import annotations

import http.client
import io
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ttsprompt_client.errors import VerificationError

MAX_BYTES: Final = 1024 * 1024
_REQUEST_LINE_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Captured:
    """A request's headers, and the content that its signature covers: the body, or a GET's query string."""

    headers: list[tuple[str, str]]
    content: bytes


def read_request(raw: bytes) -> Captured:
    """Return the request that `raw` holds: head, blank line, body, with lines that end in CRLF or LF.

    Raises:
        VerificationError: it is none, or its body is cut off.
    """
    stream = io.BytesIO(raw)
    target = _target(stream.readline())
    headers = _headers(stream)
    if target[0] == "GET":
        return Captured(headers, target[1])
    return Captured(headers, _body(headers, stream.read()))


def read_head(raw: bytes) -> Captured:
    """Return the headers of a file that holds no body, with or without a request line; the content is a GET's query."""
    first, _, rest = raw.partition(b"\n")
    if b" HTTP/" not in first:
        return Captured(_headers(io.BytesIO(raw)), b"")
    method, query = _target(first)
    return Captured(_headers(io.BytesIO(rest)), query if method == "GET" else b"")


def _target(line: bytes) -> tuple[str, bytes]:
    parts = line.decode("latin-1").split()
    if len(parts) != _REQUEST_LINE_PARTS or not parts[2].startswith("HTTP/"):
        raise VerificationError("unreadable", "This does not begin like an HTTP request (POST /path HTTP/1.1).")
    try:
        query = urlsplit(parts[1]).query
    except ValueError:
        raise VerificationError("unreadable", "The request's target is no URL.") from None
    return parts[0].upper(), query.encode("latin-1")


def _headers(stream: io.BytesIO) -> list[tuple[str, str]]:
    try:
        return http.client.parse_headers(stream).items()
    except http.client.HTTPException:
        raise VerificationError("unreadable", "The request's headers cannot be read.") from None


class _Socket:
    """What `http.client` reads a message from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)


def _body(headers: list[tuple[str, str]], rest: bytes) -> bytes:
    """Return the body, as its framing says: a length, chunks, or all there is.

    What follows its end is left: editors and shells add a newline.
    """
    framing = [(name, value) for name, value in headers if name.lower() in {"content-length", "transfer-encoding"}]
    head = "".join(f"{name}: {value}\r\n" for name, value in framing)
    # The standard library reads bodies of answers alone; they are framed in the same way (RFC 9112 §6).
    message = http.client.HTTPResponse(_Socket(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode("latin-1") + rest))  # type: ignore[arg-type]
    try:
        message.begin()
        return message.read()
    except (http.client.HTTPException, ValueError):
        raise VerificationError("cut_off", "The body is shorter than its head says, or broken.") from None
