"""What an event can do to a call: one function for each, named in the grid of `call.py`.

Pure, so each may run again when another writer was faster. A docstring's first paragraph completes "the event …".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ttsprompt.domain import events, timing
from ttsprompt.domain.events import Event
from ttsprompt.domain.lifetime import alive_due_at
from ttsprompt.domain.model import Call, DeliveryState, MachineDetection, Policy, State, Transition, Verdict
from ttsprompt.domain.settled import settled, supplemented
from ttsprompt.domain.verdict import Reason, judge_entry, reason_cut_off, reason_of_entries, reason_unanswered


def ignore(call: Call, _event: Event, _now: datetime, _policy: Policy) -> Transition:
    """nothing: repeated, late or impossible"""
    return Transition(call)


def note_placed(call: Call, event: events.Placed, now: datetime, policy: Policy) -> Transition:
    """State placed; keep Vonage's uuid"""
    return _alive(replace(call, state=State.PLACED, uuid=event.uuid).noted(now, "placed"), policy)


def keep_uuid(call: Call, event: events.Placed, now: datetime, _policy: Policy) -> Transition:
    """Keep Vonage's uuid if it is new, and state placed if still placing; webhooks were faster than Vonage's answer"""
    state = State.PLACED if call.state is State.PLACING else call.state
    uuid = call.uuid or (event.uuid if call.erased_at is None else None)
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


def note_answered(call: Call, _event: events.Answered, now: datetime, _policy: Policy) -> Transition:
    """State answered; the verdict stands"""
    return Transition(_answered(call, now))


def note_late_digits(call: Call, event: events.DigitsEntered, now: datetime, _policy: Policy) -> Transition:
    """State answered; the verdict stands, and a key shows that a person picked up"""
    return Transition(_keyed(_answered(call, now), event))


def note_human(call: Call, _event: events.HumanDetected, now: datetime, _policy: Policy) -> Transition:
    """Answered by a person; a timeline entry, once"""
    if call.human_heard:
        return Transition(call)
    return Transition(replace(call, human_heard=True).noted(now, "human"))


def hear_machine(call: Call, _event: events.MachineDetected, now: datetime, policy: Policy) -> Transition:
    """With machine_detection=hangup: error/machine; else answered by a machine, and a timeline entry"""
    if call.machine_detection is MachineDetection.HANGUP and call.verdict is None:
        heard = replace(call, machine_heard=True).noted(now, "machine")
        return _alive(_decided(heard, Reason.MACHINE, now), policy)
    return note_machine(call, _event, now, policy)


def note_machine(call: Call, _event: events.MachineDetected, now: datetime, _policy: Policy) -> Transition:
    """Answered by a machine, unless a person was heard; a timeline entry, once"""
    if call.machine_heard:
        return Transition(call)
    return Transition(replace(call, machine_heard=True).noted(now, "machine"))


def judge(call: Call, event: events.DigitsEntered, now: datetime, policy: Policy) -> Transition:
    """State answered, by a person if a key was pressed; if the question is open, judge the entry.

    Right → ok/pin_matched; reject code → failed/callee_rejected; last try used → failed/no_input if every entry was
    silence, else failed/wrong_pin.
    """
    secrets, heard = call.secrets, _keyed(_answered(call, now), event)
    if event.step != call.current_step or secrets is None or call.verdict is not None:
        return Transition(call) if heard is call else _alive(heard, policy)
    call = heard
    entry = judge_entry(event.digits, event.token, secrets, call.entries)
    call = replace(call, entries=(*call.entries, entry)).noted(now, "entry", step=event.step, judged=entry.value)
    reason = reason_of_entries(call.entries, call.attempts_allowed)
    if reason is not None:
        call = _decided(call, reason, now)
    return _alive(call, policy)


def end(call: Call, event: events.CallEnded, now: datetime, policy: Policy) -> Transition:
    """Settle if the verdict is known or the status tells why nobody answered; else begin the grace period.

    Nobody answered → error/busy, no_answer, unreachable, rejected, cancelled or vendor_error, as status and detail say.
    A `completed` with a duration above 0 shows that somebody answered. Any other, without a sign of an answer, may have
    overtaken the event that says why.
    """
    call = _answered_if_it_took_time(call, event, now)
    is_completed = event.status is events.EndStatus.COMPLETED
    if call.verdict is None and (call.answered_at is not None or is_completed):
        call = _ended(call, event, now)
        return Transition(replace(call, due_at=now + timing.GRACE), grace=True)
    if call.verdict is None:
        call = _decided(call, reason_unanswered(event), now)
    return settled(_ended(call, event, now), now, policy)


