"""What an event can do to a settled call: one function for each, named in the grid of `call.py`.

Pure, as those in `transitions.py`, and documented in the same way.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from ttsprompt.domain import events, timing
from ttsprompt.domain.lifetime import crash_net_at
from ttsprompt.domain.model import (
    DELIVERY_ATTEMPTS_KEPT,
    Call,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Policy,
    Transition,
)
from ttsprompt.domain.payload import encode_payload

REDELIVERIES_NOTED: Final = 50
"""How many lines of a timeline are about redelivery; a record has a size that the store takes (1 MiB in Firestore)."""


def settled(call: Call, now: datetime, policy: Policy) -> Transition:
    """Freeze the payload, erase what is no longer needed, and set the crash net of the first try to deliver."""
    call = replace(call, settled_at=now, prompts=None, secrets=None, secrets_fingerprint=None, due_at=None)
    call = replace(call, expire_at=now + policy.retention)
    if call.callback is not None:
        call = replace(
            call,
            payload=encode_payload(call),
            delivery=Delivery(DeliveryState.PENDING, under_way_until=now + timing.CRASH_NET),
            due_at=crash_net_at(now, policy),
        )
    return Transition(call, settled=True)


def supplemented(call: Call, event: events.CallEnded, now: datetime) -> Call:
    """Return the call with the price, duration and SIP code of a later ending, where there was none yet."""
    duration_s = event.duration if call.duration_s is None else call.duration_s
    price = event.price if call.price is None else call.price
    sip_code = event.sip_code if call.sip_code is None else call.sip_code
    if (duration_s, price, sip_code) == (call.duration_s, call.price, call.sip_code):
        return call
    return replace(call, duration_s=duration_s, price=price, sip_code=sip_code).noted(
        now, "supplemented", status=event.status
    )


def add_price(call: Call, event: events.CallEnded, now: datetime, _policy: Policy) -> Transition:
    """The outcome stands; add price and duration for GET /call if they are new"""
    return Transition(supplemented(call, event, now))


def restart_delivery(call: Call, event: events.RedeliveryRequested, now: datetime, policy: Policy) -> Transition:
    """Begin the schedule anew with the same payload, at most once a minute and not while a try is under way"""
    allowed_at = call.redelivery_allowed_at
    if call.payload is None or (allowed_at is not None and now < allowed_at):
        return Transition(call)
    until, due_at = (now + timing.CRASH_NET, crash_net_at(now, policy)) if event.at_once else (None, now)
    delivery = Delivery(DeliveryState.PENDING, 0, call.delivery.tries, under_way_until=until)
    call = replace(
        call,
        delivery=delivery,
        redeliveries=call.redeliveries + 1,
        redelivered_at=now,
        due_at=due_at,
    )
    return Transition(call.noted(now, "redelivery") if call.redeliveries <= REDELIVERIES_NOTED else call)


def erase(call: Call, _event: events.EraseRequested, now: datetime, _policy: Policy) -> Transition:
    """Drop what the record holds of persons: number, callback, payload, reference, the timeline's details

    What is still to be delivered never is. Id, outcome, times and the token's hash stay, so that late webhooks are
    known. The fingerprint goes too, as it was made of the number: a repeat under its key is then a conflict.
    """
    if call.erased_at is not None:
        return Transition(call)
    delivery = call.delivery
    if delivery.state is DeliveryState.PENDING:
        delivery = replace(delivery, state=DeliveryState.UNDELIVERABLE, under_way_until=None)
    call = replace(
        call,
        to="",
        callback=None,
        payload=None,
        reference=None,
        uuid=None,
        fingerprint=None,
        delivery=delivery,
        due_at=None,
        erased_at=now,
        timeline=tuple(replace(line, details={}) for line in call.timeline),
    )
    return Transition(call.noted(now, "erased"))


def record_delivery(call: Call, event: events.DeliveryAttempted, now: datetime, _policy: Policy) -> Transition:
    """Record the try; delivered, or undeliverable after 410 or the last try, or due again.

    A failure that comes when the schedule has moved on without it (begun anew, or claimed again) changes nothing else
    """
    if call.erased_at is not None:
        return Transition(call)
    tries = (*call.delivery.tries, DeliveryAttempt(now, event.http_status, event.fault))[-DELIVERY_ATTEMPTS_KEPT:]
    delivery, attempts_made, due_at = replace(call.delivery, tries=tries), call.delivery.attempts_made + 1, call.due_at
    if event.outcome is events.DeliveryOutcome.DELIVERED:
        delivery, due_at = Delivery(DeliveryState.DELIVERED, attempts_made, tries), None
    elif delivery.state is DeliveryState.PENDING and due_at == event.due_at:
        given_up = event.outcome is events.DeliveryOutcome.GONE or event.retry_at is None
        state = DeliveryState.UNDELIVERABLE if given_up else DeliveryState.PENDING
        delivery, due_at = Delivery(state, attempts_made, tries), None if given_up else event.retry_at
    return Transition(replace(call, delivery=delivery, due_at=due_at))
