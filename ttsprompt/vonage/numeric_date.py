"""Times in a JWT (RFC 7519 §2, NumericDate): seconds since 1970, as a JSON number; some libraries send a string."""

from __future__ import annotations

import math
import re
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)


def numeric_date(value: object) -> float | None:
    """Return a claim's seconds; None if it is no number, or not a finite one."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
