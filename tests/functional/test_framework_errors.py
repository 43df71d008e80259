"""What the framework refuses, or fails at, before a request is ours: answered as our own problems are."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from flask import Flask, Request
from werkzeug.exceptions import HTTPException
from werkzeug.test import create_environ

from ttsprompt import errors
from ttsprompt.web import bodies, problems


class Refused(HTTPException):
    """An exception of the framework's, with any status."""

    def __init__(self, code: int | None) -> None:
        super().__init__("told by the framework")
        self.code = code


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        (404, 404, "not_found"),
        (400, 400, "malformed"),
        (414, 400, "malformed"),
        (499, 400, "malformed"),
        (500, 500, "internal"),
        (503, 500, "internal"),
        (301, 500, "internal"),
        (None, 500, "internal"),
    ],
)
def test_a_fault_of_the_request_is_the_callers_and_any_other_is_logged_as_ours(
    code: int | None, status: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = Refused(code)
    with Flask("x").test_request_context():
        response = problems.http_problem(error)
    body = json.loads(response.get_data())

    assert (response.status_code, body["status"], body["code"]) == (status, status, told)
    assert "told by the framework" not in body["detail"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    logged = [(record.levelno, record.message, record.exc_info and record.exc_info[1]) for record in caplog.records]
    assert logged == ([(logging.ERROR, "framework_error", error)] if told == "internal" else [])


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/call", "/call"),
        ("/call/6a2827c9-4c68-46fc-b179-115f055dc0eb/redeliver", "/call"),
        ("//event/x", "/event"),
        ("/Xylophone/x", "/Xylophone"),
        ("/" + "a" * 40, "/" + "a" * 32),
        ("/", "/"),
    ],
)
def test_of_a_path_the_log_has_its_beginning_and_no_tid(
    path: str, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Any) -> Any:
        raise RuntimeError

    problems.answer(Request({**create_environ(), "PATH_INFO": path}), fails)

    (record,) = caplog.records
    assert record.__dict__["fields"] == {"method": "GET", "route": route}


def _raised(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status", "logged"),
    [
        (
            _raised(errors.StoreUnavailableError(), TimeoutError()),
            503,
            [("store_unavailable", {"route": "/call", "cause": "TimeoutError"}, False)],
        ),
        (
            errors.CorruptRecordError("6a2827c9-4c68-46fc-b179-115f055dc0eb"),
            503,
            [("record_unreadable", {"route": "/call", "tid": "6a2827c9-4c68-46fc-b179-115f055dc0eb"}, True)],
        ),
        (errors.CallExistsError(), 500, [("internal_error", {"method": "POST", "route": "/call"}, True)]),
        (ValueError("a bug"), 500, [("internal_error", {"method": "POST", "route": "/call"}, True)]),
        (errors.CallNotFoundError(), 404, []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_our_fault_is_an_error_in_the_log_with_its_route_and_the_callers_is_none(
    error: Exception, status: int, logged: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Any) -> Any:
        raise error

    response = problems.answer(Request(create_environ("/call/x", method="POST")), fails)

    assert response.status_code == status
    assert [
        (record.message, record.__dict__["fields"], bool(record.exc_info and record.exc_info[1] is error))
        for record in caplog.records
    ] == logged
    assert {record.levelno for record in caplog.records} <= {logging.ERROR}


class Counted(io.BytesIO):
    """The rest of a body, of so many bytes; counts what was read of it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left, self.was_read, self.largest = size, 0, 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        part = b"x" * min(size, self.left)
        self.left -= len(part)
        self.was_read += len(part)
        self.largest = max(self.largest, size)
        return part


@pytest.mark.parametrize("rest", [0, 1, 100_000, bodies.MAX_DISCARDED_BYTES, bodies.MAX_DISCARDED_BYTES * 2])
def test_of_a_body_that_is_too_large_the_rest_is_read_in_pieces_and_at_most_as_much_as_the_cloud_lets_through(
    rest: int,
) -> None:
    stream = Counted(rest)
    bodies._discard(stream)

    assert stream.was_read == min(rest, bodies.MAX_DISCARDED_BYTES)
    assert stream.largest <= 64 * 1024
