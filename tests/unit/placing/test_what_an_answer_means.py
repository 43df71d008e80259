"""What each answer of Vonage's means, its words and its status."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.raw_server import Serve, answering
from tests.unit.placing.order import CREATED, CREATED_BODY, UUID, at, failure, place, posts, reply
from ttsprompt.errors import VendorError, VendorRateLimitedError, VendorRefusedError, VendorUnclearError


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_is_an_accepted_call(serve: Serve, status: int) -> None:
    assert place(at(serve(answering(reply(status, CREATED_BODY))))) == UUID


def test_success_without_a_body_is_an_accepted_call(serve: Serve) -> None:
    assert place(at(serve(answering(b"HTTP/1.1 204 X\r\n\r\n")))) is None


def test_a_chunked_answer_is_read(serve: Serve) -> None:
    chunked = b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"

    assert place(at(serve(answering(chunked % (len(CREATED_BODY), CREATED_BODY))))) == UUID


def test_a_compressed_answer_which_nobody_asked_for_is_not_unpacked(serve: Serve) -> None:
    packed = gzip.compress(CREATED_BODY)

    assert place(at(serve(answering(reply(201, packed, "Content-Encoding: gzip"))))) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe\x00",
        b'{"uuid":null}',
        b'{"uuid":7}',
        b'{"uuid":""}',
        b'{"uuid":"\\ud800"}',
        b'{"uuid":"' + b"x" * 65 + b'"}',
        b'{"uuid":"a\\nb"}',
        CREATED_BODY[:-20],
        b"[" * 60_000,
        b'{"uuid":' + b"9" * 5000 + b"}",
    ],
)
def test_an_accepted_call_with_an_unreadable_body_has_no_uuid(serve: Serve, body: bytes) -> None:
    assert place(at(serve(answering(reply(201, body))))) is None


@pytest.mark.parametrize("uuid", ["a", "a" * 64])
def test_a_uuid_of_one_to_sixty_four_characters_is_one(serve: Serve, uuid: str) -> None:
    assert place(at(serve(answering(reply(201, json.dumps({"uuid": uuid}).encode()))))) == uuid


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (102, VendorUnclearError),
        (103, VendorUnclearError),
        (301, VendorRefusedError),
        (304, VendorRefusedError),
        (400, VendorRefusedError),
        (401, VendorRefusedError),
        (402, VendorRefusedError),
        (403, VendorRefusedError),
        (404, VendorRefusedError),
        (408, VendorUnclearError),
        (409, VendorRefusedError),
        (415, VendorRefusedError),
        (429, VendorRateLimitedError),
        (500, VendorUnclearError),
        (502, VendorUnclearError),
        (503, VendorUnclearError),
        (504, VendorUnclearError),
        (599, VendorUnclearError),
        (999, VendorUnclearError),
    ],
)
def test_every_status_has_its_meaning_and_is_asked_for_once(serve: Serve, status: int, kind: type[VendorError]) -> None:
    server = serve(answering(reply(status, b"", "Retry-After: 0")))

    error = failure(at(server))

    assert type(error) is kind
    assert posts(server) == 1
    if isinstance(error, VendorRefusedError):
        assert error.vendor_status == status


def test_a_date_to_come_again_is_read_by_our_clock(serve: Serve) -> None:
    error = failure(at(serve(answering(reply(429, b"", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT")))))

    assert isinstance(error, VendorRateLimitedError)
    assert error.retry_after_s == 3600


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve: Serve, status: int) -> None:
    elsewhere = serve(answering(CREATED))
    server = serve(answering(reply(status, b"", f"Location: {at(elsewhere)}/v1/calls")))

    assert isinstance(failure(at(server)), VendorRefusedError)
    assert (elsewhere.connections, posts(server)) == (0, 1)


def test_the_vendors_words_come_along(serve: Serve) -> None:
    body = b'{"title":"Forbidden","detail":"No funds.","instance":"i-1"}'

    error = failure(at(serve(answering(reply(403, body)))))

    assert (error.detail, error.trace_id) == ("Forbidden: No funds.", "i-1")


def test_a_refusal_whose_body_breaks_off_is_still_a_refusal(serve: Serve) -> None:
    server = serve(answering(b"HTTP/1.1 400 X\r\nContent-Length: 500\r\n\r\n{"))

    assert isinstance(failure(at(server)), VendorRefusedError)
    assert posts(server) == 1
