"""The examples of the API's description; tests hold them against its schemas."""

from __future__ import annotations

from typing import Any, Final

from ttsprompt import __version__
from ttsprompt.web import problems
from ttsprompt.web.openapi_schemas import TID, example_request

TOKEN: Final = "Ra4Pdb6pBZi8QbvVp9lXnJmmUdCsYQqvZuQY8tC4Sxk"  # noqa: S105 - an example
_INPUT_URL: Final = f"https://calls.example.com/input/{TID}?token={TOKEN}&step=1"

ABOUT: Final = {
    "name": "ttsprompt",
    "version": __version__,
    "documentation": "https://calls.example.com/openapi.json",
    "callback_public_keys": ["whpk_oPz4XWmA1Kk7c2bMoNLQdUlPBBQ0GfWhmf0CgMJSYyE="],
}
PLACEMENT: Final = {"tid": TID}
NCCO: Final = [
    {"action": "talk", "text": example_request()["text"], "language": "en-US", "bargeIn": True},
    {
        "action": "input",
        "type": ["dtmf"],
        "dtmf": {"maxDigits": 4, "timeOut": 10, "submitOnHash": True},
        "eventUrl": [_INPUT_URL],
        "eventMethod": "POST",
    },
]
DRY_RUN: Final = {
    "request": example_request() | {"pin_code": "hidden", "reject_code": "hidden"},
    "ncco": NCCO,
    "length_timer": 250,
    "stale_after": 128.5,
    "warnings": [
        {"field": "language", "code": "unknown_language", "message": "Vonage may not know this language."},
    ],
}
OUTCOME: Final = {
    "to": "447970513607",
    "tid": TID,
    "status": "ok",
    "reason": "pin_matched",
    "attempts": 2,
    "duration": 12,
    "price": "0.00284000",
    "reference": "incident 4711",
}
OUTCOME_AS_TEXT: Final = {name: str(value) for name, value in OUTCOME.items()}
CALL: Final = {
    "tid": TID,
    "to": "447970513607",
    "state": "ended",
    "status": "ok",
    "reason": "pin_matched",
    "attempts": 2,
    "duration": 12,
    "price": "0.00284000",
    "reference": "incident 4711",
    "timeline": [
        {"at": "2026-11-23T09:00:00.000Z", "event": "created"},
        {"at": "2026-11-23T09:00:11.004Z", "event": "entry", "step": 1, "judged": "wrong"},
    ],
    "delivery": {
        "state": "delivered",
        "next_at": None,
        "tries": [{"at": "2026-11-23T09:00:18.610Z", "http_status": 204, "fault": None}],
    },
}

_WEBHOOKS: Final[dict[str, dict[str, Any]]] = {
    "answer": {"asks": {"uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "to": "447970513607"}},
    "input": {
        "keys": {"dtmf": {"digits": "1234", "timed_out": False}},
        "silence": {"dtmf": {"digits": "", "timed_out": True}},
        "asString": {"dtmf": "1234"},
    },
    "event": {
        "answered": {"status": "answered", "direction": "outbound"},
        "completed": {"status": "completed", "duration": "12", "price": "0.00284000"},
    },
}


def webhook(name: str) -> dict[str, Any]:
    """Return bodies that Vonage sends."""
    return {title: {"value": body} for title, body in _WEBHOOKS[name].items()}


def problem(status: int, code: str) -> dict[str, Any]:
    """Return a problem as it looks."""
    body: dict[str, Any] = {
        "type": f"urn:ttsprompt:problem:{code}",
        "title": problems.TITLES[code],
        "status": status,
        "detail": "One sentence about this very request.",
        "code": code,
        "errors": [],
    }
    if code == "invalid_fields":
        wrong = {"field": "pin_code", "code": "invalid_pin", "message": "This must consist of the digits 0 to 9."}
        body["errors"] = [wrong]
    return body | ({"tid": TID} if code == "vendor_unclear" else {})
