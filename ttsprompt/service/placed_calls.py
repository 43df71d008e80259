"""What callers ask of a call that they placed: its status, its end, its callback once more."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from ttsprompt.domain import events
from ttsprompt.domain.call import found_ended
from ttsprompt.domain.model import Call, Phase
from ttsprompt.errors import CallNotFoundError, NotSettledError, VendorError
from ttsprompt.ports import Clock, Stored, VoiceApi
from ttsprompt.service.authority import Authority, Credential
from ttsprompt.service.delivery import Deliveries, report_settled
from ttsprompt.service.writing import CallWriter, Deadline

log = logging.getLogger(__name__)

REDELIVERY_TRY_S: Final = 15.0

HANG_UP_AGAIN_S: Final = 2.0
"""In the first seconds of a call Vonage may answer 400 to a hang-up (docs/vonage.md §1.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCalls(CallWriter):
    """The callers' other use cases. Each checks first that the call is the caller's.

    Raises:
        CallNotFoundError: there is no such call, or it is another application's.
        UnauthenticatedError: Vonage does not accept the token.
        VendorUnreachableError: Vonage gave no answer that tells.
    """

    voice: VoiceApi
    authority: Authority
    deliveries: Deliveries

    def status(self, tid: str, credential: Credential) -> Call:
        """Return the call as it stands; news that Vonage has of its end are taken in."""
        return self._authorised(tid, credential, self.deadline()).call

    def cancel(self, tid: str, credential: Credential) -> Call:
        """End the call: first its verdict, then, if it is known there, at Vonage.

        If Vonage's uuid is not known yet, the request that waits for it will find the verdict and hang up itself.
        """
        deadline = self.deadline()
        stored = self._authorised(tid, credential, deadline)
        stored = self.record(tid, events.CancelRequested(), deadline, expected=stored).stored
        hang_up(self.voice, self.clock, stored.call, credential.token)
        return stored.call

    def redeliver(self, tid: str, credential: Credential) -> Call:
        """Begin the callback's schedule anew, and try once now.

        Raises:
            NotSettledError: there is no outcome yet.
        """
        deadline = self.deadline()
        stored = self._authorised(tid, credential, deadline)
        if stored.call.phase is not Phase.SETTLED:
            raise NotSettledError
        stored = self.record(tid, events.RedeliveryRequested(), deadline, expected=stored).stored
        self.deliveries.deliver(stored, timeout_s=REDELIVERY_TRY_S)
        return self.read(tid, deadline).call

    def _authorised(self, tid: str, credential: Credential, deadline: Deadline) -> Stored:
        """Return the call if it is the caller's. Nobody else learns whether there is such a call."""
        try:
            found: Stored | None = self.read(tid, deadline)
        except CallNotFoundError:
            found = None
        stored = found if found is not None and found.call.application_id == credential.application_id else None
        # Also where there is no such call: a forged token is refused in the same way.
        ending = self.authority.check(credential, stored.call.uuid if stored is not None else None)
        if stored is None:
            raise CallNotFoundError
        if ending is None:
            return stored
        update = self.record(tid, ending, deadline, expected=stored, rule=found_ended)
        if update.transition.settled:
            report_settled(update.stored.call)
        return update.stored


def hang_up(voice: VoiceApi, clock: Clock, call: Call, token: str) -> None:
    """Ask Vonage to end a call, and once more if it is too early.

    A call that is gone is done, as is one that has ended and cannot be hung up; any other failure is logged.
    """
    if call.uuid is None:
        return
    try:
        status = voice.hang_up(call.uuid, token)
        if status == 400 and call.ended_at is None:  # noqa: PLR2004 - the clearest name
            clock.sleep(HANG_UP_AGAIN_S)
            status = voice.hang_up(call.uuid, token)
    except VendorError as error:
        log.error("hang_up_failed", extra={"fields": {"tid": call.tid, "code": error.code}})
        return
    nothing_left = {404} if call.ended_at is None else {400, 404}
    if status not in nothing_left and not 200 <= status <= 299:  # noqa: PLR2004 - the range is the definition of success
        log.error("hang_up_failed", extra={"fields": {"tid": call.tid, "http_status": status}})
