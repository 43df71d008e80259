"""Delivering the callback of a settled call, and recording what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ttsprompt.domain import events
from ttsprompt.domain.call import apply
from ttsprompt.domain.model import Call, DeliveryState, Policy
from ttsprompt.domain.payload import retry_delay
from ttsprompt.errors import TtsPromptError
from ttsprompt.ports import CallbackRequest, CallbackResponse, CallbackSender, CallStore, Clock, Stored

log = logging.getLogger(__name__)

WEBHOOK_BUDGET_S: Final = 9.0
"""Vonage asks again after 10 s (docs/vonage.md §3.4), so the request that settles a call is over before that."""

RECORDING_S: Final = 1.5
"""Kept back of the budget for recording the try."""

LONGEST_TRY_S: Final = 5.0
SHORTEST_TRY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Tries to deliver. Only who committed the settlement, or claimed the call, may try."""

    store: CallStore
    sender: CallbackSender
    clock: Clock
    policy: Policy
    random: Callable[[], float]

    def deliver_within_webhook(self, stored: Stored, began: float) -> None:
        """Try at once, in what is left of the webhook that `began` then (monotonic seconds); else leave it due."""
        left_s = WEBHOOK_BUDGET_S - (self.clock.monotonic() - began) - RECORDING_S
        if left_s < SHORTEST_TRY_S:
            log.warning("callback_put_off", extra={"fields": {"tid": stored.call.tid}})
            return
        self.deliver(stored, timeout_s=min(left_s, LONGEST_TRY_S))

    def deliver(self, stored: Stored, *, timeout_s: float) -> DeliveryState:
        """Try once and record it; return the state after that.

        If the recording fails the call stays due, and the receiver may get the same payload under the same
        webhook-id again: at least once.
        """
        call = stored.call
        if call.payload is None or call.callback is None or call.delivery.state is not DeliveryState.PENDING:
            return call.delivery.state
        request = CallbackRequest(
            webhook_id=call.tid,
            url=call.callback.url,
            method=call.callback.method,
            format=call.callback.format,
            payload=call.payload,
        )
        response = self.sender.send(request, now=self.clock.now(), timeout_s=timeout_s)
        event = self._tried(call, response)
        fields = {"tid": call.tid, "outcome": event.outcome, "http_status": event.http_status, "fault": event.fault}
        log.info("callback_tried", extra={"fields": fields})
        try:
            update = self.store.update(
                call.tid,
                lambda current: apply(current, event, self.clock.now(), self.policy),
                expected=stored,
                patience_s=RECORDING_S,
            )
        except TtsPromptError as error:
            log.error("delivery_not_recorded", extra={"fields": {"tid": call.tid, "code": error.code}})
            return DeliveryState.PENDING
        state = update.stored.call.delivery.state
        if state is DeliveryState.UNDELIVERABLE:
            log.error("callback_undeliverable", extra={"fields": fields})
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
