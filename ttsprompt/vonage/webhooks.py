"""Vonage's webhook bodies, turned into our events (docs/vonage.md §3). Whatever is not needed is ignored."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from ttsprompt.domain.events import Answered, CallEnded, EndStatus, MachineDetected
from ttsprompt.errors import MalformedRequestError

_TERMINAL: Final = frozenset(EndStatus)
_WORD: Final = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)


def parse_event(body: Mapping[str, Any]) -> Answered | MachineDetected | CallEnded | None:
    """Return what happened, or None for all that changes nothing: started, ringing, human, unknown ones."""
    status = body.get("status")
    if status == "answered":
        return Answered()
    if status == "machine":
        return MachineDetected()
    return parse_call_ended(body)


def error_reason(body: Mapping[str, Any]) -> str | None:
    """Return the reason of an error event: one with `reason` and without `status` (docs/vonage.md §3.3)."""
    reason = body.get("reason")
    return reason[:300] if body.get("status") is None and isinstance(reason, str) else None


def parse_digits(body: Mapping[str, Any]) -> str:
    """Return the keys of an input webhook, "" for silence: `dtmf` as an object, or as a string as it once was.

    Raises:
        MalformedRequestError: `dtmf` is neither.
    """
    dtmf = body.get("dtmf")
    keys = dtmf.get("digits") if isinstance(dtmf, Mapping) else dtmf
    if keys is None:
        return ""
    if not isinstance(keys, str):
        raise MalformedRequestError("dtmf.digits must be a string.")
    return keys


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
    )


def _decimal(value: object) -> str | None:
    text = str(value)
    return text if _DECIMAL.fullmatch(text) else None


def _whole_seconds(value: object) -> int | None:
    """Return a duration; Vonage sends it as a string of seconds."""
    text = _decimal(value)
    return None if text is None else math.ceil(float(text))
