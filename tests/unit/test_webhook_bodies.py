"""Vonage's webhooks are read leniently: somebody is on the line."""

from __future__ import annotations

from typing import Any

import pytest

from ttsprompt.domain.events import EndStatus
from ttsprompt.errors import MalformedRequestError
from ttsprompt.vonage.webhooks import error_reason, parse_call_ended, parse_digits, parse_event, read_body


@pytest.mark.parametrize(
    "body",
    [
        b'{"dtmf": {"digits": "1234"}, "uuid": "x", "uuid": "y"}',
        b'{"dtmf": {"digits": "9", "digits": "1234"}}',
        b'{"dtmf": {"digits": "1234"}, "quality": NaN, "worst": -Infinity}',
        b'{"dtmf": {"digits": "1234"}, "caller": "Andr\xe9"}',
        b'{"dtmf": {"digits": "1234"}, "caller": "half \\ud83d"}',
        b'{"dtmf": {"digits": "1234"}, "caller": "a\ttab and a\nline"}',
        b'{"dtmf": {"digits": "1234"}, "n": ' + b"9" * 5000 + b"}",
        b'{"dtmf": {"digits": "1234"}, "n": 1e999999}',
        b'\xef\xbb\xbf{"dtmf": {"digits": "1234"}}',
        '{"dtmf": {"digits": "1234"}}'.encode("utf-16"),
        b'{"dtmf": {"digits": 1234, "timed_out": false}}',
        b'{"dtmf": "1234"}',
        b'{"dtmf": 1234}',
    ],
)
def test_what_no_rule_needs_never_loses_a_call(body: bytes) -> None:
    assert parse_digits(read_body(body)) == "1234"


@pytest.mark.parametrize("body", [b"{}", b'{"dtmf": null}', b'{"dtmf": {}}', b'{"dtmf": {"digits": null}}'])
def test_nothing_keyed_is_silence(body: bytes) -> None:
    assert parse_digits(read_body(body)) == ""


def test_a_long_entry_sent_as_a_number_keeps_every_digit() -> None:
    assert parse_digits(read_body(b'{"dtmf": {"digits": 12345678901234567891}}')) == "12345678901234567891"


@pytest.mark.parametrize("dtmf", [b"true", b"[]", b'["1"]', b'{"digits": ["1"]}', b'{"digits": false}'])
def test_digits_that_are_none_are_malformed(dtmf: bytes) -> None:
    with pytest.raises(MalformedRequestError, match=r"dtmf\.digits"):
        parse_digits(read_body(b'{"dtmf": ' + dtmf + b"}"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        *((body, "not valid JSON") for body in (b"", b"{", b'{"dtmf": ', b"dtmf=1", b"[" * 60_000)),
        *((body, "must be a JSON object") for body in (b"null", b"[]", b'"x"')),
    ],
)
def test_what_is_no_object_at_all_is_malformed(body: bytes, words: str) -> None:
    with pytest.raises(MalformedRequestError, match=words):
        read_body(body)


@pytest.mark.parametrize(
    ("price", "plain"),
    [
        (b'"0.01"', "0.01"),
        (b"0.01", "0.01"),
        (b'"0E-8"', "0.00000000"),
        (b'"0E-30"', "0.000000000000"),
        (b'"5.0E-5"', "0.000050"),
        (b"0.00005", "0.00005"),
        (b"5e-05", "0.00005"),
        (b"0.30000000000000004", "0.300000000000"),
        (b'"1E+3"', "1000"),
        (b"2", "2"),
        (b'" 0.5 "', "0.5"),
        (b'"-1"', None),
        (b'"NaN"', None),
        (b"NaN", None),
        (b'"1e999999999"', None),
        (b'"1234567890"', None),
        (b'"free"', None),
        (b'"0,01"', None),
        (b"true", None),
        (b"[1]", None),
        (b"null", None),
    ],
)
def test_a_price_is_kept_in_plain_notation_whatever_notation_it_came_in(price: bytes, plain: str | None) -> None:
    ended = parse_call_ended(read_body(b'{"status": "completed", "price": ' + price + b"}"))

    assert ended is not None
    assert ended.price == plain


@pytest.mark.parametrize(
    ("duration", "seconds"), [("12", 12), (12, 12), ("12.1", 13), ("0", 0), (1.5, 2), ("1e1", 10), ("x", None)]
)
def test_a_duration_is_whole_seconds_however_it_is_written(duration: Any, seconds: int | None) -> None:
    ended = parse_call_ended({"status": "completed", "duration": duration})

    assert ended is not None
    assert ended.duration == seconds


@pytest.mark.parametrize("status", [b"7", b"NaN", b"true", b'["busy"]', b'{"busy": 1}', b'"Busy"'])
def test_a_status_that_is_no_word_of_theirs_changes_nothing(status: bytes) -> None:
    assert parse_event(read_body(b'{"status": ' + status + b"}")) is None


def test_a_status_beside_bytes_that_are_not_utf_8_still_ends_the_call() -> None:
    ended = parse_event(read_body(b'{"status": "busy", "network": "\xff\xfe"}'))

    assert ended is not None
    assert getattr(ended, "status", None) is EndStatus.BUSY


def test_an_error_event_may_hold_half_an_emoji() -> None:
    assert error_reason(read_body(b'{"reason": "bad \\ud83d"}')) == "bad \ud83d"


def test_the_reason_of_an_error_event_is_cut_off_and_is_none_beside_a_status() -> None:
    assert error_reason({"reason": "x" * 301}) == "x" * 300
    assert error_reason({"reason": "x", "status": "started"}) is None
    assert error_reason({"reason": 7}) is None


def test_numbers_are_read_as_they_are_written() -> None:
    assert read_body(b'{"w": 7, "a": 1.50, "b": NaN, "c": -Infinity, "d": 1e3}') == {
        "w": "7",
        "a": "1.50",
        "b": "NaN",
        "c": "-Infinity",
        "d": "1e3",
    }


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"detail": "cannot_route"}, ("cannot_route", None, None)),
        ({"detail": "Not a word"}, (None, None, None)),
        ({"detail": 7}, (None, None, None)),
        ({"disconnected_by": "user"}, (None, "user", None)),
        ({"disconnected_by": "platform"}, (None, "platform", None)),
        ({"disconnected_by": "somebody"}, (None, None, None)),
        ({"sip_code": 404}, (None, None, 404)),
        ({"sip_code": "486"}, (None, None, 486)),
        ({"sip_code": "99"}, (None, None, None)),
        ({"sip_code": "٤٠٤"}, (None, None, None)),
    ],
)
def test_of_what_else_is_told_of_an_ending_only_what_makes_sense_is_kept(
    told: dict[str, Any], kept: tuple[Any, ...]
) -> None:
    ended = parse_call_ended({"status": "failed"} | told)

    assert ended is not None
    assert (ended.detail, ended.disconnected_by, ended.sip_code) == kept
