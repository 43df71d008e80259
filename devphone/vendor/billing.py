"""What a call cost, as Vonage's `completed` has it (docs/vonage.md §3.3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from devphone.pace import iso

PRICE_PER_MINUTE: Final = 0.0142


def bill(start: datetime, end: datetime) -> dict[str, Any]:
    """Return the fields about the time and the price of a call that was answered at `start`."""
    seconds = round((end - start).total_seconds())
    return {
        "start_time": iso(start),
        "end_time": iso(end),
        "duration": str(seconds),
        "rate": f"{PRICE_PER_MINUTE:.8f}",
        "price": f"{PRICE_PER_MINUTE * seconds / 60:.8f}",
        "network": "GB-MOBILE",
    }
