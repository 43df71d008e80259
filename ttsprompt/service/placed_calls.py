"""What callers ask of a call that they placed: its status, its end, its callback once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ttsprompt.domain import events
from ttsprompt.domain.call import Transition, apply, found_ended
from ttsprompt.domain.model import Call, Phase, Policy
from ttsprompt.errors import CallNotFoundError, NotSettledError
from ttsprompt.ports import CallStore, Clock, Stored, VoiceApi
from ttsprompt.service.authority import Authority
from ttsprompt.service.credential import Credential
from ttsprompt.service.delivery import Deliveries, report_settled
from ttsprompt.service.hanging_up import hang_up
from ttsprompt.service.patience import Patience

REDELIVERY_TRY_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCalls:
    """The callers' other use cases. Each checks first that the call is the caller's.

    Raises:
        CallNotFoundError: there is no such call, or it is another application's.
        UnauthenticatedError: Vonage does not accept the token.
        VendorUnreachableError: Vonage gave no answer that tells.
    """

    store: CallStore
    voice: VoiceApi
    authority: Authority
    deliveries: Deliveries
    clock: Clock
    policy: Policy

    def status(self, tid: str, credential: Credential) -> Call:
        """Return the call as it stands; news that Vonage has of its end are taken in."""
        return self._authorised(tid, credential, Patience(self.clock)).call

    def cancel(self, tid: str, credential: Credential) -> Call:
        """End the call: first its verdict, then, if it is known there, at Vonage.

        If Vonage's uuid is not known yet, the request that waits for it will find the verdict and hang up itself.
        """
        patience = Patience(self.clock)
        stored = self._authorised(tid, credential, patience)
        stored = self._apply(stored, events.CancelRequested(), patience)
        hang_up(self.voice, self.clock, stored.call, credential.token)
        return stored.call

    def redeliver(self, tid: str, credential: Credential) -> Call:
        """Begin the callback's schedule anew, and try once now.

        Raises:
            NotSettledError: there is no outcome yet.
        """
        patience = Patience(self.clock)
        stored = self._authorised(tid, credential, patience)
        if stored.call.phase is not Phase.SETTLED:
            raise NotSettledError
        stored = self._apply(stored, events.RedeliveryRequested(), patience)
        self.deliveries.deliver(stored, timeout_s=REDELIVERY_TRY_S)
        with patience.step() as left_s:
            return self.store.get(tid, timeout_s=left_s).call

    def _authorised(self, tid: str, credential: Credential, patience: Patience) -> Stored:
        with patience.step() as left_s:
            stored = self.store.get(tid, timeout_s=left_s)
        if stored.call.application_id != credential.application_id:
            raise CallNotFoundError
        ending = self.authority.check(credential, stored.call.uuid)
        if ending is None:
            return stored

        def fn(call: Call) -> Transition:
            return found_ended(call, ending, self.clock.now(), self.policy)

        with patience.step() as left_s:
            update = self.store.update(tid, fn, expected=stored, timeout_s=left_s)
        if update.transition.settled:
            report_settled(update.stored.call)
        return update.stored

    def _apply(
        self, stored: Stored, event: events.CancelRequested | events.RedeliveryRequested, patience: Patience
    ) -> Stored:
        def fn(call: Call) -> Transition:
            return apply(call, event, self.clock.now(), self.policy)

        with patience.step() as left_s:
            return self.store.update(stored.call.tid, fn, expected=stored, timeout_s=left_s).stored
