"""The call's state machine: one table says what each event does in each phase, and `apply` looks it up.

Nothing here raises for an event that is repeated, late or impossible: webhooks arrive in any order and any number of
times (docs/vonage.md §3.3), so each such pair is declared, as `ignore`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from ttsprompt.domain import events, timing
from ttsprompt.domain.events import Event
from ttsprompt.domain.model import (
    DELIVERY_ATTEMPTS_KEPT,
    Call,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    MachineDetection,
    Phase,
    Policy,
    State,
    Verdict,
    alive_due_at,
)
from ttsprompt.domain.payload import encode_payload
from ttsprompt.domain.verdict import Reason, judge_entry, reason_cut_off, reason_of_entries, reason_unanswered

__all__ = ["TRANSITIONS", "Call", "Transition", "apply"]


@dataclass(frozen=True, slots=True)
class Transition:
    """The call after an event. It is the very same object when nothing changed, so nothing needs to be stored."""

    call: Call
    settled: bool = False
    """This event settled the call: whoever commits it delivers the callback."""
    grace: bool = False
    """This event began the grace period: whoever commits it waits, then applies `GraceElapsed`."""


REDELIVERIES_NOTED: Final = 50
"""How many lines of a timeline are about redelivery; a record has a size that the store takes (1 MiB in Firestore)."""

Handler = Callable[[Call, Any, datetime, Policy], Transition]


def apply(call: Call, event: Event, now: datetime, policy: Policy = Policy()) -> Transition:
    """Return what `event` makes of `call`. Pure, so it may run again when another writer was faster."""
    transition = TRANSITIONS[call.phase, type(event)](call, event, now, policy)
    return transition if transition.call != call else Transition(call)


def found_ended(call: Call, ending: events.CallEnded, now: datetime, policy: Policy) -> Transition:
    """Return what a lookup's news make of `call`: as the webhook would, but it is the sweep that waits and delivers."""
    transition = apply(call, ending, now, policy)
    if transition.settled:
        return replace(transition, call=replace(transition.call, due_at=now))
    return replace(transition, grace=False)


# --- what an event can do -------------------------------------------------------------------------------------------


def ignore(call: Call, _event: Event, _now: datetime, _policy: Policy) -> Transition:
    """nothing: repeated, late or impossible"""
    return Transition(call)


def note_placed(call: Call, event: events.Placed, now: datetime, policy: Policy) -> Transition:
    """State placed; keep Vonage's uuid"""
    return _alive(replace(call, state=State.PLACED, uuid=event.uuid).noted(now, "placed"), policy)


def keep_uuid(call: Call, event: events.Placed, now: datetime, _policy: Policy) -> Transition:
    """Keep Vonage's uuid if it is new, and state placed if still placing; webhooks were faster than Vonage's answer"""
    state = State.PLACED if call.state is State.PLACING else call.state
    uuid = call.uuid or event.uuid
    if (state, uuid) == (call.state, call.uuid):
        return Transition(call)
    return Transition(replace(call, state=state, uuid=uuid).noted(now, "placed"))


def note_unclear(call: Call, _event: events.PlacementUnclear, now: datetime, _policy: Policy) -> Transition:
    """Remember that Vonage gave no clear answer; webhooks or the sweep will tell"""
    if call.placement_unclear:
        return Transition(call)
    return Transition(replace(call, placement_unclear=True).noted(now, "vendor_unclear"))


def answer(call: Call, _event: events.Answered, now: datetime, policy: Policy) -> Transition:
    """State answered"""
    return _alive(_answered(call, now), policy)


def note_answered(
    call: Call, _event: events.Answered | events.DigitsEntered, now: datetime, _policy: Policy
) -> Transition:
    """State answered; the verdict stands"""
    return Transition(_answered(call, now))


def hear_machine(call: Call, _event: events.MachineDetected, now: datetime, policy: Policy) -> Transition:
    """With machine_detection=hangup: error/machine; else a timeline entry"""
    if call.machine_detection is MachineDetection.HANGUP and call.verdict is None:
        return _alive(_decided(call.noted(now, "machine"), Reason.MACHINE, now), policy)
    return note_machine(call, _event, now, policy)


