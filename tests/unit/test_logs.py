"""Logs are JSON lines, and nothing secret is in them."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from ttsprompt.logs import configure_logging, enter_request, redact

pytestmark = pytest.mark.shows_secrets  # what is logged here is there to be taken out

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhcHBsaWNhdGlvbl9pZCI6IngifQ.c2lnbmF0dXJl"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT),
        (f"token was {JWT}!", "c2lnbmF0dXJl"),
        (f"key {PEM} end", "MIIEvQ"),
        (PEM[:40], "MIIEvQ"[:4]),
        ("POST /input/x?token=Zm9vYmFy-_x&step=2", "Zm9vYmFy"),
        ('{"dtmf": {"digits": "12345"}}', "12345"),
        ("digits=98765", "98765"),
        ("{'pin_code': '2468'}", "2468"),
        ("calling +447970513607 now", "4479705136"),
        ("GET /callback?to=447970513607&tid=x", "4479705136"),
        ("a number of 15 digits: 123456789012345", "1234567890123"),
        ("called +44 7970 513607", "7970"),
        ("called (0044) 7970-513-607.", "7970"),
        ("called +1 (415) 555-0100", "415"),
        ("called +44.7970.513607", "7970"),
        ("called 44.7970.513607", "7970"),
        ("called 447970.513607", "7970"),
        ("called +44\u00a07970\u00a0513607", "7970"),
        ("GET /callback?phone=%2B447970513607&x", "44797"),
        ("GET /callback?phone=%2B44%207970%20513607", "7970"),
        ("called +447970513607-x", "44797"),
        ("Bearer abc.def", "abc.def"),
        ("whsec_c2hvcnQtc2VjcmV0LXNlY3JldA== leaked", "c2hvcnQ"),
        ("whsk_c2hvcnQtc2VjcmV0LXNlY3JldA== leaked", "c2hvcnQ"),
        ("private_key=MIIEvQIBADANBgkq&app_id=x", "MIIEvQ"),
        ('{"reject_code": "97531"}', "97531"),
        ("{'dtmf': '86420'}", "86420"),
        ("dtmf=86420&timed_out=0", "86420"),
    ],
)
def test_secrets_are_taken_out(text: str, secret: str) -> None:
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "6a2827c9-4c68-46fc-b179-115f055dc0eb",
        "12345678-1234-1234-1234-123456789012",
        "2026-11-23T01:02:03.456Z",
        "answered after 1234 ms with 204",
        "2026-11-23 01:02:03",
        "took 0.1234567890 s",
        "127.0.0.1:8080",
        "192.168.100.200:8080",
        "gunicorn 27.0.1 on 3.11.7",
        "sha256 0123456789abcdef0123456789",
    ],
)
def test_ids_and_times_stay_readable(text: str) -> None:
    assert redact(text) == text


def written(level: str = "INFO", project: str | None = None) -> tuple[io.StringIO, logging.Logger]:
    stream = io.StringIO()
    configure_logging(level, project, stream)
    return stream, logging.getLogger("ttsprompt.test")


def only_line(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_a_line_has_cloud_loggings_names_and_the_fields() -> None:
    stream, log = written()
    log.warning("call_placed", extra={"fields": {"tid": "t", "uuid": None, "http_status": 200}})
    line = only_line(stream)

    assert (line["severity"], line["message"], line["tid"], line["http_status"]) == ("WARNING", "call_placed", "t", 200)
    assert line["time"].endswith("+00:00")
    assert "uuid" not in line


def test_an_exception_is_one_redacted_line() -> None:
    stream, log = written()
    log.error("internal_error", exc_info=ValueError(f"failed for +447970513607 with Bearer {JWT}"))
    line = only_line(stream)

    assert "ValueError" in line["exception"]
    assert "4479705136" not in line["exception"]
    assert JWT not in line["exception"]


def test_the_message_of_a_library_is_redacted_too() -> None:
    stream, _ = written()
    logging.getLogger("urllib3.connectionpool").warning("Retrying %s with Bearer %s", "/input?token=abc&step=1", JWT)
    line = only_line(stream)

    assert "abc" not in line["message"]
    assert JWT not in line["message"]


def test_libraries_do_not_log_their_urls() -> None:
    stream, _ = written("DEBUG")
    logging.getLogger("urllib3.connectionpool").debug("GET /callback?to=447970513607")

    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("header", "value", "trace"),
    [
        ("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "a" * 32),
        ("X-Cloud-Trace-Context", "c" * 32 + "/123;o=1", "c" * 32),
        ("traceparent", "nonsense", None),
    ],
)
def test_lines_of_a_request_carry_its_trace(header: str, value: str, trace: str | None) -> None:
    stream, log = written(project="p")
    enter_request(Request(EnvironBuilder(headers=Headers({header: value})).get_environ()))
    log.info("x")
    enter_request(Request(EnvironBuilder().get_environ()))

    expected = None if trace is None else f"projects/p/traces/{trace}"
    assert only_line(stream).get("logging.googleapis.com/trace") == expected


def test_logs_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", None, sys.stdout)
    logging.getLogger("x").info("hello")

    assert json.loads(capsys.readouterr().out)["message"] == "hello"


def test_two_digits_of_a_number_stay_to_tell_it_from_others() -> None:
    assert redact("called +44 7970 513607") == "called [number …07]"


def test_half_an_emoji_does_not_lose_a_line() -> None:
    """Standard output is UTF-8, which has no lone surrogates: the line would raise where nobody sees it."""
    stream, log = written()
    log.error("vonage_error_event", extra={"fields": {"reason": "half an emoji \ud83d"}})

    assert json.loads(stream.getvalue().encode("utf-8"))["reason"] == "half an emoji \ud83d"
