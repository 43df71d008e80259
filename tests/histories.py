"""A call's life, told in Vonage's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.builders import NOW, TOKEN, a_call
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import DigitsEntered, Event
from ttsprompt.domain.model import Call, Phase
from ttsprompt.vonage.webhooks import parse_digits, parse_event


@dataclass(frozen=True)
class Webhook:
    """One of Vonage's bodies: an input if it names a step."""

    body: dict[str, Any]
    step: int | None = None

    def as_event(self) -> Event | None:
        if self.step is None:
            return parse_event(self.body)
        return DigitsEntered(self.step, parse_digits(self.body), TOKEN)


def ev(status: str, **fields: Any) -> Webhook:
    return Webhook({"status": status, "uuid": "u-1", "conversation_uuid": "CON-1", **fields})


def typed(step: int, digits: str | None) -> Webhook:
    return Webhook({"dtmf": {"digits": digits, "timed_out": not digits}, "uuid": "u-1"}, step)


STARTED, RINGING, ANSWERED = ev("started"), ev("ringing"), ev("answered")
DONE = ev("completed", duration="12", price="0.01", disconnected_by="platform")
HUNG_UP = ev("completed", duration="12", price="0.01", disconnected_by="user")
Steps = Sequence[Webhook | Event]


def live(steps: Steps, **overrides: Any) -> Call:
    """Live through `steps`, half a second apart, from a new call on."""
    call, now = a_call(**overrides), NOW
    for step in steps:
        now += timedelta(seconds=0.5)
        event = step.as_event() if isinstance(step, Webhook) else step
        if event is not None:
            call = apply(call, event, now).call
    return call


def outcome(call: Call) -> tuple[str, str]:
    assert call.phase is Phase.SETTLED
    assert call.verdict is not None
    return call.verdict.status.value, call.verdict.reason.value
