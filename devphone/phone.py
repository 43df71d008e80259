"""The dev phone over HTTP: Vonage's API, a callback receiver, its own controls, and its page."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.middleware import Middleware

from devphone.browser.controls import Controls
from devphone.browser.guard import Guard
from devphone.browser.page import Page
from devphone.callee.directory import Directory
from devphone.clients import PickClient, clients
from devphone.customer.desk import Desk
from devphone.customer.receiver import CallbackReceiver
from devphone.pace import Pace
from devphone.timeline import Timeline
from devphone.vendor.api import VoiceApi
from devphone.vendor.behaviour import Behaviour
from devphone.vendor.exchange import Exchange
from devphone.vendor.faulty_sender import FaultySender
from devphone.vendor.webhooks import EVENT_S, WebhookSender


@dataclass(slots=True, eq=False)
class Phone:
    """Puts one dev phone together.

    `public_keys`: of the applications whose tokens are checked. `signature_secret` signs webhooks, `signing_secret`
    checks callbacks.
    """

    pace: Pace = field(default_factory=Pace)
    directory: Directory = field(default_factory=Directory)
    behaviour: Behaviour = field(default_factory=Behaviour)
    public_keys: dict[str, str] = field(default_factory=dict)
    signature_secret: str | None = None
    signing_secret: str | None = None
    make_sender: Callable[[PickClient, str | None], WebhookSender] | None = None
    """What webhooks are sent by, if it is something else than what `behaviour.faults` is for."""
    timeline: Timeline = field(default_factory=Timeline)
    exchange: Exchange = field(init=False)
    receiver: CallbackReceiver = field(init=False)
    page: Page = field(init=False)
    desk: Desk | None = None
    """The service beside this phone, for the page."""
    pick: PickClient | None = None

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.pace, self.timeline, self.directory, self.behaviour)
        self.receiver = CallbackReceiver(self.timeline, self.pace, self.signing_secret)
        self.page = Page(self.exchange, lambda: self.desk is not None)

    def app(self) -> Starlette:
        """Return the web application."""
        parts = (self.page, Controls(self), VoiceApi(self.exchange, self.public_keys), self.receiver)
        return Starlette(
            routes=[route for part in parts for route in part.routes()],
            middleware=[Middleware(Guard)],
            lifespan=self._lifespan,
        )

    def open_desk(self, desk: Desk) -> None:
        """Let the page place calls and sweep."""
        self.desk = desk
        self.page.renew()

    def close(self) -> None:
        """End the page's event streams: they would keep the server from stopping."""
        self.page.bell.close()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with clients(EVENT_S) as pick:
            self.pick = pick
            self.exchange.sender = (self.make_sender or self._own_sender)(pick, self.signature_secret)
            yield
            self.close()
            await self.exchange.close()

    def _own_sender(self, pick: PickClient, secret: str | None) -> WebhookSender:
        return FaultySender(pick, secret, lambda: self.behaviour.faults, random.Random())
