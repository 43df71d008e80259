"""The way from Vonage to the service, on which webhooks may be lost, doubled, late or out of order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from devphone.clients import PickClient
from devphone.vendor.webhooks import EVENT_S, Reply, WebhookSender

REORDER_S: Final = 0.5
"""How long a webhook is held back so that later ones overtake it."""

SLOW_S: Final = 0.5
"""The phone may run faster than life, so a webhook that takes this long may outlast a callee, or the length timer."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong on the way from Vonage to the service; shares from 0 to 1, `delay_s` at most."""

    duplicate: float = 0
    reorder: float = 0
    drop: float = 0
    delay_s: float = 0


Sent = Callable[[str, str, float | None, bool], None]
"""Told of each webhook: its route, its tid, the seconds it took, and whether anything was not as it should be."""


class FaultySender(WebhookSender):
    """Loses, doubles, delays and holds back webhooks on their way, and notes how long the service takes.

    `faults` is asked anew for every webhook.
    """

    def __init__(
        self,
        pick: PickClient,
        signature_secret: str | None,
        faults: Callable[[], Faults],
        dice: random.Random,
        on_sent: Sent | None = None,
    ) -> None:
        super().__init__(pick, signature_secret)
        self._faults = faults
        self._dice = dice
        self._on_sent: Sent = on_sent or (lambda _route, _tid, _seconds, _touched: None)
        self._background: set[asyncio.Task[Reply]] = set()

    async def send(self, url: str, body: dict[str, Any], *, method: str = "POST", timeout_s: float = EVENT_S) -> Reply:
        """Send one webhook, or do something else with it."""
        route, tid = ("", *urlsplit(url).path.strip("/").split("/"))[-2:]
        dice, faults = self._dice, self._faults()
        if dice.random() < faults.drop:
            self._on_sent(route, tid, None, True)
            return Reply(None, fault="lost on the way")
        if faults.delay_s:
            await asyncio.sleep(dice.uniform(0, faults.delay_s))
        if route == "event" and dice.random() < faults.reorder:
            self._on_sent(route, tid, None, True)
            self._in_background(self._held_back(url, body, method, timeout_s))
            return Reply(204, fault="held back")
        twice = dice.random() < faults.duplicate
        if twice:
            self._in_background(self._timed(route, tid, url, body, method, timeout_s))
        reply = await self._timed(route, tid, url, body, method, timeout_s)
        return replace(reply, sends=reply.sends + 1) if twice else reply

    async def _held_back(self, url: str, body: dict[str, Any], method: str, timeout_s: float) -> Reply:
        await asyncio.sleep(REORDER_S)
        return await super().send(url, body, method=method, timeout_s=timeout_s)

    async def _timed(
        self, route: str, tid: str, url: str, body: dict[str, Any], method: str, timeout_s: float
    ) -> Reply:
        began = time.monotonic()
        reply = await super().send(url, body, method=method, timeout_s=timeout_s)
        seconds = time.monotonic() - began
        is_good = reply.status is not None and reply.status < 300 and reply.sends == 1  # noqa: PLR2004 - success
        self._on_sent(route, tid, seconds, not is_good or seconds > SLOW_S)
        return reply

    def _in_background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
