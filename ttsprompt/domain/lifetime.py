"""The beginning of a call, and when it needs attention."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ttsprompt.domain import timing
from ttsprompt.domain.model import Call, CallbackTarget, MachineDetection, Policy, Prompts
from ttsprompt.domain.verdict import MAX_REPLAYS, Secrets


def new_call(
    *,
    tid: str,
    application_id: str,
    to: str,
    callback: CallbackTarget | None,
    prompts: Prompts,
    secrets: Secrets,
    token_hash: str,
    attempts_allowed: int,
    max_digits: int,
    input_timeout_s: int,
    ringing_timeout_s: int,
    now: datetime,
    policy: Policy,
    reference: str | None = None,
    machine_detection: MachineDetection | None = None,
    extension: str | None = None,
    fingerprint: str | None = None,
    secrets_fingerprint: str | None = None,
) -> Call:
    """Return the record that is stored before anything is dialled."""
    extension_s = timing.keying_time_s(extension or "")
    call = Call(
        tid=tid,
        application_id=application_id,
        to=to,
        callback=callback,
        prompts=prompts,
        secrets=secrets,
        token_hash=token_hash,
        attempts_allowed=attempts_allowed,
        max_digits=max_digits,
        input_timeout_s=input_timeout_s,
        ringing_timeout_s=ringing_timeout_s,
        length_timer_s=timing.length_timer_s(
            text=prompts.text,
            bye_text=prompts.bye_text,
            failed_text=prompts.failed_text,
            silence_text=prompts.silence_text,
            attempts=attempts_allowed,
            replays=MAX_REPLAYS,
            input_timeout_s=input_timeout_s,
            extension_s=extension_s,
        ),
        reference=reference,
        machine_detection=machine_detection,
        extension_s=extension_s,
        fingerprint=fingerprint,
        secrets_fingerprint=secrets_fingerprint,
        created_at=now,
        expire_at=now + policy.retention,
        due_at=None,
    )
    return replace(call, due_at=alive_due_at(call, policy)).noted(now, "created")


def alive_due_at(call: Call, policy: Policy) -> datetime:
    """Return when a call that has not ended is given up: later than Vonage's own timers would end it."""
    if policy.stale_after is not None:
        return call.created_at + policy.stale_after
    text = call.prompts.text if call.prompts else ""
    bye_text = (call.prompts.bye_text if call.prompts else None) or ""
    if call.verdict is not None:
        spoken = timedelta(seconds=timing.speaking_time_s(bye_text))
        return call.verdict.decided_at + spoken + timing.DECIDED_MARGIN
    if call.answered_at is not None:
        return call.answered_at + timedelta(seconds=call.length_timer_s) + timing.ALIVE_MARGIN
    ringing_and_first_question = timedelta(
        seconds=call.ringing_timeout_s + call.extension_s + timing.speaking_time_s(text) + call.input_timeout_s
    )
    return call.created_at + ringing_and_first_question + timing.ALIVE_MARGIN


def crash_net_at(now: datetime, policy: Policy) -> datetime:
    """Return when the sweep looks after a first try of which nothing was heard."""
    return now + max(policy.retry_schedule[0], timing.CRASH_NET)
