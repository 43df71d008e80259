"""One call as Vonage sees it: rings, is answered, plays its NCCO, ends, and tells the service of each step."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from devphone.callee.person import Person
from devphone.callee.scene import Scene
from devphone.callee.script import Callee, PickUp
from devphone.happenings import CallEnded, CallRang, CallRejected, ExtensionKeyed, Happening, PickedUp
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.billing import bill
from devphone.vendor.detection import BEEP_S, LONGEST_WAIT_S, Detection, detection_of
from devphone.vendor.habits import Habit
from devphone.vendor.player import HungUp, Player
from devphone.vendor.reporter import Reporter
from devphone.vendor.webhook_bodies import VERDICTS, Bodies
from devphone.vendor.webhooks import WebhookSender

OVERTAKEN_S: Final = 0.5
"""How late the event comes that `completed` overtakes."""
EXTENSION_KEY_S: Final = 0.2
EXTENSION_PAUSE_S: Final = 0.5
"""What a `p` in `dtmfAnswer` stands for."""
TOO_EARLY_S: Final = 2.0
NO_COMPLETED: Final = frozenset({"rejected"})
"""Every other ending is followed by `completed` (docs/vonage.md §3.3)."""


@dataclass(slots=True, eq=False)
class Leg:
    """A call under way, or over. `order` is the body of the request that placed it."""

    order: dict[str, Any]
    application_id: str
    callee: Callee
    pace: Pace
    sender: WebhookSender
    timeline: Timeline
    habits: Collection[Habit] = frozenset()
    changed: Callable[[str], None] = lambda _uuid: None
    """Told the uuid whenever something that an onlooker can see changes."""
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    conversation_uuid: str = field(default_factory=lambda: f"CON-{uuid.uuid4()}")
    status: str = "started"
    created_s: float = 0
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    verdict: Literal["human", "machine"] | None = None
    """Of machine detection, once there is one."""
    scene: Scene = field(init=False)
    person: Person | None = field(init=False)
    """Whoever sits at the page, if it is for them to answer."""
    _hang_up: asyncio.Event = field(default_factory=asyncio.Event)
    _reporter: Reporter = field(init=False)

    def __post_init__(self) -> None:
        bodies = Bodies(self.uuid, self.conversation_uuid, self.from_, self.to, self.habits)
        self._reporter = Reporter(self.order, bodies, self.pace, self.sender, self.timeline, self.habits, self.tid)
        self.created_s = self.pace.seconds()
        self.scene = Scene(lambda: self.changed(self.uuid))
        self.person = Person() if self.callee.pick_up is PickUp.PERSON else None

    @property
    def to(self) -> str:
        """The number called."""
        return str(self.order["to"][0]["number"])

    @property
    def from_(self) -> str:
        """The caller's number."""
        return str(self.order.get("from", {}).get("number", ""))

    @property
    def tid(self) -> str | None:
        """The service's own id of the call."""
        return tid_of(self.order)

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self.ended_at is not None

    @property
    def is_too_young(self) -> bool:
        """Whether Vonage would not yet take a PUT, if it has that habit."""
        return Habit.EARLY_PUT_400 in self.habits and self.pace.seconds() - self.created_s < TOO_EARLY_S

    def tell(self, kind: type[Happening], **what: Any) -> None:
        """Put a happening of this call on the timeline."""
        self._reporter.tell(kind, **what)

    def hang_up(self) -> None:
        """End the call from the platform's side."""
        self._hang_up.set()

    async def run(self) -> None:
        """Live through the call, until the service has been told of all of it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reporter.send_events())
            await self._run(tasks)
            self._reporter.close()

    async def _run(self, tasks: asyncio.TaskGroup) -> None:
        self._event("started")
        self._event("ringing")
        self.tell(CallRang)
        patience_s = float(self.order.get("ringing_timer", 60))
        self.scene.ring(self.pace.seconds() + patience_s)
        ending = await (self._ring(patience_s) if self.person is None else self._ring_for(self.person, patience_s))
        if ending is not None:
            self._end(ending, tasks, detail=self.callee.detail, by=None)
            return
        self.answered_at = self.pace.now()
        self._event("answered", start_time=None, rate=None, network=None)
        self.tell(PickedUp)
        self.scene.answer(self.pace.seconds())
        detection = detection_of(self.order)
        player = Player(self.callee, self.pace, self._reporter, tasks, self.habits, self.person, self.scene)
        if detection is not None and not detection.waits:
            tasks.create_task(self._detect(detection, partial(self._tell_verdict, player)))
        self._end("completed", tasks, detail=None, by=await self._talk_until_over(player))

    async def _ring(self, patience_s: float) -> str | None:
        """Return the status of a call that nobody answers, None for one that is answered."""
        in_time = self.callee.pick_up is not PickUp.NO_ANSWER and self.callee.ring_s < patience_s
        rings = self.callee.ring_s if in_time else patience_s
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hang_up.wait(), rings / self.pace.speed)
            return "cancelled"
        return _UNANSWERED.get(self.callee.pick_up) if in_time else "timeout"

    async def _ring_for(self, person: Person, patience_s: float) -> str | None:
        """As `_ring`, but a person decides."""
        decided = asyncio.create_task(person.decided.wait())
        stop = asyncio.create_task(self._hang_up.wait())
        try:
            await asyncio.wait(
                {decided, stop}, timeout=patience_s / self.pace.speed, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            decided.cancel()
            stop.cancel()
        if self._hang_up.is_set():
            return "cancelled"
        if not person.decided.is_set():
            return "timeout"
        if person.rejects:
            self.tell(CallRejected)
            return "rejected"
        return None

    async def _talk_until_over(self, player: Player) -> str:
        """Return who ended the call: the callee or the NCCO, unless somebody else cut it short."""
        talking = asyncio.create_task(self._talk(player))
        stop = asyncio.create_task(self._hang_up.wait())
        left = asyncio.create_task((self.person or Person()).left.wait())
        length_s = float(self.order.get("length_timer", 7200))
        try:
            await asyncio.wait(
                {talking, stop, left}, timeout=length_s / self.pace.speed, return_when=asyncio.FIRST_COMPLETED
            )
            if talking.done():
                return await talking
            talking.cancel()
            if left.done():
                with suppress(HungUp):
                    await player.leave()
                return "user"
            return "platform"
        finally:
            talking.cancel()
            stop.cancel()
            left.cancel()

    async def _talk(self, player: Player) -> str:
        """Play NCCOs until nothing is left; return who ended the call."""
        try:
            await self._key_extension(player)
            await self._detect_first()
            await player.play(await self._first_ncco())
        except HungUp as ended:
            return ended.by
        return "platform"

    async def _detect(self, detection: Detection, send: Callable[..., Awaitable[None]]) -> None:
        """Tell human from machine, and of a machine's beep; hang up on it if that is asked for."""
        longest_s = LONGEST_WAIT_S if detection.waits else self.callee.verdict_s
        waited_s = min(self.callee.verdict_s, longest_s)
        await self.pace.sleep(waited_s)
        self.verdict = self.callee.verdict
        self.changed(self.uuid)
        await send(self.verdict)
        if self.verdict == "human":
            return
        if detection.hangs_up:
            self.hang_up()
        elif detection.hears_beep and not self.is_over:
            await self.pace.sleep(BEEP_S - waited_s)
            await send("machine", sub_state="beep_start")

    async def _tell_verdict(self, player: Player, verdict: str, **extra: Any) -> None:
        """Tell a verdict that nothing waits for; an NCCO in the reply replaces the one that is played."""
        reply = await self._reporter.verdict_aside(verdict, **extra)
        if not reply.brings_something:
            return
        ncco = self._reporter.ncco(reply)
        if ncco is None:
            self.hang_up()
        else:
            player.replace(ncco)

    async def _detect_first(self) -> None:
        detection = detection_of(self.order)
        if detection is None or not detection.waits:
            return

        async def send(status: str, **extra: Any) -> None:
            self._event(status, **extra)

        await self._detect(detection, send)
        if self._hang_up.is_set():
            raise HungUp("platform")

    async def _key_extension(self, player: Player) -> None:
        """Key what is to be keyed after the pick-up; whoever is not reached by that keys nothing."""
        extension = str(self.order["to"][0].get("dtmfAnswer", ""))
        if extension:
            await self.pace.sleep(sum(EXTENSION_PAUSE_S if key == "p" else EXTENSION_KEY_S for key in extension))
            self.tell(ExtensionKeyed, keys=extension)
        if self.callee.extension not in {None, extension.replace("p", "")}:
            player.callee = replace(self.callee, entries=())

    async def _first_ncco(self) -> list[dict[str, Any]]:
        if "ncco" in self.order:
            inline: list[dict[str, Any]] = self.order["ncco"]
            return inline
        ncco = self._reporter.ncco(await self._reporter.first_ncco())
        if ncco is None:
            raise HungUp("platform")
        return ncco

    def _end(self, status: str, tasks: asyncio.TaskGroup, *, detail: str | None, by: str | None) -> None:
        self.status = status
        self.ended_at = self.pace.now()
        self.scene.end(self.pace.seconds())
        self.tell(CallEnded, status=status, by=by)
        if status != "completed":
            extra: dict[str, Any] = {} if detail is None else {"detail": detail}
            extra["sip_code"] = _SIP.get(status, 480)
            if self.callee.completed_first:
                tasks.create_task(self._overtaken(status, extra))
            else:
                self._event(status, **extra)
            if status in NO_COMPLETED or Habit.NO_COMPLETED in self.habits:
                return
        self._event("completed", **self._bill(), **({} if by is None else {"disconnected_by": by}), sip_code=200)

    async def _overtaken(self, status: str, extra: dict[str, Any]) -> None:
        await self.pace.sleep(OVERTAKEN_S)
        await self._reporter.event_aside(status, **extra)

    def _bill(self) -> dict[str, Any]:
        end = self.ended_at or self.pace.now()
        return bill(self.answered_at or end, end)

    def details(self) -> dict[str, Any]:
        """Return the call as `GET /v1/calls/{uuid}` shows it."""
        details = {
            "_links": {"self": {"href": f"/v1/calls/{self.uuid}"}},
            "uuid": self.uuid,
            "conversation_uuid": self.conversation_uuid,
            "to": {"type": "phone", "number": self.to},
            "from": {"type": "phone", "number": self.from_},
            "status": self.status,
            "direction": "outbound",
        }
        return details | (self._bill() if self.status == "completed" else {})

    def _event(self, status: str, **extra: Any) -> None:
        if status not in VERDICTS and not self.is_over:
            self.status = status
        self._reporter.event(status, **extra)


def tid_of(order: dict[str, Any]) -> str | None:
    """Return the service's own id of a call, which its event URL ends in; None for another program's."""
    route, tid = ("", *urlsplit(order["event_url"][0]).path.strip("/").split("/"))[-2:]
    return tid if route == "event" else None


_UNANSWERED: Final = {
    PickUp.BUSY: "busy",
    PickUp.NO_ANSWER: "timeout",
    PickUp.REJECT: "rejected",
    PickUp.CANCEL: "cancelled",
    PickUp.UNANSWERED: "unanswered",
    PickUp.FAIL: "failed",
}

_SIP: Final = {"busy": 486, "rejected": 603, "failed": 404, "unanswered": 480}
