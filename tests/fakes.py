"""Stand-ins for the outside world that record what they were asked and can be told to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from ttsprompt.domain.events import CallEnded
from ttsprompt.ports import CallbackRequest, CallbackResponse, CallOrder


@dataclass
class FakeClock:
    """A clock that stands still but for `sleep` and `advance`; `on_sleep` runs while somebody waits."""

    current: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], object] | None = None

    def now(self) -> datetime:
        return self.current

    def monotonic(self) -> float:
        return self.current.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.on_sleep is not None:
            action, self.on_sleep = self.on_sleep, None
            action()
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.current += timedelta(seconds=seconds)


@contextmanager
def no_thread_left() -> Iterator[None]:
    """A machine that starts no more threads."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        yield


@dataclass
class FakeVoice:
    """A Vonage that takes every call, or raises `error`.

    `meanwhile` runs before it answers, and so does `while_looked_up`, once.
    """

    uuid: str | None = "63f61863-4a51-4f6b-86e1-46edebcf9356"
    error: Exception | None = None
    meanwhile: Callable[[CallOrder], None] | None = None
    while_looked_up: Callable[[], None] | None = None
    orders: list[CallOrder] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    ending: CallEnded | Exception | None = None
    looked_up: list[str] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    hang_up_statuses: list[int | Exception] = field(default_factory=list)

    def place_call(self, order: CallOrder, token: str) -> str | None:
        self.orders.append(order)
        self.tokens.append(token)
        if self.meanwhile is not None:
            self.meanwhile(order)
        if self.error is not None:
            raise self.error
        return self.uuid

    def look_up(self, uuid: str, token: str) -> CallEnded | None:
        self.looked_up.append(uuid)
        if self.while_looked_up is not None:
            action, self.while_looked_up = self.while_looked_up, None
            action()
        self.tokens.append(token)
        if isinstance(self.ending, Exception):
            raise self.ending
        return self.ending

    def hang_up(self, uuid: str, token: str) -> int:
        self.hung_up.append(uuid)
        self.tokens.append(token)
        status = self.hang_up_statuses.pop(0) if self.hang_up_statuses else 204
        if isinstance(status, Exception):
            raise status
        return status


@dataclass
class FakeSender:
    """A receiver that answers from `responses`, then 200 for ever; each send takes `takes_s` of the clock's time.

    `meanwhile` runs before it answers, once.
    """

    clock: FakeClock
    responses: list[CallbackResponse] = field(default_factory=list)
    takes_s: float = 0
    meanwhile: Callable[[], object] | None = None
    sent: list[CallbackRequest] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def send(self, request: CallbackRequest, *, now: datetime, timeout_s: float) -> CallbackResponse:
        assert now == self.clock.now()
        self.sent.append(request)
        self.timeouts.append(timeout_s)
        self.clock.advance(self.takes_s)
        response = self.responses.pop(0) if self.responses else CallbackResponse(http_status=200)
        if self.meanwhile is not None:
            action, self.meanwhile = self.meanwhile, None
            action()
        return response
