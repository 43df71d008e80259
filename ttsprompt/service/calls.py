"""What callers ask for: place a call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from ttsprompt.call_request import CallRequest
from ttsprompt.domain import events, idempotency, ncco
from ttsprompt.domain.call import Transition, apply
from ttsprompt.domain.lifetime import new_call
from ttsprompt.domain.model import Call, Policy, State, hash_token
from ttsprompt.domain.verdict import Reason, Secrets, keyed_mac
from ttsprompt.errors import (
    CallExistsError,
    CallNotFoundError,
    CountryNotAllowedError,
    FieldFault,
    IdempotencyConflictError,
    InProgressError,
    NumberNotAllowedError,
    StoreUnavailableError,
    TooManyCallsError,
    TtsPromptError,
    UnauthenticatedError,
    VendorError,
    VendorRateLimitedError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from ttsprompt.ports import CallOrder, Stored, VoiceApi
from ttsprompt.service.admission import Admission
from ttsprompt.service.authority import Authority, Credential
from ttsprompt.service.choices import AnswerMode
from ttsprompt.service.placed_calls import hang_up
from ttsprompt.service.prompt_warnings import find_warnings
from ttsprompt.service.writing import CallWriter, Deadline

log = logging.getLogger(__name__)


SLOWED_DOWN_S: Final = 3.0
"""For so long a request that Vonage throttles is sent again: an account may place a few a second (docs/vonage.md §1.5).
"""

FIRST_PAUSE_S: Final = 0.3
"""Each pause is twice the last, unless Vonage says how long to wait."""

LEAST_PAUSE_S: Final = 0.1
JITTER: Final = 0.2
"""By how much a pause is lengthened at most."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The call that a request led to; `replayed` when an earlier request with the same key had placed it."""

    tid: str
    replayed: bool = False


