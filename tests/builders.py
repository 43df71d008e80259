"""Calls for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ttsprompt.domain.lifetime import new_call
from ttsprompt.domain.model import Call, CallbackTarget, Policy, Prompts, hash_token
from ttsprompt.domain.verdict import Secrets, keyed_mac

TOKEN = "token-of-the-call"
PIN = "1234"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_call(**overrides: Any) -> Call:
    """Return a call that has just been recorded; `overrides` go to `new_call`."""
    fields: dict[str, Any] = {
        "tid": "6a2827c9-4c68-46fc-b179-115f055dc0eb",
        "application_id": "684027bc-a2e7-48b1-b4bd-adc02324e09c",
        "to": "447970513607",
        "callback": CallbackTarget("https://example.com/callback?own=1"),
        "prompts": Prompts(text="Enter the PIN", bye_text="Thank you", failed_text="Try again"),
        "secrets": Secrets(pin_mac=keyed_mac(TOKEN, PIN), reject_mac=keyed_mac(TOKEN, "9")),
        "token_hash": hash_token(TOKEN),
        "attempts_allowed": 3,
        "max_digits": 4,
        "input_timeout_s": 10,
        "ringing_timeout_s": 45,
        "now": NOW,
        "policy": Policy(),
    }
    return new_call(**(fields | overrides))
