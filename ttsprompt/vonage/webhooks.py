"""Vonage's webhook bodies, turned into our events (docs/vonage.md §3). Whatever is not needed is ignored."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ttsprompt.domain.events import Answered, CallEnded, EndStatus, HumanDetected, MachineDetected
from ttsprompt.errors import MalformedRequestError

_TERMINAL: Final = frozenset(EndStatus)
_WORD: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_SIP_CODE: Final = re.compile(r"[1-6][0-9]{2}", re.ASCII)
MAX_WHOLE_DIGITS: Final = 9
MAX_DECIMALS: Final = 12


def parse_event(body: Mapping[str, Any]) -> Answered | HumanDetected | MachineDetected | CallEnded | None:
    """Return what happened, or None for all that changes nothing: started, ringing, unknown ones."""
    status = body.get("status")
    if status == "answered":
        return Answered()
    if status == "human":
        return HumanDetected()
    if status == "machine":
        return MachineDetected()
    return parse_call_ended(body)


def error_reason(body: Mapping[str, Any]) -> str | None:
    """Return the reason of an error event: one with `reason` and without `status` (docs/vonage.md §3.3)."""
    reason = body.get("reason")
    return reason[:300] if body.get("status") is None and isinstance(reason, str) else None


def read_body(body: bytes) -> dict[str, Any]:
    """Return the fields of a webhook's JSON; numbers as they are written.

    Read leniently, as somebody is on the line: what no rule needs, a repeated name, NaN or a byte that is not UTF-8,
    never turns a call away. Nobody but Vonage knows the URL.

    Raises:
        MalformedRequestError: it is not JSON at all, or not an object.
    """
    try:
        text = body.decode(json.detect_encoding(body), "replace")
        fields = json.loads(text, strict=False, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise MalformedRequestError("The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise MalformedRequestError("The body must be a JSON object.")
    return fields


def parse_digits(body: Mapping[str, Any]) -> str:
    """Return the digits of an input webhook, "" for silence: `dtmf` as an object, or as a string as it once was.

    Raises:
        MalformedRequestError: `dtmf` is neither.
    """
    dtmf = body.get("dtmf")
    digits = dtmf.get("digits") if isinstance(dtmf, Mapping) else dtmf
    if digits is None:
        return ""
    if not isinstance(digits, str):
        raise MalformedRequestError("dtmf.digits must be a string.")
    return digits


def parse_call_ended(fields: Mapping[str, Any]) -> CallEnded | None:
    """Return how a call ended, None if it has not, from the fields of a webhook or of a lookup.

    Sources: docs/vonage.md §1.5 and §3.3. What makes no sense is left out: it is not needed for the outcome.
    """
    status = fields.get("status")
    if not isinstance(status, str) or status not in _TERMINAL:
        return None
    disconnected_by, detail = fields.get("disconnected_by"), fields.get("detail")
    return CallEnded(
        status=EndStatus(status),
        detail=detail if isinstance(detail, str) and _WORD.fullmatch(detail) else None,
        disconnected_by=disconnected_by if disconnected_by in ("platform", "user") else None,
        duration=_whole_seconds(fields.get("duration")),
        price=_decimal(fields.get("price")),
        sip_code=_sip_code(fields.get("sip_code")),
    )


def _decimal(value: object) -> str | None:
    """Return an amount in plain notation, whatever notation it came in: `5.0E-5` is 0.000050."""
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    if not amount.is_finite() or amount.is_signed() or amount.adjusted() >= MAX_WHOLE_DIGITS:
        return None
    decimals = min(MAX_DECIMALS, max(0, -int(amount.as_tuple().exponent)))
    return f"{amount:.{decimals}f}"


def _whole_seconds(value: object) -> int | None:
    """Return a duration; Vonage sends it as a string of seconds."""
    text = _decimal(value)
    return None if text is None else math.ceil(Decimal(text))


def _sip_code(value: object) -> int | None:
    """Return a SIP status (RFC 3261 §21); samples have it as a number and as a string."""
    return int(str(value)) if _SIP_CODE.fullmatch(str(value)) else None
