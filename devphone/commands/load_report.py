"""What a load run found, held against the promises."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from devphone.commands.load_plan import PlannedCall


@dataclass(slots=True)
class Observed:
    """Everything seen of one planned call."""

    planned: PlannedCall
    tid: str | None = None
    answer: int | None = None
    """The status of `POST /call`, None when there was none."""
    is_asked: bool = False
    """The caller is through with `POST /call`, answered or not."""
    dialled: int = 0
    touched: bool = False
    """Something went wrong with one of its webhooks, so that it may end otherwise."""
    keyed_the_pin: bool = False
    payloads: list[dict[str, Any]] = field(default_factory=list)
    """The fields of its callbacks; `callback` tells how each came: its id, whether it was verified, its hash."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_refused(self) -> bool:
        """Whether there will be no outcome, as `POST /call` was answered without a tid."""
        return self.answer is not None and self.tid is None

    @property
    def is_accounted_for(self) -> bool:
        """Whether nothing more is awaited of it."""
        return bool(self.payloads) or (self.is_asked and self.tid is None)


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of a run. The four lists are broken promises, as sentences; there should be none."""

    calls: int
    refused: int
    unanswered: int
    """Requests without an answer, however often they were sent."""
    touched: int
    """Calls with a fault, or with a webhook that took so long that the callee may have gone."""
    outcomes: dict[str, int]
    repeated_deliveries: int
    lost: list[str]
    changed: list[str]
    wrong: list[str]
    dialled_twice: list[str]
    latency_ms: dict[str, dict[str, float]]

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.changed or self.wrong or self.dialled_twice)


def judge(calls: Iterable[Observed], latencies: dict[str, Sequence[float]]) -> Report:
    """Hold what was seen against the promises; `latencies` are seconds by route."""
    seen = list(calls)
    broken: dict[str, list[str]] = defaultdict(list)
    outcomes: Counter[str] = Counter()
    for call in seen:
        for kind, sentence in _broken(call):
            broken[kind].append(sentence)
        if call.payloads:
            outcomes[f"{call.payloads[0]['status']}/{call.payloads[0]['reason']}"] += 1
    return Report(
        calls=len(seen),
        refused=sum(call.is_refused for call in seen),
        unanswered=sum(call.answer is None for call in seen),
        touched=sum(call.touched for call in seen),
        outcomes=dict(outcomes.most_common()),
        repeated_deliveries=sum(max(len(call.payloads) - 1, 0) for call in seen),
        lost=broken["lost"],
        changed=broken["changed"],
        wrong=broken["wrong"],
        dialled_twice=broken["dialled_twice"],
        latency_ms={route: percentiles(values) for route, values in sorted(latencies.items()) if values},
    )


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p90, p99 and the longest, in milliseconds."""
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {
        name: round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 1) for name, share in at.items()
    }


def _broken(call: Observed) -> list[tuple[str, str]]:
    name = f"{call.planned.number} ({call.planned.kind.script})"
    broken = []
    if call.dialled > 1:
        broken.append(("dialled_twice", f"{name} was dialled {call.dialled} times"))
    if call.tid is not None and not call.payloads:
        broken.append(("lost", f"{name}: no outcome for {call.tid}"))
    if any(payload != call.payloads[0] for payload in call.payloads):
        broken.append(("changed", f"{name}: {call.payloads}"))
    if call.payloads and not _may_be(call, call.payloads[0]):
        broken.append(("wrong", f"{name}: {call.payloads[0]}"))
    return broken


def _may_be(call: Observed, payload: dict[str, Any]) -> bool:
    """Tell whether an outcome is possible: without faults just one is, and `ok` never without the PIN."""
    kind, how = call.planned.kind, payload["callback"]
    if call.tid is not None and payload.get("tid") != call.tid:
        return False
    if how["id"] != payload.get("tid") or how["verified"] is False:
        return False
    if payload.get("status") == "ok" and not call.keyed_the_pin:
        return False
    if (payload.get("status"), payload.get("reason")) == (kind.status, kind.reason):
        return True
    return call.touched and payload.get("status") != "ok"
