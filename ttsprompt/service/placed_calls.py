"""What callers ask of a call that they placed: its status, its end, its callback once more."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ttsprompt.domain import events
from ttsprompt.domain.call import found_ended
from ttsprompt.domain.model import Call, Phase
from ttsprompt.errors import (
    CallNotFoundError,
    CorruptRecordError,
    NoCallbackError,
    NotSettledError,
    StoreUnavailableError,
    TooManyRedeliveriesError,
    TtsPromptError,
    VendorError,
)
from ttsprompt.ports import Clock, Stored, VoiceApi
from ttsprompt.service.authority import Authority, Credential
from ttsprompt.service.delivery import Deliveries, report_settled
from ttsprompt.service.writing import CallWriter, Deadline

log = logging.getLogger(__name__)

REDELIVERY_TRY_S: Final = 15.0

HANG_UP_AGAIN_S: Final = 2.0
"""In the first seconds of a call Vonage may answer 400 to a hang-up (docs/vonage.md §1.5)."""


LOOK_AGAIN_S: Final = 1.0
"""How often the store is looked at for whoever waits for an outcome; it has to be told within 1.5 s."""


class WaitingRoom:
    """Where callers wait for an outcome, or a receiver. Each holds a thread all the time: webhooks need the others."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Take a place, if there is one, and tell whether there was."""
        is_free = self._free.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._free.release()


@dataclass(frozen=True, slots=True)
class Look:
    """A call as it stands. `turned_away`: the caller would have waited, but there was no place."""

    call: Call
    turned_away: bool = False


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
    waiting_room: WaitingRoom

    def status(self, tid: str, credential: Credential, wait_s: float) -> Look:
        """Return the call as it stands; news that Vonage has of its end are taken in.

        Not before it is settled, unless that takes longer than `wait_s`, or nobody else may wait.
        """
        until = self.clock.monotonic() + wait_s
        call = self._authorised(tid, credential, self.deadline()).call
        if _is_settled(call) or not wait_s:
            return Look(call)
        with self.waiting_room.place() as is_free:
            if not is_free:
                return Look(call, turned_away=True)
            while not _is_settled(call) and (left_s := until - self.clock.monotonic()) > 0:
                self.clock.sleep(min(LOOK_AGAIN_S, left_s))
                call = self._look_again(call)
        return Look(call)

    def _look_again(self, call: Call) -> Call:
        """Return the call as it stands now; as it stood, if the store does not answer this time."""
        try:
            return self.read(call.tid, self.deadline(LOOK_AGAIN_S)).call
        except StoreUnavailableError:
            return call

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
        """Begin the callback's schedule anew, and try once now; where too many callers wait, the sweep does.

        Raises:
            NotSettledError, NoCallbackError: there is no outcome yet, or nowhere to deliver it to.
            TooManyRedeliveriesError: it was asked for less than a minute ago, or a try is under way.
        """
        deadline = self.deadline()
        stored = self._authorised(tid, credential, deadline)
        with self.waiting_room.place() as is_free:
            asked = events.RedeliveryRequested(at_once=is_free)
            stored = self.record(tid, asked, deadline, expected=stored, allowed=self._check_redelivery).stored
            if is_free:
                self.deliveries.deliver(stored, timeout_s=REDELIVERY_TRY_S)
        return self.read(tid, deadline).call

    def erase(self, tid: str, credential: Credential) -> Call:
        """Drop what the record holds of persons; nothing is delivered any more.

        Raises:
            NotSettledError: there is no outcome yet.
        """
        deadline = self.deadline()
        stored = self._authorised(tid, credential, deadline)
        stored = self.record(tid, events.EraseRequested(), deadline, expected=stored, allowed=_check_settled).stored
        with deadline.store_step() as timeout_s:
            self.store.scrub(timeout_s=timeout_s)
        return stored.call

    def _check_redelivery(self, call: Call) -> None:
        _check_settled(call)
        if call.callback is None:
            raise NoCallbackError
        allowed_at, now = call.redelivery_allowed_at, self.clock.now()
        if allowed_at is not None and now < allowed_at:
            raise TooManyRedeliveriesError(math.ceil((allowed_at - now).total_seconds()))

    def _authorised(self, tid: str, credential: Credential, deadline: Deadline) -> Stored:
        """Return the call if it is the caller's. Nobody else learns whether there is such a call."""
        stored: Stored | None = None
        nothing: TtsPromptError = CallNotFoundError()
        try:
            found = self.read(tid, deadline)
            stored = found if found.call.application_id == credential.application_id else None
        except (CallNotFoundError, CorruptRecordError) as error:
            nothing = error
        # Also where there is no such call, or none that can be read: a forged token is refused in the same way.
        ending = self.authority.check(credential, stored.call.uuid if stored is not None else None)
        if stored is None:
            raise nothing
        if ending is None:
            return stored
        update = self.record(tid, ending, deadline, expected=stored, rule=found_ended)
        if update.transition.settled:
            report_settled(update.stored.call)
        return update.stored


def _is_settled(call: Call) -> bool:
    return call.phase is Phase.SETTLED


def _check_settled(call: Call) -> None:
    if not _is_settled(call):
        raise NotSettledError


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
