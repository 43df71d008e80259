"""Vonage's error answers, in whichever of their shapes they come (docs/vonage.md §1.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ttsprompt.errors import FieldFault, VendorError, VendorRateLimitedError, VendorRefusedError, VendorUnclearError
from ttsprompt.net.retry_after import parse_retry_after

_MAX_WORDS: Final = 300
_MAX_RETRY_AFTER_S: Final = 3600
_WEBHOOK_TOKEN: Final = re.compile(r"token=[^&\s\"']+")
_OUR_NAMES: Final = {"to": "to", "number": "to", "from": "from", "length_timer": "text", "ncco": "text"}
"""Vonage's field → ours, where a caller can do something about it."""


def vendor_error(status: int, headers: Mapping[str, str], body: bytes, token: str, now: datetime) -> VendorError:
    """Return the error that an answer other than success means.

    5xx and 408 leave open whether the call was placed, and so does 1xx, which announces an answer that never came;
    every other status is a definite refusal.
    """
    fields = json_object(body)
    words = _words(fields, token) or f"Vonage answered {status}."
    trace_id = _text(headers.get("x-nexmo-trace-id"), token) or _text(fields.get("instance"), token) or None
    if status >= 500 or status == 408 or status < 200:  # noqa: PLR2004 - the statuses are the clearest names
        return VendorUnclearError(words if words.endswith((".", "!", "?")) else f"{words}.", trace_id=trace_id)
    if status == 429:  # noqa: PLR2004
        seconds = parse_retry_after(headers.get("retry-after"), now)
        asked_for_s = None if seconds is None else min(seconds, _MAX_RETRY_AFTER_S)
        return VendorRateLimitedError(words, asked_for_s=asked_for_s, trace_id=trace_id)
    return VendorRefusedError(words, vendor_status=status, faults=_faults(fields, token), trace_id=trace_id)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; empty when there is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _words(fields: Mapping[str, Any], token: str) -> str:
    title = _text(fields.get("title"), token) or _text(fields.get("error_title"), token)
    detail = _text(fields.get("detail"), token)
    return (f"{title}: {detail}" if title and detail else title or detail)[:_MAX_WORDS]


def _faults(fields: Mapping[str, Any], token: str) -> list[FieldFault]:
    """Return the invalid parameters: an object {name: reason}, or a list of {name, reason}."""
    parameters = fields.get("invalid_parameters")
    if isinstance(parameters, Mapping):
        pairs = list(parameters.items())
    elif isinstance(parameters, list):
        pairs = [(item.get("name"), item.get("reason")) for item in parameters if isinstance(item, Mapping)]
    else:
        pairs = []
    return [
        FieldFault(_field(name, token), "vendor", _text(reason, token) or "Refused.") for name, reason in pairs[:20]
    ]


def _field(name: object, token: str) -> str:
    theirs = _text(name, token) or "?"
    return _OUR_NAMES.get(theirs, theirs)


def _text(value: object, token: str) -> str:
    """Return Vonage's words fit to pass on: one short line, without our tokens should Vonage echo them."""
    if not isinstance(value, str):
        return ""
    # Of a webhook's token that has such a character within it, the pattern would see the first part alone.
    whole = _WEBHOOK_TOKEN.sub("token=[token]", "".join(c for c in value if c.isprintable()))
    value = whole if "token=" in whole else value
    line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return _without(token, line)[:_MAX_WORDS]


def _without(token: str, line: str) -> str:
    line = line.replace(token, "[token]")
    # What could not be printed within an echo is a blank now. Rather no blanks in the words than the token.
    solid = line.replace(" ", "")
    return solid.replace(token, "[token]") if token in solid else line
