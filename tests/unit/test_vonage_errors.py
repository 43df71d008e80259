"""Vonage's error answers, as its SDKs' test data and the documents show them, and as nobody promised them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttsprompt.errors import (
    FieldFault,
    VendorError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
)
from ttsprompt.vonage.errors import vendor_error

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln"
NO_HEADERS: Mapping[str, str] = {}


def judged(status: int, body: object = None, headers: Mapping[str, str] = NO_HEADERS) -> VendorError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return vendor_error(status, headers, raw, JWT, NOW)


def faults(parameters: object) -> list[FieldFault]:
    error = judged(400, {"title": "Bad Request", "invalid_parameters": parameters})
    assert isinstance(error, VendorRefusedError)
    return list(error.faults)


# The words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "BAD_REQUEST", "error_title": "Bad Request"}, "Bad Request"),
        ({"type": 400, "title": "Bad Request"}, "Bad Request"),
        (
            {
                "type": "https://developer.nexmo.com/api-errors#unauthorized",
                "title": "Unauthorized",
                "detail": "You did not provide correct credentials.",
                "instance": "a813c536",
            },
            "Unauthorized: You did not provide correct credentials.",
        ),
        ({"detail": "Only this."}, "Only this."),
        ({"title": "", "error_title": "Used"}, "Used"),
        ({"title": 7, "error_title": "Used", "detail": ["no text"]}, "Used"),
        ({"title": "Grüße \u00a0 aus\tBerlin\r\nX: y"}, "Grüße aus Berlin X: y"),
        ({"title": "a\x00b\x1b[31mc\u202ed\u2028e"}, "a b [31mc d e"),
    ],
)
def test_the_words_of_every_shape_are_found(body: object, words: str) -> None:
    assert judged(400, body).detail == words


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Request</html>",
        b"\xff\xfe\x00\xd8",
        b"[" * 60_000,
        b'{"title":' * 5000,
        b'{"n":' + b"9" * 5000 + b"}",
        [],
        "Bad Request",
        None,
        7,
        {},
        {"title": None, "detail": {}},
        {"title": "\n\t ", "detail": "\ud800"},
    ],
)
def test_an_answer_without_words_is_told_by_its_status(body: object) -> None:
    assert judged(400, body).detail == "Vonage answered 400."


def test_words_are_cut_to_300_characters() -> None:
    error = judged(400, {"title": "t" * 400, "detail": "d" * 400, "instance": "i" * 400})

    assert (len(error.detail), len(error.trace_id or "")) == (300, 300)


def test_lone_surrogates_cannot_spoil_our_answer() -> None:
    error = judged(400, b'{"title":"a\\ud800b","invalid_parameters":{"\\udfff":"\\ud800"}}')

    assert isinstance(error, VendorRefusedError)
    told = f"{error.detail}{error.faults}"
    assert told.encode()
    assert error.detail == "a b"


@pytest.mark.parametrize(
    "echo",
    [
        *(JWT, f"Bearer {JWT}", f"{JWT[:9]}\u0000{JWT[9:]} {JWT}", f"{'x' * 290}{JWT}"),
        "\n".join(JWT[start : start + 20] for start in range(0, len(JWT), 20)),
    ],
)
def test_an_echoed_token_is_taken_out_everywhere(echo: str) -> None:
    body = {
        "title": echo,
        "detail": echo,
        "instance": echo,
        "invalid_parameters": [{"name": echo, "reason": echo}],
    }

    error = judged(400, body)

    assert isinstance(error, VendorRefusedError)
    assert JWT not in f"{error.detail}{error.trace_id}{error.faults}".replace(" ", "")


@pytest.mark.parametrize("between", ["", "\0", "\n", "\u200b"])
def test_a_webhooks_token_that_is_echoed_is_taken_out_whole(between: str) -> None:
    error = judged(400, {"title": f"no /event/x?token=AbCd{between}EfGh&step=1 here", "detail": ""})

    assert "AbCd" not in error.detail
    assert "EfGh" not in error.detail
    assert "token=[token]&step=1 here" in error.detail


def test_a_token_echoed_as_a_trace_id_is_taken_out() -> None:
    assert judged(500, headers={"x-nexmo-trace-id": JWT}).trace_id == "[token]"


def test_a_webhook_url_that_is_echoed_loses_its_secret() -> None:
    url = "https://calls.example.com/event/6a2827c9?token=Zx-9_aB3&step=1"
    error = judged(500, {"title": "Bad event_url", "detail": f"'{url}' cannot be reached"})

    assert error.detail.startswith("Bad event_url: 'https://calls.example.com/event/6a2827c9?token=[token]&step=1'")


# The fields


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"to": "Is required."}, [FieldFault("to", "vendor", "Is required.")]),
        (
            [{"name": "number", "reason": "can contain up to 15 digits prefixed with +"}],
            [FieldFault("to", "vendor", "can contain up to 15 digits prefixed with +")],
        ),
        ([{"name": "from", "reason": "no"}], [FieldFault("from", "vendor", "no")]),
        ([{"name": "event_url", "reason": "no"}], [FieldFault("event_url", "vendor", "no")]),
        ([{"name": None, "reason": None}], [FieldFault("?", "vendor", "Refused.")]),
        ([{"name": ["to"], "reason": {}}, "to", 7, None], [FieldFault("?", "vendor", "Refused.")]),
        ([{}], [FieldFault("?", "vendor", "Refused.")]),
        ({}, []),
        ([], []),
        (None, []),
        ("to", []),
        (7, []),
    ],
)
def test_invalid_parameters_become_faults_of_our_fields(parameters: object, expected: list[FieldFault]) -> None:
    assert faults(parameters) == expected


def test_the_faults_are_bounded() -> None:
    assert len(faults([{"name": "n" * 999, "reason": "r" * 999}] * 500)) == 20
    assert len(faults({f"field-{n}": "no" for n in range(500)})) == 20
    assert len(faults({"n" * 999: "r" * 999})[0].message) == 300


# The trace id


@pytest.mark.parametrize(
    ("headers", "body", "trace_id"),
    [
        ({"x-nexmo-trace-id": "t-1"}, {"instance": "i-1"}, "t-1"),
        ({}, {"instance": "i-1"}, "i-1"),
        ({"x-nexmo-trace-id": " "}, {"instance": "i-1"}, "i-1"),
        ({}, {"instance": 7}, None),
        ({}, [], None),
    ],
)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_the_trace_id_is_the_headers_or_else_the_instance(
    status: int, headers: dict[str, str], body: object, trace_id: str | None
) -> None:
    assert judged(status, body, headers).trace_id == trace_id


# The kind


@pytest.mark.parametrize("status", [100, 101, 103, 199, 408, 500, 503, 599, 600, 999])
def test_what_leaves_it_open_is_unclear_and_says_so(status: int) -> None:
    error = judged(status, {"title": "Internal Server Error"})

    assert type(error) is VendorUnclearError
    assert (
        error.detail
        == "Internal Server Error. The phone may be ringing: follow the tid instead of placing another call."
    )


@pytest.mark.parametrize(
    ("title", "sentence"),
    [("No luck", "No luck."), ("No luck.", "No luck."), ("No luck!", "No luck!"), ("No luck?", "No luck?")],
)
def test_what_vonage_says_of_it_ends_as_a_sentence(title: str, sentence: str) -> None:
    assert judged(500, {"title": title}).detail.startswith(f"{sentence} The phone")


@pytest.mark.parametrize("status", [300, 302, 399, 400, 401, 402, 403, 404, 407, 409, 415, 428, 430, 499])
def test_every_other_status_is_a_refusal_with_its_status(status: int) -> None:
    error = judged(status)

    assert type(error) is VendorRefusedError
    assert error.vendor_status == status


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 1),
        ("", 1),
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("-5", 1),
        ("1.5", 2),
        ("30.5", 31),
        ("0.1", 1),
        ("1.5.2", 1),
        ("soon", 1),
        ("٣", 1),
        ("3600", 3600),
        ("3601", 3600),
        ("999999999", 3600),
        ("9" * 5000, 1),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9),
        ("Thu, 01 Jan 2026 12:00:09 -0000", 9),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 1),
        ("Thu, 01 Jan 2032 12:00:00 GMT", 3600),
        ("Thu, 99 Jan 99999 99:99:99 GMT", 1),
        ("Thu, 01 Jan 99999999999999999999 12:00:00 GMT", 1),
        ("7, 8", 1),
    ],
)
def test_a_throttled_request_says_when_to_come_again(value: str | None, seconds: int) -> None:
    error = judged(429, {"title": "Rate Limit Hit"}, {} if value is None else {"retry-after": value})

    assert type(error) is VendorRateLimitedError
    assert (error.retry_after_s, error.detail) == (seconds, "Rate Limit Hit")


def test_part_of_a_second_is_rounded_up() -> None:
    late = NOW.replace(microsecond=900_000)

    error = vendor_error(429, {"retry-after": "Thu, 01 Jan 2026 12:00:09 GMT"}, b"", JWT, late)

    assert isinstance(error, VendorRateLimitedError)
    assert error.retry_after_s == 9


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "title", "error_title", "detail", "instance", "invalid_parameters", "name", "reason", "to"]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(status=st.integers(300, 599), body=JSON | st.binary(), header=st.none() | st.text())
def test_no_answer_can_make_it_fail(status: int, body: Any, header: str | None) -> None:
    error = judged(status, body, {} if header is None else {"retry-after": header, "x-nexmo-trace-id": header})

    assert 0 < len(error.detail) <= 330
    assert error.detail.isprintable()