class Standing(StrEnum):
    """What Vonage says of a token; unknown when it gave no answer that tells."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a request would come to.

    `stale_after_s`: when an unanswered call would be given up, from its creation. `credential` is None without one.
    """

    ncco: ncco.Ncco
    length_timer_s: int
    stale_after_s: float
    warnings: list[FieldFault]
    credential: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls(CallWriter):
    """The callers' use cases."""

    voice: VoiceApi
    authority: Authority
    admission: Admission
    base_url: str
    answer_mode: AnswerMode
    new_tid: Callable[[], str]
    new_token: Callable[[], str]
    random: Callable[[], float]
    """From 0 to 1."""
    languages: Collection[str]

    def place(self, request: CallRequest, credential: Credential, idempotency_key: str | None = None) -> Placement:
        """Phone somebody once.

        With an idempotency key the tid follows from the key, so that making the record is the lock: whoever makes it
        dials, and everybody else is told what became of it.

        Where a key or a limit makes one request depend on others, Vonage is shown the token before anything else is
        done: anybody can write one down, and until Vonage has accepted it, it is nobody's.

        The record is made before the call, so that whatever happens from then on, webhooks find the call and the
        outcome is reported. It is taken back only when it is certain that no call was placed.

        Raises:
            ApplicationNotAllowedError, CountryNotAllowedError, NumberNotAllowedError: the operator does not want it.
            UnauthenticatedError: Vonage was shown the token, and does not accept it.
            IdempotencyConflictError, InProgressError: the key was used before.
            TooManyCallsError: the number was called often enough for now.
            StoreUnavailableError: the record could not be made for sure; nothing was dialled.
            VendorRefusedError, VendorRateLimitedError, VendorUnreachableError: no call was placed; nothing is kept.
            VendorUnclearError: the phone may be ringing; its `tid` is set and the outcome will be reported.
        """
        self.admission.check_application(credential.application_id)
        try:
            self.admission.check_number(request.to)
        except (CountryNotAllowedError, NumberNotAllowedError):
            # The rule may be younger than the call that the key has led to.
            if idempotency_key is not None and (placed := self._placed_before(request, credential, idempotency_key)):
                return placed
            raise
        if idempotency_key is not None or self.admission.counts:
            self.authority.check(credential)
        token, deadline = self.new_token(), self.deadline()
        try:
            with deadline.store_step() as timeout_s:
                stored = self.store.create(
                    self._new_call(request, credential, token, idempotency_key), timeout_s=timeout_s
                )
        except CallExistsError:
            if idempotency_key is None:
                raise
            try:
                return self._replay(request, credential, idempotency_key, deadline)
            except CallNotFoundError:
                # Refused and taken back this very moment: the key is free again, but not twice in one request.
                raise InProgressError from None
        except StoreUnavailableError as error:
            detail = "The call could not be recorded, so nothing was dialled. Try again."
            raise StoreUnavailableError(detail) from error.__cause__
        try:
            with deadline.store_step() as timeout_s:
                self.admission.reserve(stored.call, self.clock.now(), timeout_s=timeout_s)
        except (TooManyCallsError, StoreUnavailableError):
            self._take_back(stored, deadline)
            raise
        return self._phone(request, credential, stored, token, deadline)

    def _phone(
        self, request: CallRequest, credential: Credential, stored: Stored, token: str, deadline: Deadline
    ) -> Placement:
        """Have Vonage place the call that was recorded, and note what came of it."""
        tid = stored.call.tid
        urls = ncco.WebhookUrls(self.base_url, tid, token)
        try:
            uuid = self._dial(self._order(request, stored.call, urls), credential)
        except (VendorRefusedError, VendorRateLimitedError, VendorUnreachableError) as error:
            _log_refusal(tid, error)
            self._take_back(stored, deadline)
            raise
        except VendorUnclearError as error:
            log.error("vendor_unclear", extra={"fields": {"tid": tid, "trace_id": error.trace_id}})
            self._note(stored, events.PlacementUnclear(), deadline)
            error.tid = tid
            raise
        log.info("call_placed", extra={"fields": {"tid": tid, "uuid": uuid}})
        noted = self._note(stored, events.Placed(uuid), deadline) or self._last_look(tid, deadline)
        if noted is not None and noted.verdict is not None and noted.verdict.reason is Reason.CANCELLED:
            # Cancelled while Vonage's uuid was not known yet: only this request knows it and has the token.
            hang_up(self.voice, self.clock, replace(noted, uuid=uuid), credential.token)
        return Placement(tid)

    def dry_run(self, request: CallRequest, credential: Credential | None = None) -> DryRun:
        """Return what `place` would do with the request; nothing is stored or dialled.

        Raises:
            ApplicationNotAllowedError, CountryNotAllowedError, NumberNotAllowedError: as `place` would.
        """
        if credential is not None:
            self.admission.check_application(credential.application_id)
        self.admission.check_number(request.to)
        token = "dry-run"  # noqa: S105 - not a secret: no call has it
        call = self._new_call(request, Credential("", ""), token, None)
        urls = ncco.WebhookUrls(self.base_url, call.tid, token)
        stale_after_s = 0.0 if call.due_at is None else (call.due_at - call.created_at).total_seconds()
        return DryRun(
            ncco=ncco.opening(call, urls),
            length_timer_s=call.length_timer_s,
            stale_after_s=stale_after_s,
            warnings=find_warnings(request, self.languages),
            credential=None if credential is None else self._standing(credential),
        )

    def has_used(self, credential: Credential, key: str) -> bool:
        """Tell whether the key has led to a call; never to somebody whose token Vonage does not accept.

        Raises:
            ApplicationNotAllowedError: the operator's rule.
            StoreUnavailableError, VendorUnreachableError: nobody can tell just now.
        """
        self.admission.check_application(credential.application_id)
        try:
            self.authority.check(credential)
            self.read(idempotency.tid_of(credential.application_id, key), self.deadline())
        except (CallNotFoundError, UnauthenticatedError):
            return False
        return True

    def _standing(self, credential: Credential) -> Standing:
        try:
            self.authority.check(credential)
        except UnauthenticatedError:
            return Standing.REFUSED
        except VendorUnreachableError:
            return Standing.UNKNOWN
        return Standing.ACCEPTED

    def _placed_before(self, request: CallRequest, credential: Credential, key: str) -> Placement | None:
        """Return the placement that the key already led to, None if it led to none."""
        self.authority.check(credential)
        try:
            return self._replay(request, credential, key, self.deadline())
        except CallNotFoundError:
            return None

    def _replay(self, request: CallRequest, credential: Credential, key: str, deadline: Deadline) -> Placement:
        """Return the placement that the key already led to.

        Raises:
            CallNotFoundError: it led to none, or is taken back this very moment.
        """
        tid = idempotency.tid_of(credential.application_id, key)
        stored = self.read(tid, deadline)
        if not idempotency.is_same_request(stored.call, key, request.given()):
            raise IdempotencyConflictError
        if idempotency.is_waiting(stored.call, self.clock.now()):
            raise InProgressError
        # Whoever made it has died or is late, and might yet take it back. Once its tid is told, it has to stay.
        self.record(tid, events.PlacementUnclear(), deadline, expected=stored, rule=_if_untouched)
        log.info("call_replayed", extra={"fields": {"tid": tid}})
        return Placement(tid, replayed=True)

    def _new_call(self, request: CallRequest, credential: Credential, token: str, key: str | None) -> Call:
        given = request.given()
        return new_call(
            tid=self.new_tid() if key is None else idempotency.tid_of(credential.application_id, key),
            fingerprint=None if key is None else idempotency.fingerprint(key, given),
            secrets_fingerprint=None if key is None else idempotency.secrets_fingerprint(key, given),
            application_id=credential.application_id,
            to=request.to,
            callback=request.target(),
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
            extension=request.extension,
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
            extension=request.extension,
        )

    def _note(self, stored: Stored, event: events.Placed | events.PlacementUnclear, deadline: Deadline) -> Call | None:
        """Add what is known of the placement; return the call as it is stored then.

        A failure changes nothing for the caller, as the call is under way; it is logged.
        """
        try:
            return self.record(stored.call.tid, event, deadline, expected=stored).stored.call
        except TtsPromptError as error:
            log.error("placement_not_noted", extra={"fields": {"tid": stored.call.tid, "code": error.code}})
            return None

    def _last_look(self, tid: str, deadline: Deadline) -> Call | None:
        """Return the call as it is stored, None if that cannot be told.

        For a placement that could not be noted: whoever cancelled the call meanwhile has left the hang-up to us.
        """
        try:
            return self.read(tid, deadline).call
        except TtsPromptError:
            return None

    def _dial(self, order: CallOrder, credential: Credential) -> str | None:
        """Ask Vonage for the call; while Vonage asks to slow down, nobody was phoned, so ask again for a short while.

        Raises:
            VendorError: as `VoiceApi.place_call`.
        """
        began, pause_s = self.clock.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                return self.voice.place_call(order, credential.token)
            except VendorRateLimitedError as error:
                wait_s = pause_s if error.asked_for_s is None else max(error.asked_for_s, LEAST_PAUSE_S)
                # Whoever was told to slow down at the same moment must not return at the same moment.
                wait_s *= 1 + JITTER * self.random()
                pause_s *= 2
                if self.clock.monotonic() - began + wait_s > SLOWED_DOWN_S:
                    raise
                log.info("vendor_slowed_down", extra={"fields": {"wait_s": round(wait_s, 2)}})
                self.clock.sleep(wait_s)

    def _take_back(self, stored: Stored, deadline: Deadline) -> None:
        """Delete the record of a call that was not placed, so that the same request may come again.

        From the moment it is gone the same request may come again, under the same tid. So the place is given back
        before, and a record counts as ours by its token: when the reply to the deletion is lost, the next look may
        find the record of a request that dials.
        """

        def is_ours(call: Call) -> bool:
            return _is_untouched(call) and call.token_hash == stored.call.token_hash

        fields = {"tid": stored.call.tid}
        try:
            with deadline.store_step() as timeout_s:
                self.admission.release(stored.call, timeout_s=timeout_s)
        except StoreUnavailableError as error:
            log.error("quota_not_released", extra={"fields": fields | {"code": error.code}})
        try:
            with deadline.store_step() as timeout_s:
                self.store.delete(stored.call.tid, is_ours, expected=stored, timeout_s=timeout_s)
        except StoreUnavailableError as error:
            log.error("record_not_deleted", extra={"fields": fields | {"code": error.code}})


def _if_untouched(call: Call, event: events.PlacementUnclear, now: datetime, policy: Policy) -> Transition:
    """Note, if nothing is known of the placement, that it is unclear: then nobody takes the record back."""
    return apply(call, event, now, policy) if _is_untouched(call) else Transition(call)


def _log_refusal(tid: str, error: VendorError) -> None:
    fields: dict[str, str | int | None] = {"tid": tid, "code": error.code, "trace_id": error.trace_id}
    if isinstance(error, VendorRefusedError):
        fields["http_status"] = error.vendor_status
    extra = {"fields": fields}
    if fields.get("http_status") == HTTPStatus.UNAUTHORIZED:
        # It says nothing of the service or of Vonage: anybody can send such a token, and nobody need be woken up.
        log.info("token_refused", extra=extra)
    else:
        log.warning("vendor_refused", extra=extra)


def _is_untouched(call: Call) -> bool:
    return call.state is State.PLACING and call.verdict is None and not call.placement_unclear
