"""The Retry-After header."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
"""With a fraction too: RFC 9110 knows none, but some send one."""


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return seconds from now (RFC 9110 §10.2.3: seconds, or a date); None for a date that has passed, or neither.

    Seconds may have a fraction, which the RFC does not provide for and servers send.
    """
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return seconds if seconds > 0 else None
