"""Vonage's calls: those under way, and the last that ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from devphone.callee.directory import Directory
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.behaviour import Behaviour
from devphone.vendor.leg import Leg
from devphone.vendor.webhooks import WebhookSender

LEGS_KEPT: Final = 10_000


@dataclass(slots=True, eq=False)
class Exchange:
    """Places calls. `changed` is told a call's uuid whenever an onlooker would see something change."""

    pace: Pace
    timeline: Timeline
    directory: Directory
    behaviour: Behaviour
    changed: Callable[[str], None] = lambda _uuid: None
    sender: WebhookSender | None = None
    """What webhooks go out by, while the phone is switched on."""
    legs: dict[str, Leg] = field(default_factory=dict)
    _placed: deque[float] = field(default_factory=deque)
    _over: deque[str] = field(default_factory=deque)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def place(self, order: dict[str, Any], application_id: str) -> Leg:
        """Phone the callee of a request that is in order."""
        if self.sender is None:
            msg = "the phone is not switched on"
            raise RuntimeError(msg)
        callee = self.directory.callee(order["to"][0]["number"])
        leg = Leg(
            order,
            application_id,
            callee,
            self.pace,
            self.sender,
            self.timeline,
            self.behaviour.habits,
            self.changed,
        )
        self.legs[leg.uuid] = leg
        task = asyncio.create_task(self._live(leg))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return leg

    async def close(self) -> None:
        """Break off all calls."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_over_rate(self) -> bool:
        """Tell whether one more call now is too much; if not, it counts."""
        if self.behaviour.rate is None:
            return False
        now = asyncio.get_running_loop().time()
        while self._placed and now - self._placed[0] >= 1:
            self._placed.popleft()
        if len(self._placed) >= self.behaviour.rate:
            return True
        self._placed.append(now)
        return False

    async def _live(self, leg: Leg) -> None:
        await leg.run()
        self._over.append(leg.uuid)
        while len(self._over) > LEGS_KEPT:
            self.legs.pop(self._over.popleft(), None)
