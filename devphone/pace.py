"""Telephone time, which may run faster than the clock on the wall."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Pace:
    """Time as the callee lives it: `speed` telephone seconds go by in each real one."""

    def __init__(self, speed: float = 1) -> None:
        self.speed = speed
        self._began = time.monotonic()
        self._epoch = datetime.now(UTC)

    def seconds(self) -> float:
        """Return telephone seconds since the phone was switched on."""
        return (time.monotonic() - self._began) * self.speed

    def now(self) -> datetime:
        """Return the telephone's time of day, UTC."""
        return self.at(self.seconds())

    def at(self, seconds: float) -> datetime:
        """Return the time of day of a moment, given in telephone seconds since the phone was switched on."""
        return self._epoch + timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Let telephone seconds go by."""
        await asyncio.sleep(max(seconds, 0) / self.speed)


def iso(at: datetime) -> str:
    """Return a time as Vonage writes it: ISO 8601 with milliseconds and Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
