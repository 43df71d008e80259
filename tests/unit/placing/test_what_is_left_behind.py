"""Of a call that was placed nothing is left: no secret in a log or an error, no descriptor, no thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import TOKEN
from tests.raw_server import Script, Serve, answering, dripping, resetting
from tests.unit.placing.order import (
    CALL,
    CREATED,
    JWT,
    ORDER,
    SHORT,
    at,
    failure,
    join_all,
    place,
    placing_threads,
    reply,
)
from ttsprompt.errors import VendorError, VendorUnclearError


@pytest.mark.parametrize(
    "script",
    [answering(CREATED), answering(reply(400, JWT.encode())), answering(b""), resetting(b""), answering(b"x" * 70_000)],
    ids=["created", "refused", "closed", "reset", "not HTTP"],
)
def test_neither_logs_nor_errors_hold_token_number_or_text(
    serve: Serve, caplog: pytest.LogCaptureFixture, script: Script
) -> None:
    server = serve(script)
    told = ""
    with caplog.at_level(logging.DEBUG):
        try:
            place(at(server))
        except VendorError as error:
            told = "".join(repr(e) for e in (error, error.detail, error.__cause__, error.__context__))

    told += caplog.text + "".join(str(vars(record)) for record in caplog.records)
    for secret in (JWT, CALL.to, ORDER.from_, "enter the PIN", TOKEN):
        assert secret not in told


@pytest.mark.parametrize("at_fault", [b"", b"not HTTP\r\n"])
def test_the_log_tells_the_kind_of_failure(serve: Serve, caplog: pytest.LogCaptureFixture, at_fault: bytes) -> None:
    failure(at(serve(answering(at_fault))))

    [record] = [r for r in caplog.records if r.name.startswith("ttsprompt")]
    assert (record.getMessage(), vars(record)["fields"]) == ("vonage_exchange_failed", {"failure": "ConnectionError"})


def test_no_descriptor_is_left_open(serve: Serve) -> None:
    scripts = [answering(CREATED), answering(b""), resetting(b""), dripping(b"HTTP/1.1 201 X\r\nA: ", b"b")]
    servers = [serve(script) for script in scripts]
    place(at(servers[0]))
    before = open_descriptors()

    for server in servers:
        try:
            place(at(server), timeouts=SHORT)
        except VendorUnclearError:
            continue
    join_all(placing_threads())
    for server in servers:
        assert server.closed_by_peer.wait(5)

    assert settles(lambda: open_descriptors() <= before)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def settles(condition: Callable[[], bool]) -> bool:
    """The servers' threads close their ends a moment later."""
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()
