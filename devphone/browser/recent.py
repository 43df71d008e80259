"""The last calls as the page lists them: who asked for which, how they stand, what came of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devphone.browser.wire import CallMessage, LegMessage, OutcomeMessage
from devphone.happenings import CallbackReceived, CallRequested, Happening, RequestAnswered
from devphone.vendor.leg import Leg

KEPT: Final = 200


@dataclass(slots=True)
class RecentCall:
    """One call, as `CallMessage` has it; `version` is the number of its last change."""

    key: str
    to: str
    at_s: float
    tid: str | None = None
    version: int = 0
    uuid: str | None = None
    answer: int | None = None
    outcome: OutcomeMessage | None = None
    tries: int = 0


@dataclass(slots=True)
class RecentCalls:
    """Learns of calls from the timeline. Each change has a number, so that a page can be told what is new."""

    legs: Mapping[str, Leg]
    version: int = 0
    _calls: OrderedDict[str, RecentCall] = field(default_factory=OrderedDict)
    _keys: dict[str, str] = field(default_factory=dict)

    def hear(self, happening: Happening) -> None:
        """Take in what happened."""
        match happening:
            case CallRequested(call=str() as uuid, number=str() as number):
                call = self._call(happening, number)
                call.uuid = uuid
                self._keys[uuid] = call.key
            case RequestAnswered(tid=str(), number=number, status=status):
                self._call(happening, number).answer = status
            case CallbackReceived(tid=str(), fields=fields):
                call = self._call(happening, str(fields.get("to", "")))
                call.tries += 1
                call.outcome = OutcomeMessage(
                    status=str(fields.get("status", "")),
                    reason=_text(fields, "reason"),
                    answered_by=_text(fields, "answered_by"),
                    verified=happening.verified,
                    taken=happening.is_taken,
                )

    def touch(self, uuid: str) -> None:
        """Note that something about a call has changed."""
        call = self._calls.get(self._keys.get(uuid, ""))
        if call is not None:
            self._renew(call)

    def since(self, version: int) -> list[CallMessage]:
        """Return the calls that have changed since."""
        return [self._message(call) for call in list(self._calls.values()) if call.version > version]

    def _call(self, happening: Happening, number: str) -> RecentCall:
        key = str(happening.key)
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = RecentCall(key, number, happening.at_s, happening.tid)
            while len(self._calls) > KEPT:
                _, gone = self._calls.popitem(last=False)
                self._keys.pop(gone.uuid or "", None)
        self._renew(call)
        return call

    def _renew(self, call: RecentCall) -> None:
        self.version += 1
        call.version = self.version

    def _message(self, call: RecentCall) -> CallMessage:
        leg = self.legs.get(call.uuid or "")
        return CallMessage(
            key=call.key,
            tid=call.tid,
            uuid=call.uuid,
            to=call.to,
            at_s=call.at_s,
            answer=call.answer,
            outcome=call.outcome,
            tries=call.tries,
            leg=None if leg is None else LegMessage.of(leg),
        )


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else str(fields[name])
