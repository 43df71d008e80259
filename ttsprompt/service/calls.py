"""What callers ask for: place a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ttsprompt.domain import events, idempotency, ncco
from ttsprompt.domain.call import Transition, apply
from ttsprompt.domain.model import Call, CallbackTarget, Policy, State, hash_token, new_call
from ttsprompt.domain.verdict import Reason, Secrets, keyed_mac
from ttsprompt.errors import (
    CallExistsError,
    CallNotFoundError,
    FieldFault,
    IdempotencyConflictError,
    InProgressError,
    StoreUnavailableError,
    TooManyCallsError,
    TtsPromptError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from ttsprompt.ports import CallOrder, CallStore, Clock, QuotaStore, Stored, VoiceApi
from ttsprompt.service.admission import Admission
from ttsprompt.service.credential import Credential
from ttsprompt.service.hanging_up import hang_up
from ttsprompt.service.patience import Patience
from ttsprompt.service.prompt_warnings import find_warnings

if TYPE_CHECKING:
    # It brings pydantic, which costs a cold start more than all the rest, and no webhook needs it.
    from ttsprompt.call_request import CallRequest

log = logging.getLogger(__name__)


class AnswerMode(StrEnum):
    """Where the first NCCO comes from: sent along when the call is placed, or fetched from us by Vonage."""

    INLINE = "inline"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Placement:
    """The call that a request led to; `replayed` when an earlier request with the same key had placed it."""

    tid: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a request would come to. `stale_after_s`: when an unanswered call would be given up, from its creation."""

    ncco: ncco.Ncco
    length_timer_s: int
    stale_after_s: float
    warnings: list[FieldFault]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The callers' use cases."""

    store: CallStore
    voice: VoiceApi
    clock: Clock
    policy: Policy
    admission: Admission
    quota: QuotaStore
    base_url: str
    answer_mode: AnswerMode
    new_tid: Callable[[], str]
    new_token: Callable[[], str]

    def place(self, request: CallRequest, credential: Credential, idempotency_key: str | None = None) -> Placement:
        """Phone somebody once.

        With an idempotency key the tid follows from the key, so that making the record is the lock: whoever makes it
        dials, and everybody else is told what became of it.

        The record is made first, so that whatever happens from then on, webhooks find the call and the outcome is
        reported. It is taken back only when it is certain that no call was placed.

        Raises:
            ApplicationNotAllowedError, CountryNotAllowedError, NumberNotAllowedError: the operator does not want it.
            IdempotencyConflictError, InProgressError: the key was used before.
            TooManyCallsError: the number was called often enough for now.
            StoreUnavailableError: the record could not be made for sure; nothing was dialled.
            VendorRefusedError, VendorRateLimitedError, VendorUnreachableError: no call was placed; nothing is kept.
            VendorUnclearError: the phone may be ringing; its `tid` is set and the outcome will be reported.
        """
        self.admission.check_application(credential.application_id)
        self.admission.check_number(request.to)
        token, patience = self.new_token(), Patience(self.clock)
        try:
            with patience.step():
                stored = self.store.create(self._record(request, credential, token, idempotency_key))
        except CallExistsError:
            if idempotency_key is None:
                raise
            return self._replay(request, credential, idempotency_key, patience)
        except StoreUnavailableError as error:
            detail = "The call could not be recorded, so nothing was dialled. Try again."
            raise StoreUnavailableError(detail) from error.__cause__
        tid = stored.call.tid
        try:
            with patience.step() as left_s:
                self.admission.reserve(self.quota, stored.call, self.clock.now(), patience_s=left_s)
        except (TooManyCallsError, StoreUnavailableError):
            self._take_back(stored, patience)
            raise
        urls = ncco.WebhookUrls(self.base_url, tid, token)
        try:
            uuid = self.voice.place_call(self._order(request, stored.call, urls), credential.token)
        except (VendorRefusedError, VendorRateLimitedError, VendorUnreachableError) as error:
            log.warning(
                "vendor_refused", extra={"fields": {"tid": tid, "code": error.code, "trace_id": error.trace_id}}
            )
            self._take_back(stored, patience)
            raise
        except VendorUnclearError as error:
            log.error("vendor_unclear", extra={"fields": {"tid": tid, "trace_id": error.trace_id}})
            self._note(stored, events.PlacementUnclear(), patience)
            error.tid = tid
            raise
        log.info("call_placed", extra={"fields": {"tid": tid, "uuid": uuid}})
        noted = self._note(stored, events.Placed(uuid), patience)
        if noted is not None and noted.verdict is not None and noted.verdict.reason is Reason.CANCELLED:
            # Cancelled while Vonage's uuid was not known yet: only this request knows it and has the token.
            hang_up(self.voice, self.clock, noted, credential.token)
        return Placement(tid)

    def dry_run(self, request: CallRequest) -> DryRun:
        """Return what `place` would do with the request; nothing is stored or dialled."""
        token = "dry-run"  # noqa: S105 - not a secret: no call has it
        call = self._record(request, Credential("", ""), token, None)
        urls = ncco.WebhookUrls(self.base_url, call.tid, token)
        stale_after_s = 0.0 if call.due_at is None else (call.due_at - call.created_at).total_seconds()
        warnings = [*self.admission.warnings(request.to), *find_warnings(request)]
        return DryRun(ncco.opening(call, urls), call.length_timer_s, stale_after_s, warnings)

    def _replay(self, request: CallRequest, credential: Credential, key: str, patience: Patience) -> Placement:
        """Return the placement that the key already led to."""
        tid = idempotency.tid_of(credential.application_id, key)
        try:
            with patience.step() as left_s:
                stored = self.store.get(tid, patience_s=left_s)
            if not idempotency.is_same_request(stored.call, key, request.normalised()):
                raise IdempotencyConflictError
            if idempotency.is_waiting(stored.call, self.clock.now()):
                raise InProgressError
            # Whoever made it has died or is late, and might yet take it back. Once its tid is told, it has to stay.
            with patience.step() as left_s:
                self.store.update(tid, self._kept, expected=stored, patience_s=left_s)
        except CallNotFoundError:
            # Refused and taken back this very moment: the key is free again, but not twice in one request.
            raise InProgressError from None
        log.info("call_replayed", extra={"fields": {"tid": tid}})
        return Placement(tid, replayed=True)

    def _record(self, request: CallRequest, credential: Credential, token: str, key: str | None) -> Call:
        return new_call(
            tid=self.new_tid() if key is None else idempotency.tid_of(credential.application_id, key),
            fingerprint=None if key is None else idempotency.fingerprint(key, request.normalised()),
            application_id=credential.application_id,
            to=request.to,
            callback=CallbackTarget(request.callback, request.callback_method, request.callback_format),
            prompts=request.prompts(),
            secrets=Secrets(
                pin_mac=keyed_mac(token, request.pin_code),
                reject_mac=keyed_mac(token, request.reject_code) if request.reject_code else None,
            ),
            token_hash=hash_token(token),
            attempts_allowed=request.attempts,
            max_digits=request.max_digits,
            input_timeout_s=request.input_timeout,
            ringing_timeout_s=request.ringing_timeout,
            now=self.clock.now(),
            policy=self.policy,
            reference=request.reference,
            machine_detection=request.machine_detection,
        )

    def _order(self, request: CallRequest, call: Call, urls: ncco.WebhookUrls) -> CallOrder:
        inline = self.answer_mode is AnswerMode.INLINE
        return CallOrder(
            to=request.to,
            from_=request.from_,
            ncco=ncco.opening(call, urls) if inline else None,
            answer_url=None if inline else urls.answer(),
            event_url=urls.event(),
            ringing_timer_s=call.ringing_timeout_s,
            length_timer_s=call.length_timer_s,
            machine_detection=call.machine_detection,
        )

    def _note(self, stored: Stored, event: events.Placed | events.PlacementUnclear, patience: Patience) -> Call | None:
        """Add what is known of the placement; return the call as it is stored then.

        A failure changes nothing for the caller, as the call is under way; it is logged.
        """

        def fn(call: Call) -> Transition:
            return apply(call, event, self.clock.now(), self.policy)

        try:
            with patience.step() as left_s:
                return self.store.update(stored.call.tid, fn, expected=stored, patience_s=left_s).stored.call
        except TtsPromptError as error:
            log.error("placement_not_noted", extra={"fields": {"tid": stored.call.tid, "code": error.code}})
            return None

    def _kept(self, call: Call) -> Transition:
        """Note, if nothing is known of the placement, that it is unclear: then nobody takes the record back."""
        if not _is_untouched(call):
            return Transition(call)
        return apply(call, events.PlacementUnclear(), self.clock.now(), self.policy)

    def _take_back(self, stored: Stored, patience: Patience) -> None:
        """Delete the record of a call that was not placed, so that the same request may come again.

        From the moment it is gone the same request may come again, under the same tid. So the place is given back
        before, and a record counts as ours by its token: when the reply to the deletion is lost, the next look may
        find the record of a request that dials.
        """

        def is_ours(call: Call) -> bool:
            return _is_untouched(call) and call.token_hash == stored.call.token_hash

        fields = {"tid": stored.call.tid}
        try:
            with patience.step() as left_s:
                self.admission.release(self.quota, stored.call, patience_s=left_s)
        except StoreUnavailableError as error:
            log.error("quota_not_released", extra={"fields": fields | {"code": error.code}})
        try:
            with patience.step() as left_s:
                self.store.delete(stored.call.tid, is_ours, expected=stored, patience_s=left_s)
        except StoreUnavailableError as error:
            log.error("record_not_deleted", extra={"fields": fields | {"code": error.code}})


def _is_untouched(call: Call) -> bool:
    return call.state is State.PLACING and call.verdict is None and not call.placement_unclear
