"""The last calls as the page lists them: who asked for which, how they stand, what came of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devphone.timeline import Line
from devphone.vendor.leg import Leg

KEPT: Final = 200
TAKEN: Final = 204
_REPORTED: Final = ("status", "reason", "attempts", "duration", "price", "reference")


@dataclass(slots=True)
class RecentCall:
    """One call. `key`: its tid, or Vonage's uuid if some other program placed it.

    `outcome`: what the last callback said, whether its signature was right (None: not checked), and whether it was
    taken.
    """

    key: str
    to: str
    at_s: float
    version: int = 0
    uuid: str | None = None
    answer: int | None = None
    """The status that `POST /call` was answered with, if the page sent it."""
    outcome: dict[str, Any] | None = None
    tries: int = 0
    """Callbacks received."""


@dataclass(slots=True)
class RecentCalls:
    """Learns of calls from the timeline. Each change has a number, so that a page can be told what is new."""

    legs: Mapping[str, Leg]
    version: int = 0
    _calls: OrderedDict[str, RecentCall] = field(default_factory=OrderedDict)
    _keys: dict[str, str] = field(default_factory=dict)

    def hear(self, line: Line) -> None:
        """Take in a line of the timeline."""
        data = line.data
        if line.what == "asks for a call" and line.call is not None:
            call = self._call(str(data.get("tid") or line.call), data["to"], line.at_s)
            call.uuid = line.call
            self._keys[line.call] = call.key
        elif line.what == "answers you" and data.get("tid"):
            call = self._call(data["tid"], data["to"], line.at_s)
            call.answer = data["status"]
        elif line.what == "calls back" and isinstance(data["fields"].get("tid"), str):
            fields = data["fields"]
            call = self._call(fields["tid"], str(fields.get("to", "")), line.at_s)
            call.tries += 1
            call.outcome = {name: fields[name] for name in _REPORTED if name in fields} | {
                "verified": data["verified"],
                "taken": data["answer"] == TAKEN,
            }

    def touch(self, uuid: str) -> None:
        """Note that something about a call has changed."""
        call = self._calls.get(self._keys.get(uuid, ""))
        if call is not None:
            self._renew(call)

    def key_of(self, line: Line) -> str | None:
        """Return the key of the call that a line of the timeline is about."""
        if line.call is not None:
            return self._keys.get(line.call, line.call)
        tid = line.data.get("tid") or line.data.get("fields", {}).get("tid")
        return tid if isinstance(tid, str) else None

    def since(self, version: int) -> list[dict[str, Any]]:
        """Return the calls that have changed since."""
        return [self._view(call) for call in list(self._calls.values()) if call.version > version]

    def _call(self, key: str, to: str, at_s: float) -> RecentCall:
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = RecentCall(key, to, at_s)
            while len(self._calls) > KEPT:
                _, gone = self._calls.popitem(last=False)
                self._keys.pop(gone.uuid or "", None)
        self._renew(call)
        return call

    def _renew(self, call: RecentCall) -> None:
        self.version += 1
        call.version = self.version

    def _view(self, call: RecentCall) -> dict[str, Any]:
        view: dict[str, Any] = {
            "key": call.key,
            "uuid": call.uuid,
            "to": call.to,
            "at_s": call.at_s,
            "answer": call.answer,
            "outcome": call.outcome,
            "tries": call.tries,
            "leg": None,
        }
        leg = self.legs.get(call.uuid or "")
        if leg is not None:
            view["leg"] = {"from": leg.from_, "status": leg.status, "person": leg.person is not None}
            view["leg"] |= leg.scene.as_dict()
        return view
