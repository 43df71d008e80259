"""What Vonage tells us: a call was answered, keys were pressed, the call moved on or ended."""

from __future__ import annotations

from dataclasses import dataclass

from ttsprompt.domain import events, ncco, timing
from ttsprompt.domain.model import Call
from ttsprompt.errors import CallNotFoundError
from ttsprompt.service.delivery import Deliveries, report_settled
from ttsprompt.service.writing import CallWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks(CallWriter):
    """Vonage's use cases. Each takes the webhook token; a wrong one and an unknown tid are the same error."""

    deliveries: Deliveries
    base_url: str

    def answer(self, tid: str, token: str) -> ncco.Ncco:
        """Return what the call hears first.

        Raises:
            CallNotFoundError: unknown tid or wrong token.
        """
        call = self.read(tid, self.deadline()).call
        _authenticate(call, token)
        return ncco.opening(call, self._urls(tid, token))

    def input(self, tid: str, token: str, step: int, keys: str) -> ncco.Ncco:
        """Judge the answer to question `step`, once; return what the call hears next.

        Raises:
            CallNotFoundError: unknown tid, wrong token, or a question that was not asked.
        """

        def is_asked(call: Call) -> None:
            _authenticate(call, token)
            if not ncco.was_asked(call, step):
                raise CallNotFoundError

        entered = events.DigitsEntered(step, keys, token)
        call = self.record(tid, entered, self.deadline(), allowed=is_asked).stored.call
        return ncco.reply(call, step, self._urls(tid, token))

    def event(
        self,
        tid: str,
        token: str,
        event: events.Answered | events.HumanDetected | events.MachineDetected | events.CallEnded,
    ) -> None:
        """Apply what happened. If it settles the call, try to deliver the callback within Vonage's patience.

        Raises:
            CallNotFoundError: unknown tid or wrong token.
        """
        deadline = self.deadline()
        update = self.record(tid, event, deadline, allowed=lambda call: _authenticate(call, token))
        if update.transition.grace:
            # The PIN may have been keyed just before the hang-up and still be on its way to us. If this process dies
            # while it waits, the call is due for the sweep.
            self.clock.sleep(timing.GRACE.total_seconds())
            update = self.record(tid, events.GraceElapsed(), deadline, expected=update.stored)
        if update.transition.settled:
            report_settled(update.stored.call)
            self.deliveries.deliver_within_webhook(update.stored, deadline)

    def _urls(self, tid: str, token: str) -> ncco.WebhookUrls:
        return ncco.WebhookUrls(self.base_url, tid, token)


def _authenticate(call: Call, token: str) -> None:
    if not call.is_authentic(token):
        raise CallNotFoundError
