"""Tells the service of one call's events, in order and beside the call, and the timeline of everything."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from devphone import strict_json
from devphone.happenings import Happening, NccoRefused, WebhookSent
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.habits import Habit
from devphone.vendor.ncco_reply import Refusal, read_ncco
from devphone.vendor.rules import Fault
from devphone.vendor.webhook_bodies import VERDICTS, Bodies
from devphone.vendor.webhooks import ANSWER_S, Reply, WebhookSender

OVERTAKEN = frozenset({"started", "ringing"})
MAX_SHOWN: Final = 2000
"""Bytes of a reply that is not JSON."""


@dataclass(slots=True, eq=False)
class Reporter:
    """The webhooks of one call. `order` is the body of the request that placed it."""

    order: dict[str, Any]
    bodies: Bodies
    pace: Pace
    sender: WebhookSender
    timeline: Timeline
    habits: Collection[Habit] = frozenset()
    tid: str | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last event goes out."""
    _events: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    _held: list[dict[str, Any]] = field(default_factory=list)

    def event(self, status: str, **extra: Any) -> None:
        """Queue an event."""
        body = self.bodies.event(status, self.pace.now(), **extra)
        if Habit.LATE_RINGING in self.habits and status in OVERTAKEN:
            self._held.append(body)
            return
        self._events.put_nowait(body)
        if status not in VERDICTS:
            while self._held:
                self._events.put_nowait(self._held.pop(0))

    async def event_aside(self, status: str, **extra: Any) -> None:
        """Send an event beside those that are queued: it may overtake them, or come after the last."""
        self._want_nothing(status, await self._send_event(self.bodies.event(status, self.pace.now(), **extra)))

    async def verdict_aside(self, verdict: str, **extra: Any) -> Reply:
        """As `event_aside`, a verdict that nothing waits for: its reply may bring an NCCO (docs/vonage.md §1.1)."""
        return await self._send_event(self.bodies.event(verdict, self.pace.now(), **extra))

    def close(self) -> None:
        """Say that no event will follow."""
        self._events.put_nowait(None)

    async def send_events(self) -> None:
        """Send what is queued until closed."""
        while (body := await self._events.get()) is not None:
            if body.get("status") == "completed":
                self.ended.set()
            self._want_nothing(body.get("status", "an error"), await self._send_event(body))
        self.ended.set()

    def _want_nothing(self, event: str, reply: Reply) -> None:
        """Note a reply that should be empty and is not (docs/vonage.md §3.4)."""
        if reply.brings_something:
            fault = Fault("", f"the reply to {event} must be empty.", "Vonage may take it for an NCCO.")
            self.tell(NccoRefused, faults=[str(fault)])

    async def _send_event(self, body: dict[str, Any]) -> Reply:
        url, method = self.order["event_url"][0], self.order.get("event_method", "POST")
        reply = await self.sender.send(url, body, method=method)
        self._tell_sent("event", url, body, reply, event=body.get("status"))
        return reply

    async def keys(self, action: dict[str, Any], keys: str, *, timed_out: bool) -> Reply:
        """Report what was keyed at an input."""
        url = action.get("eventUrl", self.order["event_url"])[0]
        body = self.bodies.keys(keys, self.pace.now(), timed_out=timed_out)
        reply = await self.sender.send(url, body, method=action.get("eventMethod", "POST"))
        self._tell_sent("input", url, body, reply)
        return reply

    async def first_ncco(self) -> Reply:
        """Ask for the first NCCO."""
        url, method = self.order["answer_url"][0], self.order.get("answer_method", "GET")
        body = self.bodies.answer()
        reply = await self.sender.send(url, body, method=method, timeout_s=ANSWER_S)
        self._tell_sent("answer", url, body, reply)
        return reply

    def ncco(self, reply: Reply) -> list[dict[str, Any]] | None:
        """Return the NCCO of a reply; None, and an error event, when there is none."""
        ncco = read_ncco(reply)
        if isinstance(ncco, Refusal):
            self.tell(NccoRefused, faults=[str(fault) for fault in ncco.faults])
            self._events.put_nowait(self.bodies.error(ncco.reason, self.pace.now()))
            return None
        return ncco

    def _tell_sent(self, webhook: str, url: str, body: dict[str, Any], reply: Reply, **extra: Any) -> None:
        self.tell(
            WebhookSent,
            webhook=webhook,
            url=url,
            body=body,
            status=reply.status,
            fault=reply.fault,
            sends=reply.sends,
            seconds=reply.seconds,
            reply=_readable(reply.body),
            **extra,
        )

    def tell(self, kind: type[Happening], **what: Any) -> None:
        """Put a happening of this call on the timeline."""
        self.timeline.add(kind(at_s=self.pace.seconds(), call=self.bodies.uuid, tid=self.tid, **what))


def _readable(content: bytes) -> Any:
    """Return what a reply carries: the value of a JSON text, any other as it is, None for nothing."""
    try:
        return strict_json.loads(content) if content else None
    except ValueError:
        return content[:MAX_SHOWN].decode("utf-8", "replace")