def note_machine(call: Call, _event: events.MachineDetected, now: datetime, _policy: Policy) -> Transition:
    """A timeline entry, once"""
    if any(line.event == "machine" for line in call.timeline):
        return Transition(call)
    return Transition(call.noted(now, "machine"))


def judge(call: Call, event: events.DigitsEntered, now: datetime, policy: Policy) -> Transition:
    """State answered; if the question is open, judge the entry.

    Right → ok/pin_matched; reject code → failed/callee_rejected; last try used → failed/no_input if every entry was
    silence, else failed/wrong_pin.
    """
    secrets = call.secrets
    if event.step != call.current_step or secrets is None or call.verdict is not None:
        return answer(call, events.Answered(), now, policy) if call.answered_at is None else Transition(call)
    call = _answered(call, now)
    entry = judge_entry(event.digits, event.token, secrets, call.entries)
    call = replace(call, entries=(*call.entries, entry)).noted(now, "entry", step=event.step, judged=entry.value)
    reason = reason_of_entries(call.entries, call.attempts_allowed)
    if reason is not None:
        call = _decided(call, reason, now)
    return _alive(call, policy)


def end(call: Call, event: events.CallEnded, now: datetime, policy: Policy) -> Transition:
    """Settle if the verdict is known or nobody answered; else begin the grace period.

    Nobody answered → error/busy, no_answer, unreachable, rejected, cancelled or vendor_error, as status and detail say.
    A `completed` with a duration above 0 shows that somebody answered.
    """
    if call.answered_at is None and event.status is events.EndStatus.COMPLETED and (event.duration or 0) > 0:
        call = _answered(call, now)
    if call.answered_at is not None and call.verdict is None:
        call = _ended(call, event, now)
        return Transition(replace(call, due_at=now + timing.GRACE), grace=True)
    if call.verdict is None:
        call = _decided(call, reason_unanswered(event), now)
    return _settled(_ended(call, event, now), now, policy)


def supplement(call: Call, event: events.CallEnded, now: datetime, policy: Policy) -> Transition:
    """Add price and duration if they are new; settle if the grace period is over"""
    call = _supplemented(call, event, now)
    if call.ended_at is not None and now >= call.ended_at + timing.GRACE:
        return after_grace(call, events.GraceElapsed(), now, policy)
    return Transition(call)


def supplement_settled(call: Call, event: events.CallEnded, now: datetime, _policy: Policy) -> Transition:
    """The outcome stands; add price and duration for GET /call if they are new"""
    return Transition(_supplemented(call, event, now))


def after_grace(call: Call, _event: Event, now: datetime, policy: Policy) -> Transition:
    """Settle with the verdict of keys that arrived meanwhile, else for being cut off.

    Cut off → error/vendor_error if Vonage ended the call, else failed/hung_up.
    """
    if call.verdict is None:
        call = _decided(call, reason_cut_off(call.disconnected_by), now)
    return _settled(call, now, policy)


def claim(call: Call, event: events.Claimed, now: datetime, _policy: Policy) -> Transition:
    """If due, or as that sweep left it: put off the next look, so that one sweep works on it"""
    if call.due_at is None or (call.due_at > now and call.due_at != event.due_at):
        return Transition(call)
    return Transition(replace(call, due_at=event.until))


def expire(call: Call, event: events.Overdue, now: datetime, policy: Policy) -> Transition:
    """If nothing happened since the claim: settle with the verdict there is, else error/expired"""
    if call.due_at != event.claimed_until:
        return Transition(call)
    call = replace(call.noted(now, "expired"), state=State.ENDED, ended_at=now)
    if call.verdict is None:
        call = _decided(call, Reason.EXPIRED, now)
    return _settled(call, now, policy)


def after_grace_by_sweep(call: Call, event: events.Overdue, now: datetime, policy: Policy) -> Transition:
    """If nothing happened since the claim: as GraceElapsed"""
    return after_grace(call, event, now, policy) if call.due_at == event.claimed_until else Transition(call)


def cancel(call: Call, _event: events.CancelRequested, now: datetime, policy: Policy) -> Transition:
    """Error/cancelled, if there is no verdict yet"""
    if call.verdict is not None:
        return Transition(call)
    return _alive(_decided(call, Reason.CANCELLED, now), policy)