def supplement(call: Call, event: events.CallEnded, now: datetime, policy: Policy) -> Transition:
    """Add price and duration if they are new; settle if nobody answered and the status tells why

    The period itself is over when whoever began it, or the sweep, says so: two machines' clocks may differ by more.
    """
    call = _answered_if_it_took_time(call, event, now)
    if call.answered_at is not None or call.verdict is not None or event.status is events.EndStatus.COMPLETED:
        return Transition(supplemented(call, event, now))
    overtaken = call
    call = _ended(call, event, now)
    call = replace(
        call,
        ended_at=overtaken.ended_at,
        duration_s=event.duration if overtaken.duration_s is None else overtaken.duration_s,
        price=overtaken.price or event.price,
        sip_code=event.sip_code or overtaken.sip_code,
    )
    return settled(_decided(call, reason_unanswered(event), now), now, policy)


def close_grace(call: Call, _event: Event, now: datetime, policy: Policy) -> Transition:
    """Settle with the verdict of keys that arrived meanwhile; else nobody answered, or the callee was cut off.

    Nobody answered → error/no_answer. Cut off → error/vendor_error if Vonage ended the call, else failed/hung_up.
    """
    if call.verdict is None:
        reason = Reason.NO_ANSWER if call.answered_at is None else reason_cut_off(call.disconnected_by)
        call = _decided(call, reason, now)
    return settled(call, now, policy)


def claim(call: Call, event: events.Claimed, now: datetime, _policy: Policy) -> Transition:
    """If due, or as that sweep left it: put off the next look, so that one sweep delivers"""
    if call.due_at is None or (call.due_at > now and call.due_at != event.due_at):
        return Transition(call)
    delivery = call.delivery
    if delivery.state is DeliveryState.PENDING:
        delivery = replace(delivery, under_way_until=event.until)
    return Transition(replace(call, delivery=delivery, due_at=event.until))


def expire(call: Call, event: events.Overdue, now: datetime, policy: Policy) -> Transition:
    """If nothing happened since it was seen to be due: settle with the verdict there is, else error/expired"""
    if call.due_at != event.due_at:
        return Transition(call)
    call = replace(call.noted(now, "expired"), state=State.ENDED, ended_at=now)
    if call.verdict is None:
        call = _decided(call, Reason.EXPIRED, now)
    return _by_sweep(settled(call, now, policy), now)


def sweep_grace(call: Call, event: events.Overdue, now: datetime, policy: Policy) -> Transition:
    """If nothing happened since it was seen to be due: as GraceElapsed"""
    return _by_sweep(close_grace(call, event, now, policy), now) if call.due_at == event.due_at else Transition(call)


def _by_sweep(settlement: Transition, now: datetime) -> Transition:
    """Hold redeliveries off while the call may wait in the sweep for its host: it is tried without a claim."""
    call = settlement.call
    if call.due_at is None:
        return settlement
    delivery = replace(call.delivery, under_way_until=min(call.due_at, now + timing.SWEEP))
    return replace(settlement, call=replace(call, delivery=delivery))


def cancel(call: Call, _event: events.CancelRequested, now: datetime, policy: Policy) -> Transition:
    """Error/cancelled, if there is no verdict yet"""
    if call.verdict is not None:
        return Transition(call)
    return _alive(_decided(call, Reason.CANCELLED, now), policy)


# --- the steps they are made of -------------------------------------------------------------------------------------


def _alive(call: Call, policy: Policy) -> Transition:
    """Set when a call that has not ended needs attention; one in its grace period keeps its date."""
    return Transition(call if call.state is State.ENDED else replace(call, due_at=alive_due_at(call, policy)))


def _answered(call: Call, now: datetime) -> Call:
    if call.answered_at is not None:
        return call
    state = call.state if call.state is State.ENDED else State.ANSWERED
    return replace(call, state=state, answered_at=now).noted(now, "answered")


def _answered_if_it_took_time(call: Call, event: events.CallEnded, now: datetime) -> Call:
    """Return the call as answered if it was `completed` with a duration above 0."""
    took_time = event.status is events.EndStatus.COMPLETED and (event.duration or 0) > 0
    return _answered(call, now) if took_time else call


def _keyed(call: Call, event: events.DigitsEntered) -> Call:
    """Return the call as answered by a person if a key was pressed."""
    return replace(call, human_heard=True) if event.digits and not call.human_heard else call


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
        sip_code=event.sip_code,
    ).noted(now, "ended", status=event.status, detail=event.detail, disconnected_by=event.disconnected_by)
