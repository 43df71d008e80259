"""Whether a reply of the service brings an NCCO, and if not, why (docs/vonage.md §2, §3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from devphone import strict_json
from devphone.vendor.rules import DROPPED, Fault, check_ncco
from devphone.vendor.webhooks import Reply

OK: Final = 200
SYNTAX_ERROR: Final = "Syntax error in NCCO. Invalid value type or action."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a reply is no NCCO: the words of Vonage's error event, and each fault in ours."""

    reason: str
    faults: tuple[Fault, ...]


def read_ncco(reply: Reply) -> list[dict[str, Any]] | Refusal:
    """Return the NCCO of a reply, or why there is none."""
    if reply.status != OK:
        was = reply.fault or str(reply.status)
        return _refusal(f"NCCO download failed: {was}.", f"the reply was {was}; an NCCO comes with status 200.")
    content_type = reply.content_type or "missing"
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return _refusal(
            f"NCCO download failed: content type {content_type}.",
            f"the content type is {content_type}; an NCCO must be application/json.",
        )
    try:
        ncco = strict_json.loads(reply.body)
    except ValueError as error:
        return _refusal("Syntax error in NCCO. Not JSON.", f"the body is not JSON in UTF-8: {error}.")
    faults = check_ncco(ncco)
    if faults:
        return Refusal(SYNTAX_ERROR, tuple(faults))
    checked: list[dict[str, Any]] = ncco
    return checked


def _refusal(reason: str, rule: str) -> Refusal:
    return Refusal(reason, (Fault("", rule, DROPPED),))
