"""Request bodies: read whole, under a cap and in time."""

from __future__ import annotations

import io
from typing import IO, Final

from flask import Request

from ttsprompt.errors import MalformedRequestError, RequestTimeoutError, TooLargeError
from ttsprompt.web import reading

MAX_BODY_BYTES: Final = 64 * 1024
"""No request of ours comes near it: four texts of 1500 characters and a private key."""

MAX_DISCARDED_BYTES: Final = 32 * 1024 * 1024
"""Cloud Functions lets no larger request through (https://cloud.google.com/functions/quotas)."""

_CHUNK_BYTES: Final = 64 * 1024

_SERVERS: Final = ("gunicorn.socket", "werkzeug.socket")
"""Where servers put the connection."""

_watcher: Final = reading.Watcher(reading.SECONDS)


def read_body(request: Request) -> bytes:
    """Return the raw body.

    It is always read to its end or given up here: the framework reads what is left over after us, without any cap, and
    fails if it cannot.

    Raises:
        TooLargeError: it is over the cap, whether it says so beforehand or not.
        RequestTimeoutError: it did not arrive in time.
        MalformedRequestError: it ended early.
    """
    chunked = "Transfer-Encoding" in request.headers
    connection = next((request.environ[name] for name in _SERVERS if name in request.environ), None)
    has_body = chunked or bool(request.content_length)
    watch = _watcher.begin(connection) if connection is not None and has_body else None
    body, is_broken = b"", False
    try:
        body = _read(request.stream, MAX_BODY_BYTES + 1)
        _discard(request.stream)
    except Exception:  # noqa: BLE001 - each server has errors of its own for a body that is broken or ends early
        is_broken = True
    finally:
        was_cut = watch is not None and _watcher.end(watch)
        request.stream = io.BytesIO()
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"The body may have at most {MAX_BODY_BYTES} bytes.")
    if was_cut:
        raise RequestTimeoutError(f"The body did not arrive within {reading.SECONDS:.0f} seconds.")
    # gunicorn gives what came as if it were all: a number or a PIN would be cut short.
    if is_broken or (not chunked and len(body) < (request.content_length or 0)):
        raise MalformedRequestError("The body is broken, or ended before its Content-Length.")
    return body


def _read(stream: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0 and (part := stream.read(min(size, _CHUNK_BYTES))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _discard(stream: IO[bytes]) -> None:
    """Read on for a while: a client whose connection closes while it still sends would not see our answer."""
    left = MAX_DISCARDED_BYTES
    while left > 0 and (part := stream.read(_CHUNK_BYTES)):
        left -= len(part)
