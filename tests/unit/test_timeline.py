"""The timeline tells a person what happened to a call, in order, in words that do not change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import NOW, PIN
from tests.histories import ANSWERED, DONE, HUNG_UP, Steps, ev, live, typed
from ttsprompt.domain.events import (
    CancelRequested,
    EraseRequested,
    GraceElapsed,
    Overdue,
    Placed,
    PlacementUnclear,
)
from ttsprompt.domain.model import Call

PLACED = Placed("u-1")
A_LINE = tuple[str, dict[str, Any]]

OK = ("decided", {"status": "ok", "reason": "pin_matched"})
STORIES: dict[str, tuple[Steps, list[A_LINE]]] = {
    "a wrong PIN, then the right one": (
        [PLACED, ANSWERED, typed(1, "1"), typed(2, PIN), DONE],
        [
            ("created", {}),
            ("placed", {}),
            ("answered", {}),
            ("entry", {"step": 1, "judged": "wrong"}),
            ("entry", {"step": 2, "judged": "right"}),
            OK,
            ("ended", {"status": "completed", "disconnected_by": "platform"}),
        ],
    ),
    "price and duration come later": (
        [PLACED, ANSWERED, typed(1, PIN), ev("completed", disconnected_by="user"), DONE],
        [
            ("created", {}),
            ("placed", {}),
            ("answered", {}),
            ("entry", {"step": 1, "judged": "right"}),
            OK,
            ("ended", {"status": "completed", "disconnected_by": "user"}),
            ("supplemented", {"status": "completed"}),
        ],
    ),
    "nobody can be reached": (
        [PLACED, ev("failed", detail="cannot_route")],
        [
            ("created", {}),
            ("placed", {}),
            ("decided", {"status": "error", "reason": "unreachable"}),
            ("ended", {"status": "failed", "detail": "cannot_route"}),
        ],
    ),
    "a machine, then a person": (
        [PLACED, ANSWERED, ev("machine"), ev("human"), typed(1, ""), CancelRequested(), HUNG_UP],
        [
            ("created", {}),
            ("placed", {}),
            ("answered", {}),
            ("machine", {}),
            ("human", {}),
            ("entry", {"step": 1, "judged": "silence"}),
            ("decided", {"status": "error", "reason": "cancelled"}),
            ("ended", {"status": "completed", "disconnected_by": "user"}),
        ],
    ),
    "the ending overtakes its reason": (
        [PLACED, ev("completed", duration="0"), ev("unanswered", detail="unavailable"), ev("completed", price="0.00")],
        [
            ("created", {}),
            ("placed", {}),
            ("ended", {"status": "completed"}),
            ("ended", {"status": "unanswered", "detail": "unavailable"}),
            ("decided", {"status": "error", "reason": "unreachable"}),
            ("supplemented", {"status": "completed"}),
        ],
    ),
    "the ending overtakes the answer": (
        [PLACED, ev("completed", duration="0"), ANSWERED, GraceElapsed()],
        [
            ("created", {}),
            ("placed", {}),
            ("ended", {"status": "completed"}),
            ("answered", {}),
            ("decided", {"status": "failed", "reason": "hung_up"}),
        ],
    ),
    "erased": (
        [PLACED, ev("failed", detail="cannot_route"), EraseRequested()],
        [("created", {}), ("placed", {}), ("decided", {}), ("ended", {}), ("erased", {})],
    ),
    "hung up before a PIN": (
        [PLACED, ANSWERED, HUNG_UP, GraceElapsed()],
        [
            ("created", {}),
            ("placed", {}),
            ("answered", {}),
            ("ended", {"status": "completed", "disconnected_by": "user"}),
            ("decided", {"status": "failed", "reason": "hung_up"}),
        ],
    ),
    "webhooks are faster than Vonage's answer": (
        [ANSWERED, PLACED],
        [("created", {}), ("answered", {}), ("placed", {})],
    ),
    "the answer is unclear, and the callee was reached": (
        [PlacementUnclear(), ANSWERED, CancelRequested()],
        [
            ("created", {}),
            ("vendor_unclear", {}),
            ("answered", {}),
            ("decided", {"status": "error", "reason": "cancelled"}),
        ],
    ),
}


def lines(call: Call) -> list[A_LINE]:
    return [(line.event, dict(line.details)) for line in call.timeline]


@pytest.mark.parametrize("story", STORIES)
def test_the_timeline_tells(story: str) -> None:
    steps, expected = STORIES[story]

    assert lines(live(steps)) == expected


def test_the_timeline_of_a_call_that_nothing_was_heard_of_says_that_it_expired() -> None:
    waiting = live([PLACED])
    assert waiting.due_at is not None
    late = live([PLACED, Overdue(waiting.due_at)])

    assert lines(late)[2:] == [("expired", {}), ("decided", {"status": "error", "reason": "expired"})]
    assert late.timeline[0].at == NOW