def restart_delivery(call: Call, _event: events.RedeliveryRequested, now: datetime, policy: Policy) -> Transition:
    """Begin the schedule anew, with the same payload"""
    delivery = Delivery(DeliveryState.PENDING, 0, call.delivery.tries)
    call = replace(call, delivery=delivery, due_at=_crash_net(now, policy), expire_at=now + policy.retention)
    noted = sum(line.event == "redelivery" for line in call.timeline)
    return Transition(call.noted(now, "redelivery") if noted < REDELIVERIES_NOTED else call)


def record_delivery(call: Call, event: events.DeliveryAttempted, now: datetime, _policy: Policy) -> Transition:
    """Record the try; delivered, or undeliverable after 410 or the last try, or due again.

    A failure that comes when the schedule has moved on without it (begun anew, or claimed again) changes nothing else
    """
    state, attempts_made, due_at = call.delivery.state, call.delivery.attempts_made, call.due_at
    if event.outcome is events.DeliveryOutcome.DELIVERED:
        state, attempts_made, due_at = DeliveryState.DELIVERED, attempts_made + 1, None
    elif state is DeliveryState.PENDING and due_at == event.due_at:
        given_up = event.outcome is events.DeliveryOutcome.GONE or event.retry_at is None
        state = DeliveryState.UNDELIVERABLE if given_up else DeliveryState.PENDING
        attempts_made, due_at = attempts_made + 1, None if given_up else event.retry_at
    tries = (*call.delivery.tries, DeliveryAttempt(now, event.http_status, event.fault))[-DELIVERY_ATTEMPTS_KEPT:]
    return Transition(replace(call, delivery=Delivery(state, attempts_made, tries), due_at=due_at))


# --- the steps they are made of -------------------------------------------------------------------------------------


def _alive(call: Call, policy: Policy) -> Transition:
    """Set when a call that has not ended needs attention; one in its grace period keeps its date."""
    return Transition(call if call.state is State.ENDED else replace(call, due_at=alive_due_at(call, policy)))


def _answered(call: Call, now: datetime) -> Call:
    if call.answered_at is not None:
        return call
    return replace(call, state=State.ANSWERED, answered_at=now).noted(now, "answered")


def _decided(call: Call, reason: Reason, now: datetime) -> Call:
    return replace(call, verdict=Verdict(reason, now)).noted(now, "decided", status=reason.status, reason=reason)


def _ended(call: Call, event: events.CallEnded, now: datetime) -> Call:
    return replace(
        call,
        state=State.ENDED,
        ended_at=now,
        disconnected_by=event.disconnected_by,
        duration_s=event.duration,
        price=event.price,
    ).noted(now, "ended", status=event.status, detail=event.detail, disconnected_by=event.disconnected_by)


def _supplemented(call: Call, event: events.CallEnded, now: datetime) -> Call:
    duration_s = event.duration if call.duration_s is None else call.duration_s
    price = event.price if call.price is None else call.price
    if (duration_s, price) == (call.duration_s, call.price):
        return call
    return replace(call, duration_s=duration_s, price=price).noted(now, "supplemented", status=event.status)


def _settled(call: Call, now: datetime, policy: Policy) -> Transition:
    """Freeze the payload, erase what is no longer needed, and set the crash net of the first try to deliver."""
    call = replace(
        call,
        settled_at=now,
        payload=encode_payload(call),
        prompts=None,
        secrets=None,
        delivery=Delivery(DeliveryState.PENDING),
        due_at=_crash_net(now, policy),
        expire_at=now + policy.retention,
    )
    return Transition(call, settled=True)


def _crash_net(now: datetime, policy: Policy) -> datetime:
    """Return when the sweep looks after a first try of which nothing was heard."""
    return now + max(policy.retry_schedule[0], timing.CRASH_NET)


