"""How every use case writes: what happened is recorded for a call, within what is left of the handler's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ttsprompt.domain.call import Transition, apply
from ttsprompt.domain.events import Event
from ttsprompt.domain.model import Call, Policy
from ttsprompt.ports import STORE_TIMEOUT_S, CallStore, Clock, Stored, Update

LEAST_STEP_S: Final = 0.5
"""What a later step at the store gets in any case: by then Vonage may have been asked, or the callee judged."""

WEBHOOK_S: Final = 9.0
"""Vonage asks again after 10 s (docs/vonage.md §3.4), so the request that settles a call is over before that."""

RECORDING_S: Final = 1.5
"""Kept back of that for recording the try to deliver."""

LONGEST_TRY_S: Final = 5.0
SHORTEST_TRY_S: Final = 1.0

Rule = Callable[[Call, Any, datetime, Policy], Transition]
"""What an event makes of a call. Pure, as it may run again when another writer was faster."""


class Deadline:
    """One handler's time: its steps at the store have `store_s` together, whatever lies between them."""

    def __init__(self, clock: Clock, store_s: float = STORE_TIMEOUT_S) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._store_left_s = store_s

    @contextmanager
    def store_step(self) -> Iterator[float]:
        """Give the seconds for one step at the store, and take off what it took."""
        began = self._clock.monotonic()
        try:
            yield max(self._store_left_s, LEAST_STEP_S)
        finally:
            self._store_left_s -= self._clock.monotonic() - began

    def try_s(self) -> float | None:
        """Return how long a try to deliver may take within a webhook; None if too little is left for one."""
        left_s = WEBHOOK_S - (self._clock.monotonic() - self._began) - RECORDING_S
        return None if left_s < SHORTEST_TRY_S else min(left_s, LONGEST_TRY_S)


def anybody(_call: Call) -> None:
    """Allow the event, whatever the call is like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWriter:
    """The base of the use cases: the one way in which they change a call."""

    store: CallStore
    clock: Clock
    policy: Policy

    def deadline(self, store_s: float = STORE_TIMEOUT_S) -> Deadline:
        """Return the deadline of a handler that begins now."""
        return Deadline(self.clock, store_s)

    def record(
        self,
        tid: str,
        event: Event,
        deadline: Deadline,
        *,
        expected: Stored | None = None,
        allowed: Callable[[Call], None] = anybody,
        rule: Rule = apply,
    ) -> Update:
        """Store what `event` makes of the call.

        `allowed` looks at the call as it is at that moment, and raises if the event must not be applied to it; its
        error passes through. `expected` saves the first read.

        Raises:
            CallNotFoundError: there is no such call.
            StoreUnavailableError: it is not known whether the event was recorded.
        """

        def change(call: Call) -> Transition:
            allowed(call)
            return rule(call, event, self.clock.now(), self.policy)

        with deadline.store_step() as timeout_s:
            return self.store.update(tid, change, expected=expected, timeout_s=timeout_s)

    def read(self, tid: str, deadline: Deadline) -> Stored:
        """Return the call.

        Raises:
            CallNotFoundError, StoreUnavailableError: there is none, or it cannot be read.
        """
        with deadline.store_step() as timeout_s:
            return self.store.get(tid, timeout_s=timeout_s)
