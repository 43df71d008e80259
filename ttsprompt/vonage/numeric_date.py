"""Times in a JWT (RFC 7519 §2, NumericDate): seconds since 1970, as a JSON number."""

from __future__ import annotations

import math


def numeric_date(value: object) -> float | None:
    """Return a claim's seconds; None if it is no number, or not a finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
