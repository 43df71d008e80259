"""HTTP requests out of files and pipes."""

from __future__ import annotations

import pytest

from ttsprompt_client import VerificationError
from ttsprompt_client.captured import read_head, read_request

HEAD = b"POST /callback?own=1 HTTP/1.1\r\nHost: a\r\nWebhook-Id: x\r\n"


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\nnext request"])
def test_a_body_ends_where_its_length_says(end: bytes, after: bytes) -> None:
    raw = (HEAD + b"Content-Length: 9\r\n\r\nstatus=ok").replace(b"\r\n", end)

    captured = read_request(raw + after)

    assert captured.content == b"status=ok"
    assert ("Webhook-Id", "x") in captured.headers


def test_a_body_without_a_length_is_all_there_is_and_chunks_are_put_together() -> None:
    assert read_request(HEAD + b"\r\nstatus=ok").content == b"status=ok"
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\nstatus\r\n3\r\n=ok\r\n0\r\n\r\n"
    assert read_request(chunked).content == b"status=ok"


def test_of_a_get_the_query_is_signed_as_it_came() -> None:
    raw = b"GET /cb?own=%41+b&tid=x&status=ok HTTP/1.1\r\nwebhook-id: x\r\n\r\n"

    assert read_request(raw).content == b"own=%41+b&tid=x&status=ok"
    assert read_head(raw).content == b"own=%41+b&tid=x&status=ok"


@pytest.mark.parametrize("first", [b"", b"POST / HTTP/1.1\r\n"])
def test_headers_alone_are_read_with_and_without_a_request_line(first: bytes) -> None:
    captured = read_head(first + b"webhook-id: x\r\nwebhook-id: y\r\n")

    assert captured.headers == [("webhook-id", "x"), ("webhook-id", "y")]
    assert captured.content == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"status=ok",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"POST /\r\n\r\nx",
        b"GET http://[bad HTTP/1.1\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\nstatus=ok",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\nsta",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"POST / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_whole_request_is_told(raw: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        read_request(raw)

    assert caught.value.code in {"unreadable", "cut_off"}
