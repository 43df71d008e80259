"""What the callback says, and when it is tried again."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlencode

from ttsprompt.domain.model import Call, CallbackFormat, CallbackMethod, Policy

PAYLOAD_FIELDS = ("to", "tid", "status", "reason", "attempts", "answered_by", "duration", "price", "reference")
"""The names of the payload; a callback URL may not use them in its own query."""


def encode_payload(call: Call) -> str:
    """Return the payload of a decided call as the exact text that every try will send.

    `to`, `tid` and `status` are the tutorial's. `duration` is in seconds, `price` in EUR as Vonage's decimal string.

    Raises:
        ValueError: the call has no verdict yet, or no callback.
    """
    if call.verdict is None or call.callback is None:
        msg = "a call without a verdict or a callback has no payload"
        raise ValueError(msg)
    fields = {
        "to": call.to,
        "tid": call.tid,
        "status": call.verdict.status.value,
        "reason": call.verdict.reason.value,
        "attempts": call.attempts_used,
        "answered_by": call.answered_by,
        "duration": call.duration_s,
        "price": call.price,
        "reference": call.reference,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    if call.callback.method is CallbackMethod.POST and call.callback.format is CallbackFormat.JSON:
        return json.dumps(known, ensure_ascii=False, separators=(",", ":"))
    return urlencode(known)


def retry_delay(policy: Policy, attempts_made: int, retry_after_s: float | None, fraction: float) -> timedelta | None:
    """Return how long to wait after try number `attempts_made` failed, or None when the schedule is used up.

    The step varies by ±20 % with `fraction` (0 to 1, random), so that calls which failed together do not return
    together. `Retry-After` is honoured, but only within one to two times the step, as Svix does.
    """
    if attempts_made > len(policy.retry_schedule):
        return None
    step_s = policy.retry_schedule[attempts_made - 1].total_seconds()
    delay_s = step_s * (0.8 + 0.4 * fraction)
    if retry_after_s is not None:
        delay_s = max(delay_s, min(max(retry_after_s, step_s), 2 * step_s))
    return timedelta(seconds=delay_s)
