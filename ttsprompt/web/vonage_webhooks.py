"""Vonage's webhook bodies, turned into our events (vonage-voice §3). Whatever is not needed is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ttsprompt.domain.events import Answered, MachineDetected, Terminated, parse_ending
from ttsprompt.errors import MalformedRequestError


def parse_event(body: Mapping[str, Any]) -> Answered | MachineDetected | Terminated | None:
    """Return what happened, or None for all that changes nothing: started, ringing, human, unknown ones."""
    status = body.get("status")
    if status == "answered":
        return Answered()
    if status == "machine":
        return MachineDetected()
    return parse_ending(body)


def error_reason(body: Mapping[str, Any]) -> str | None:
    """Return the reason of an error event: one with `reason` and without `status` (vonage-voice §3.3)."""
    reason = body.get("reason")
    return reason[:300] if body.get("status") is None and isinstance(reason, str) else None


def parse_keys(body: Mapping[str, Any]) -> str:
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
