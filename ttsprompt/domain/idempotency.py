"""One request, one call, however often it is sent: what an `Idempotency-Key` leads to."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ttsprompt.domain.model import Call, State

PLACING_TIMEOUT: Final = timedelta(seconds=20)
"""Longer than a request waits for Vonage; whoever still waits by then has most likely died, and the call may be under
way."""


_KEYED: Final = frozenset({"pin_code", "reject_code"})
"""What the callee keys."""


def tid_of(application_id: str, key: str) -> str:
    """Return the tid that a key of an application leads to: a UUID of version 8 (RFC 9562 §5.8) from SHA-256."""
    digest = hashlib.sha256(f"{application_id}\n{key}".encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | (8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=number))


def fingerprint(key: str, request: Mapping[str, Any]) -> str:
    """Return what tells whether two requests are the same, PIN and reject code aside.

    Keyed by the raw key, which is stored nowhere. `request` holds the fields that are not at their default, so that a
    field of a later release does not make another request of one that is repeated across the deployment.
    """
    return _mac(key, {name: value for name, value in request.items() if name not in _KEYED})


def secrets_fingerprint(key: str, request: Mapping[str, Any]) -> str:
    """Return the same of PIN and reject code: apart, as it is erased when the call settles.

    A PIN has so few values that whoever holds the store and guesses the key would find it.
    """
    return _mac(key, {name: value for name, value in request.items() if name in _KEYED})


def _mac(key: str, given: Mapping[str, Any]) -> str:
    text = json.dumps(given, sort_keys=True, separators=(",", ":"))
    return hmac.new(key.encode("utf-8", "surrogatepass"), text.encode(), hashlib.sha256).hexdigest()


def is_same_request(call: Call, key: str, request: Mapping[str, Any]) -> bool:
    """Tell whether `call` came from this very request, as far as its record still tells."""
    if call.fingerprint is None or not hmac.compare_digest(call.fingerprint, fingerprint(key, request)):
        return False
    secrets = call.secrets_fingerprint
    return secrets is None or hmac.compare_digest(secrets, secrets_fingerprint(key, request))


def is_waiting(call: Call, now: datetime) -> bool:
    """Tell whether the request that made `call` may still be waiting for Vonage's answer."""
    undecided = call.state is State.PLACING and not call.placement_unclear and call.verdict is None
    return undecided and now < call.created_at + PLACING_TIMEOUT
