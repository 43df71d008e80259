"""One call as Vonage sees it: rings, is answered, plays its NCCO, ends, and tells the service of each step."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from devphone.callee import Callee, Entry, PickUp
from devphone.pace import Pace, iso
from devphone.rules import check_ncco
from devphone.timeline import Line, Timeline
from devphone.webhooks import ANSWER_S, Reply, WebhookSender

CHARACTERS_PER_SECOND: Final = 14
PRICE_PER_MINUTE: Final = 0.0142
MACHINE_VERDICT_S: Final = 1.5
NO_COMPLETED: Final = frozenset({"rejected"})
"""Every other ending is followed by `completed` (vonage-voice §3.3)."""


class HungUp(Exception):  # noqa: N818 - not an error: it is how a call ends
    """The call is over; `by` is user or platform."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


@dataclass(slots=True, eq=False)
class Leg:
    """A call under way, or over."""

    order: dict[str, Any]
    application_id: str
    callee: Callee
    pace: Pace
    sender: WebhookSender
    timeline: Timeline
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    conversation_uuid: str = field(default_factory=lambda: f"CON-{uuid.uuid4()}")
    status: str = "started"
    created_s: float = 0
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    _questions: int = 0
    _events: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    _hang_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def to(self) -> str:
        """The number called."""
        return str(self.order["to"][0]["number"])

    @property
    def from_(self) -> str:
        """The caller's number."""
        return str(self.order.get("from", {}).get("number", ""))

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self.ended_at is not None

    def hang_up(self) -> None:
        """End the call from the platform's side."""
        self._hang_up.set()

    async def run(self) -> None:
        """Live through the call; events are sent in order, beside it."""
        self.created_s = self.pace.seconds()
        events = asyncio.create_task(self._send_events())
        try:
            await self._run()
        finally:
            self._events.put_nowait(None)
            await events

    async def _run(self) -> None:
        self._event("started")
        self._event("ringing")
        self._note("vonage", "rings")
        ending = await self._ring()
        if ending is not None:
            self._end(ending, detail=self.callee.detail, by=None)
            return
        self._answer()
        timer = asyncio.create_task(self._length_timer())
        talking = asyncio.create_task(self._talk())
        stop = asyncio.create_task(self._hang_up.wait())
        try:
            await asyncio.wait({talking, stop}, return_when=asyncio.FIRST_COMPLETED)
            by = await talking if talking.done() else "platform"
        finally:
            for task in (timer, talking, stop):
                task.cancel()
        self._end("completed", detail=None, by=by)

    async def _ring(self) -> str | None:
        """Return the status of a call that nobody answers, None for one that is answered."""
        patience = float(self.order.get("ringing_timer", 60))
        in_time = self.callee.pick_up is not PickUp.NO_ANSWER and self.callee.ring_s < patience
        rings = self.callee.ring_s if in_time else patience
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hang_up.wait(), rings / self.pace.speed)
            return "cancelled"
        return _UNANSWERED.get(self.callee.pick_up) if in_time else "timeout"

    def _answer(self) -> None:
        self.answered_at = self.pace.now()
        self._event("answered", start_time=None, rate=None, network=None)
        self._note("callee", "picks up")

    async def _length_timer(self) -> None:
        await self.pace.sleep(float(self.order.get("length_timer", 7200)))
        self._hang_up.set()

    async def _talk(self) -> str:
        """Play NCCOs until nothing is left; return who ended the call."""
        try:
            await self._tell_human_from_machine()
            ncco = await self._first_ncco()
            while ncco:
                ncco = await self._play(ncco)
        except HungUp as ended:
            return ended.by
        return "platform"

    async def _tell_human_from_machine(self) -> None:
        detection = self.order.get("machine_detection")
        if detection is None:
            return
        await self.pace.sleep(MACHINE_VERDICT_S)
        is_machine = self.callee.pick_up is PickUp.MACHINE
        self._event("machine" if is_machine else "human")
        if is_machine and detection == "hangup":
            raise HungUp("platform")

    async def _first_ncco(self) -> list[dict[str, Any]]:
        if "ncco" in self.order:
            inline: list[dict[str, Any]] = self.order["ncco"]
            return inline
        body = {"to": self.to, "from": self.from_, "uuid": self.uuid, "conversation_uuid": self.conversation_uuid}
        method = self.order.get("answer_method", "GET")
        reply = await self.sender.send(self.order["answer_url"][0], body, method=method, timeout_s=ANSWER_S)
        self._note("vonage", "fetches the first NCCO", url=self.order["answer_url"][0], status=reply.status)
        ncco = self._parse_ncco(reply)
        if ncco is None:
            raise HungUp("platform")
        return ncco

    async def _play(self, ncco: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Play an NCCO up to its first input; return what comes next."""
        for position, action in enumerate(ncco):
            if action["action"] == "input":
                keys, by_timer = await self._listen(action)
                reply = await self._report_keys(action, keys, by_timer=by_timer)
                return await self._next(reply, ncco[position + 1 :])
            await self._speak(action, interruptible=action.get("bargeIn") is True)
        return []

    async def _speak(self, action: dict[str, Any], *, interruptible: bool) -> None:
        text = action["text"]
        self._note("vonage", "says", text=text)
        if interruptible and self.callee.interrupts and self.callee.entry(self._questions).keys:
            return
        await self.pace.sleep(len(text) / CHARACTERS_PER_SECOND)

    async def _listen(self, action: dict[str, Any]) -> tuple[str, bool]:
        """Return the keys of one question, and whether the timer ended it."""
        dtmf = action.get("dtmf", {})
        most, patience_s = int(dtmf.get("maxDigits", 4)), float(dtmf.get("timeOut", 3))
        entry = self.callee.entry(self._questions)
        self._questions += 1
        keys = ""
        if not entry.keys:
            await self._keep_silent(entry, patience_s)
            return "", True
        if self.callee.think_s > patience_s:
            await self.pace.sleep(patience_s)
            return "", True
        await self.pace.sleep(self.callee.think_s)
        for key in entry.keys:
            await self.pace.sleep(self.callee.key_s)
            submitted = key == "#" and dtmf.get("submitOnHash") is True
            keys += "" if submitted else key
            if submitted or len(keys) == most:
                if entry.hangs_up:
                    await self._report_then_hang_up(action, keys)
                return self._keyed(keys), False
        self._keyed(keys)
        if entry.hangs_up:
            self._note("callee", "hangs up")
            raise HungUp("user")
        await self.pace.sleep(patience_s)
        return keys, True

    async def _keep_silent(self, entry: Entry, patience_s: float) -> None:
        if entry.hangs_up:
            await self.pace.sleep(self.callee.think_s)
            self._note("callee", "hangs up")
            raise HungUp("user")
        await self.pace.sleep(patience_s)
        self._note("callee", "keys nothing")

    async def _report_then_hang_up(self, action: dict[str, Any], keys: str) -> None:
        """The callee keys the last digit and is gone: the keys and the ending race each other to the service."""
        self._keyed(keys)
        self._note("callee", "hangs up")
        task = asyncio.create_task(self._report_keys(action, keys, by_timer=False))
        _BACKGROUND.add(task)
        task.add_done_callback(_BACKGROUND.discard)
        raise HungUp("user")

    def _keyed(self, keys: str) -> str:
        self._note("callee", "keys", keys=keys)
        return keys

    async def _report_keys(self, action: dict[str, Any], keys: str, *, by_timer: bool) -> Reply:
        body = {
            "speech": {"error": "Speech was not enabled"},
            "dtmf": {"digits": keys, "timed_out": by_timer},
            "from": self.from_,
            "to": self.to,
            "uuid": self.uuid,
            "conversation_uuid": self.conversation_uuid,
            "timestamp": iso(self.pace.now()),
        }
        url = action.get("eventUrl", self.order["event_url"])[0]
        reply = await self.sender.send(url, body, method=action.get("eventMethod", "POST"))
        self._note("vonage", "reports the keys", url=url, status=reply.status, fault=reply.fault, sends=reply.sends)
        return reply

    async def _next(self, reply: Reply, rest: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what follows an input: the service's NCCO, or what is left of the old one (vonage-voice §3.4)."""
        if reply.status is None or not 200 <= reply.status <= 299 or not reply.body:  # noqa: PLR2004 - success
            return rest
        ncco = self._parse_ncco(reply)
        if ncco is None:
            raise HungUp("platform")
        return ncco

    def _parse_ncco(self, reply: Reply) -> list[dict[str, Any]] | None:
        """Return the NCCO of a reply; one that is none becomes an error event, and the call is dropped."""
        reason = None
        ncco: Any = None
        if reply.status != 200:  # noqa: PLR2004 - the one status that brings an NCCO
            reason = f"NCCO download failed: {reply.fault or reply.status}."
        elif reply.content_type.partition(";")[0].strip().lower() != "application/json":
            reason = f"NCCO download failed: content type {reply.content_type or 'missing'}."
        else:
            try:
                ncco = json.loads(reply.body)
            except (ValueError, RecursionError):
                reason = "Syntax error in NCCO. Not JSON."
            else:
                faults = check_ncco(ncco)
                if faults:
                    reason = "Syntax error in NCCO. Invalid value type or action."
                    self._note("vonage", "refuses the NCCO", faults=[str(fault) for fault in faults])
        if reason is not None:
            self._events.put_nowait(
                {"reason": reason, "conversation_uuid": self.conversation_uuid, "timestamp": iso(self.pace.now())}
            )
            return None
        checked: list[dict[str, Any]] = ncco
        return checked

    def _end(self, status: str, *, detail: str | None, by: str | None) -> None:
        self.status = status
        self.ended_at = self.pace.now()
        self._note("vonage", "ends the call", status=status, by=by)
        if status != "completed":
            extra = {} if detail is None else {"detail": detail}
            self._event(status, **extra, sip_code=_SIP.get(status, 480))
            if status in NO_COMPLETED:
                return
        self._event("completed", **self._bill(), **({} if by is None else {"disconnected_by": by}), sip_code=200)

    def _bill(self) -> dict[str, Any]:
        start = self.answered_at or self.ended_at or self.pace.now()
        seconds = round(((self.ended_at or start) - start).total_seconds())
        return {
            "start_time": iso(start),
            "end_time": iso(self.ended_at or start),
            "duration": str(seconds),
            "rate": f"{PRICE_PER_MINUTE:.8f}",
            "price": f"{PRICE_PER_MINUTE * seconds / 60:.8f}",
            "network": "GB-MOBILE",
        }

    def details(self) -> dict[str, Any]:
        """Return the call as `GET /v1/calls/{uuid}` shows it."""
        details = {
            "_links": {"self": {"href": f"/calls/{self.uuid}"}},
            "uuid": self.uuid,
            "conversation_uuid": self.conversation_uuid,
            "to": {"type": "phone", "number": self.to},
            "from": {"type": "phone", "number": self.from_},
            "status": self.status,
            "direction": "outbound",
        }
        return details | (self._bill() if self.status == "completed" else {})

    def _event(self, status: str, **extra: Any) -> None:
        is_verdict = status in {"human", "machine"}
        if not is_verdict and not self.is_over:
            self.status = status
        body: dict[str, Any] = {
            "headers": {},
            "from": self.from_,
            "to": self.to,
            "call_uuid" if is_verdict else "uuid": self.uuid,
            "conversation_uuid": self.conversation_uuid,
            "status": status,
            "direction": "outbound",
            **extra,
            "timestamp": iso(self.pace.now()),
        }
        self._events.put_nowait(body)

    async def _send_events(self) -> None:
        url = self.order["event_url"][0]
        while (body := await self._events.get()) is not None:
            reply = await self.sender.send(url, body, method=self.order.get("event_method", "POST"))
            what = f"reports {body['status']}" if "status" in body else "reports an error"
            self._note("vonage", what, status=reply.status, fault=reply.fault, sends=reply.sends, body=body)

    def _note(self, who: str, what: str, **data: Any) -> None:
        known = {name: value for name, value in data.items() if value is not None}
        self.timeline.add(Line(self.pace.seconds(), who, what, self.uuid, known))


_BACKGROUND: set[asyncio.Task[Reply]] = set()
"""Reports that outlive their call; asyncio itself keeps no hold on tasks."""

_UNANSWERED: Final = {
    PickUp.BUSY: "busy",
    PickUp.NO_ANSWER: "timeout",
    PickUp.REJECT: "rejected",
    PickUp.CANCEL: "cancelled",
    PickUp.UNANSWERED: "unanswered",
    PickUp.FAIL: "failed",
}

_SIP: Final = {"busy": 486, "rejected": 603, "failed": 404, "unanswered": 480}
