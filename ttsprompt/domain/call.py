"""The call's state machine: one grid says what each event does in each phase, and `apply` looks it up.

Nothing here raises for an event that is repeated, late or impossible: webhooks arrive in any order and any number of
times (docs/vonage.md §3.3), so each such pair is declared, as `ignore`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ttsprompt.domain.events import (
    Answered,
    CallEnded,
    CancelRequested,
    Claimed,
    DeliveryAttempted,
    DigitsEntered,
    EraseRequested,
    Event,
    GraceElapsed,
    HumanDetected,
    MachineDetected,
    Overdue,
    Placed,
    PlacementUnclear,
    RedeliveryRequested,
)
from ttsprompt.domain.model import Call, Phase, Policy, Transition
from ttsprompt.domain.settled import add_price, erase, record_delivery, restart_delivery
from ttsprompt.domain.transitions import (
    answer,
    cancel,
    claim,
    close_grace,
    end,
    expire,
    hear_machine,
    ignore,
    judge,
    keep_uuid,
    note_answered,
    note_human,
    note_late_digits,
    note_machine,
    note_placed,
    note_unclear,
    supplement,
    sweep_grace,
)

__all__ = ["GRID", "Call", "Transition", "apply", "found_ended"]

Handler = Callable[[Call, Any, datetime, Policy], Transition]

# fmt: off
GRID: Final[dict[type[Event], tuple[Handler, ...]]] = {
    #                     placing       placed        answered      decided           grace          settled
    Placed:              (note_placed,  keep_uuid,    keep_uuid,    keep_uuid,        keep_uuid,     keep_uuid),
    PlacementUnclear:    (note_unclear, ignore,       note_unclear, note_unclear,     note_unclear,  note_unclear),
    Answered:            (answer,       answer,       ignore,       note_answered,    note_answered, ignore),
    HumanDetected:       (note_human,   note_human,   note_human,   note_human,       note_human,    ignore),
    MachineDetected:     (hear_machine, hear_machine, hear_machine, note_machine,     hear_machine,  ignore),
    DigitsEntered:       (judge,        judge,        judge,        note_late_digits, judge,         ignore),
    CallEnded:           (end,          end,          end,          end,              supplement,    add_price),
    GraceElapsed:        (ignore,       ignore,       ignore,       ignore,           close_grace,   ignore),
    Claimed:             (ignore,       ignore,       ignore,       ignore,           ignore,        claim),
    Overdue:             (expire,       expire,       expire,       expire,           sweep_grace,   ignore),
    DeliveryAttempted:   (ignore,       ignore,       ignore,       ignore,           ignore,        record_delivery),
    CancelRequested:     (cancel,       cancel,       cancel,       ignore,           cancel,        ignore),
    RedeliveryRequested: (ignore,       ignore,       ignore,       ignore,           ignore,        restart_delivery),
    EraseRequested:      (ignore,       ignore,       ignore,       ignore,           ignore,        erase),
}
# fmt: on
"""A row for each event, a column for each phase, in the order of `Phase`."""

_HANDLERS: Final = {(phase, kind): row[n] for kind, row in GRID.items() for n, phase in enumerate(Phase)}


def apply(call: Call, event: Event, now: datetime, policy: Policy = Policy()) -> Transition:
    """Return what `event` makes of `call`. Pure, so it may run again when another writer was faster."""
    transition = _HANDLERS[call.phase, type(event)](call, event, now, policy)
    return transition if transition.call != call else Transition(call)


def found_ended(call: Call, ended: CallEnded, now: datetime, policy: Policy) -> Transition:
    """Return what a lookup's news make of `call`: as the webhook would, but it is the sweep that waits and delivers."""
    transition = apply(call, ended, now, policy)
    if transition.settled and transition.call.payload is not None:
        delivery = replace(transition.call.delivery, under_way_until=None)
        return replace(transition, call=replace(transition.call, delivery=delivery, due_at=now))
    return replace(transition, grace=False)
