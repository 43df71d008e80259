"""What Vonage's webhooks carry, key by key (docs/vonage.md §3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from devphone.pace import iso
from devphone.vendor.habits import Habit

VERDICTS: Final = frozenset({"human", "machine"})


@dataclass(frozen=True, slots=True)
class Bodies:
    """Makes the bodies of one call's webhooks."""

    uuid: str
    conversation_uuid: str
    from_: str
    to: str
    habits: Collection[Habit] = frozenset()

    @property
    def _uuid(self) -> str:
        return self.uuid.replace("-", "") if Habit.PLAIN_UUIDS in self.habits else self.uuid

    def answer(self) -> dict[str, Any]:
        """Return the body of the request for the first NCCO."""
        return {"to": self.to, "from": self.from_, "uuid": self._uuid, "conversation_uuid": self.conversation_uuid}

    def event(self, status: str, at: datetime, **extra: Any) -> dict[str, Any]:
        """Return the body of an event. A verdict names the call as `call_uuid`, as Vonage does."""
        return {
            "headers": {},
            "from": self.from_,
            "to": self.to,
            "call_uuid" if status in VERDICTS else "uuid": self._uuid,
            "conversation_uuid": self.conversation_uuid,
            "status": status,
            "direction": "outbound",
            **extra,
            "timestamp": iso(at),
        }

    def error(self, reason: str, at: datetime) -> dict[str, Any]:
        """Return the body of an error event, which has neither status nor uuid."""
        return {"reason": reason, "conversation_uuid": self.conversation_uuid, "timestamp": iso(at)}

    def keys(self, keys: str, at: datetime, *, timed_out: bool) -> dict[str, Any]:
        """Return the body of the report of what was keyed."""
        digits: dict[str, Any] = {"digits": keys}
        if not keys and Habit.NO_DIGITS in self.habits:
            digits = {}
        elif not keys and Habit.NULL_DIGITS in self.habits:
            digits = {"digits": None}
        from_, to = self.from_, self.to
        if Habit.SWAPPED_NUMBERS in self.habits:
            from_, to = to, from_
        return {
            "speech": {"error": "Speech was not enabled"},
            "dtmf": {**digits, "timed_out": timed_out},
            "from": from_,
            "to": to,
            "uuid": self._uuid,
            "conversation_uuid": self.conversation_uuid,
            "timestamp": iso(at),
        }