TRANSITIONS: Final[dict[tuple[Phase, type[Event]], Handler]] = {
    (Phase.PLACING, events.Placed): note_placed,
    (Phase.PLACING, events.PlacementUnclear): note_unclear,
    (Phase.PLACING, events.Answered): answer,
    (Phase.PLACING, events.MachineDetected): hear_machine,
    (Phase.PLACING, events.DigitsEntered): judge,
    (Phase.PLACING, events.CallEnded): end,
    (Phase.PLACING, events.GraceElapsed): ignore,
    (Phase.PLACING, events.Claimed): claim,
    (Phase.PLACING, events.Overdue): expire,
    (Phase.PLACING, events.DeliveryAttempted): ignore,
    (Phase.PLACING, events.CancelRequested): cancel,
    (Phase.PLACING, events.RedeliveryRequested): ignore,
    (Phase.PLACED, events.Placed): keep_uuid,
    (Phase.PLACED, events.PlacementUnclear): ignore,
    (Phase.PLACED, events.Answered): answer,
    (Phase.PLACED, events.MachineDetected): hear_machine,
    (Phase.PLACED, events.DigitsEntered): judge,
    (Phase.PLACED, events.CallEnded): end,
    (Phase.PLACED, events.GraceElapsed): ignore,
    (Phase.PLACED, events.Claimed): claim,
    (Phase.PLACED, events.Overdue): expire,
    (Phase.PLACED, events.DeliveryAttempted): ignore,
    (Phase.PLACED, events.CancelRequested): cancel,
    (Phase.PLACED, events.RedeliveryRequested): ignore,
    (Phase.ANSWERED, events.Placed): keep_uuid,
    (Phase.ANSWERED, events.PlacementUnclear): note_unclear,
    (Phase.ANSWERED, events.Answered): ignore,
    (Phase.ANSWERED, events.MachineDetected): hear_machine,
    (Phase.ANSWERED, events.DigitsEntered): judge,
    (Phase.ANSWERED, events.CallEnded): end,
    (Phase.ANSWERED, events.GraceElapsed): ignore,
    (Phase.ANSWERED, events.Claimed): claim,
    (Phase.ANSWERED, events.Overdue): expire,
    (Phase.ANSWERED, events.DeliveryAttempted): ignore,
    (Phase.ANSWERED, events.CancelRequested): cancel,
    (Phase.ANSWERED, events.RedeliveryRequested): ignore,
    (Phase.DECIDED, events.Placed): keep_uuid,
    (Phase.DECIDED, events.PlacementUnclear): note_unclear,
    (Phase.DECIDED, events.Answered): note_answered,
    (Phase.DECIDED, events.MachineDetected): note_machine,
    (Phase.DECIDED, events.DigitsEntered): note_answered,
    (Phase.DECIDED, events.CallEnded): end,
    (Phase.DECIDED, events.GraceElapsed): ignore,
    (Phase.DECIDED, events.Claimed): claim,
    (Phase.DECIDED, events.Overdue): expire,
    (Phase.DECIDED, events.DeliveryAttempted): ignore,
    (Phase.DECIDED, events.CancelRequested): ignore,
    (Phase.DECIDED, events.RedeliveryRequested): ignore,
    (Phase.GRACE, events.Placed): keep_uuid,
    (Phase.GRACE, events.PlacementUnclear): note_unclear,
    (Phase.GRACE, events.Answered): ignore,
    (Phase.GRACE, events.MachineDetected): hear_machine,
    (Phase.GRACE, events.DigitsEntered): judge,
    (Phase.GRACE, events.CallEnded): supplement,
    (Phase.GRACE, events.GraceElapsed): after_grace,
    (Phase.GRACE, events.Claimed): claim,
    (Phase.GRACE, events.Overdue): after_grace_by_sweep,
    (Phase.GRACE, events.DeliveryAttempted): ignore,
    (Phase.GRACE, events.CancelRequested): cancel,
    (Phase.GRACE, events.RedeliveryRequested): ignore,
    (Phase.SETTLED, events.Placed): keep_uuid,
    (Phase.SETTLED, events.PlacementUnclear): note_unclear,
    (Phase.SETTLED, events.Answered): ignore,
    (Phase.SETTLED, events.MachineDetected): ignore,
    (Phase.SETTLED, events.DigitsEntered): ignore,
    (Phase.SETTLED, events.CallEnded): supplement_settled,
    (Phase.SETTLED, events.GraceElapsed): ignore,
    (Phase.SETTLED, events.Claimed): claim,
    (Phase.SETTLED, events.Overdue): ignore,
    (Phase.SETTLED, events.DeliveryAttempted): record_delivery,
    (Phase.SETTLED, events.CancelRequested): ignore,
    (Phase.SETTLED, events.RedeliveryRequested): restart_delivery,
}
"""What each event does in each phase. A test goes through all pairs; docs/architecture.md prints this table."""
