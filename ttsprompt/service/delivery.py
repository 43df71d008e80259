"""Delivering the callback of a settled call, and recording what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ttsprompt.domain import events
from ttsprompt.domain.model import Call, DeliveryState
from ttsprompt.domain.payload import retry_delay
from ttsprompt.errors import TtsPromptError
from ttsprompt.ports import BUSY, CallbackRequest, CallbackResponse, CallbackSender, Stored
from ttsprompt.service.writing import RECORDING_S, CallWriter, Deadline

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries(CallWriter):
    """Tries to deliver. Only who committed the settlement, or claimed the call, may try."""

    sender: CallbackSender
    random: Callable[[], float]

    def deliver_within_webhook(self, stored: Stored, deadline: Deadline) -> None:
        """Try at once, in what is left of the webhook's time; if that is too little, leave it due."""
        if stored.call.callback is None:
            return
        timeout_s = deadline.try_s()
        if timeout_s is None:
            log.warning("callback_put_off", extra={"fields": {"tid": stored.call.tid}})
            return
        self.deliver(stored, timeout_s=timeout_s)

    def deliver(self, stored: Stored, *, timeout_s: float) -> None:
        """Try once and record it."""
        tried = self.send(stored.call, timeout_s=timeout_s)
        if tried is not None:
            self.note(stored, tried)

    def send(self, call: Call, *, timeout_s: float) -> events.DeliveryAttempted | None:
        """Try once; return what came of it, None if no try was made.

        None is made if nothing is to be delivered, or if it could not begin for want of our own resources: then the
        call stays due, and nobody counts it.
        """
        if call.payload is None or call.callback is None or call.delivery.state is not DeliveryState.PENDING:
            return None
        request = CallbackRequest(
            webhook_id=call.tid,
            url=call.callback.url,
            method=call.callback.method,
            format=call.callback.format,
            payload=call.payload,
        )
        response = self.sender.send(request, now=self.clock.now(), timeout_s=timeout_s)
        if response.fault == BUSY:
            log.warning("callback_put_off", extra={"fields": {"tid": call.tid, "fault": BUSY}})
            return None
        tried = self._tried(call, response)
        log.info("callback_tried", extra={"fields": _fields(call, tried)})
        return tried

    def note(self, stored: Stored, tried: events.DeliveryAttempted) -> DeliveryState:
        """Record a try; return the state after that.

        If the recording fails the call stays due, and the receiver may get the same payload under the same
        webhook-id again: at least once.
        """
        call = stored.call
        try:
            update = self.record(call.tid, tried, self.deadline(RECORDING_S), expected=stored)
        except TtsPromptError as error:
            log.error("delivery_not_recorded", extra={"fields": {"tid": call.tid, "code": error.code}})
            return DeliveryState.PENDING
        state = update.stored.call.delivery.state
        if state is DeliveryState.UNDELIVERABLE:
            log.error("callback_undeliverable", extra={"fields": _fields(call, tried)})
        return state

    def _tried(self, call: Call, response: CallbackResponse) -> events.DeliveryAttempted:
        attempts_made = call.delivery.attempts_made + 1
        delay = retry_delay(self.policy, attempts_made, response.retry_after_s, self.random())
        return events.DeliveryAttempted(
            due_at=call.due_at,
            outcome=_outcome(response.http_status),
            http_status=response.http_status,
            fault=response.fault,
            retry_at=None if delay is None else self.clock.now() + delay,
        )


def _fields(call: Call, tried: events.DeliveryAttempted) -> dict[str, object]:
    return {"tid": call.tid, "outcome": tried.outcome, "http_status": tried.http_status, "fault": tried.fault}


def report_settled(call: Call) -> None:
    """Log the outcome of a call that was just settled; who commits the settlement reports it."""
    if call.verdict is not None:
        fields = {"tid": call.tid, "status": call.verdict.status.value, "reason": call.verdict.reason.value}
        log.info("call_settled", extra={"fields": {**fields, "attempts": call.attempts_used}})


def _outcome(http_status: int | None) -> events.DeliveryOutcome:
    """Judge the receiver's status: 2xx is success, 410 means stop, all else, redirects too, is a failure."""
    match http_status:
        case int() if 200 <= http_status <= 299:  # noqa: PLR2004 - the range is the definition of success
            return events.DeliveryOutcome.DELIVERED
        case 410:
            return events.DeliveryOutcome.GONE
        case _:
            return events.DeliveryOutcome.FAILED
