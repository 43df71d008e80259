"""Tells whether a callback is the service's: Standard Webhooks signatures, `v1` (HMAC-SHA-256) and `v1a` (Ed25519)."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from ttsprompt_client.errors import UsageError, VerificationError
from ttsprompt_client.outcome import Outcome, read_outcome

TOLERANCE_S: Final = 5 * 60
"""How far the time of sending may be off, as in the Standard Webhooks libraries."""

_PUBLIC_KEY_BYTES: Final = 32
_KINDS: Final[dict[str, Literal["v1", "v1a"]]] = {"whsec": "v1", "whpk": "v1a"}
_TIMESTAMP: Final = re.compile(r"[1-9][0-9]{0,10}", re.ASCII)

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


def verify(
    headers: Headers,
    body: bytes | str,
    keys: str | Iterable[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> Outcome:
    """Return the outcome that a callback tells, after checking that one of the keys signed it.

    It may come more than once: keep its `tid`. And check that the tid is one that you were given.

    Args:
        headers: the request's, with names in any case.
        body: the exact body as it came; of a `GET`, the whole query string as it came (without the `?`).
        keys: `whpk_…` as `GET /` of the service shows it, or the shared `whsec_…`; several while keys change.
        tolerance_s: how many seconds the callback's time of sending may be away from now.
        now: seconds since 1970; default: the clock.

    Raises:
        VerificationError: it is not the service's, or too old, or cannot be read.
        UsageError: a key is none.
    """
    read_keys = _read_keys(keys)
    named = _by_name(headers)
    webhook_id, timestamp, signature = (_needed(named, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    _check_time(timestamp, time.time() if now is None else now, tolerance_s)
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    _check_signature(webhook_id, timestamp, content, signature, read_keys)
    # From here on it is the service's; what cannot be read is its fault or ours, not a forger's.
    try:
        outcome = read_outcome(_fields(content))
    except ValueError as error:
        raise VerificationError("unreadable", f"The callback cannot be read: {error}.") from None
    if outcome.tid != webhook_id:
        raise VerificationError("unreadable", "The callback cannot be read: its webhook-id is not its tid.")
    return outcome


@dataclass(frozen=True, slots=True)
class _Key:
    kind: Literal["v1", "v1a"]
    key: bytes = field(repr=False)


def _read_keys(keys: str | Iterable[str]) -> list[_Key]:
    texts = [keys] if isinstance(keys, str) else list(keys)
    if not texts:
        raise UsageError("A key is needed: whpk_… (GET / of the service shows it), or whsec_….")
    return [_read_key(text.strip()) for text in texts]


def _read_key(text: str) -> _Key:
    prefix, _, encoded = text.partition("_")
    if prefix == "whsk":
        raise UsageError("whsk_… is the service's own key and signs; a receiver needs whpk_…, which GET / shows.")
    if prefix not in _KINDS:
        raise UsageError("A key begins with whpk_ or whsec_.")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key or (prefix == "whpk" and len(key) != _PUBLIC_KEY_BYTES):
        raise UsageError(f"The {prefix}_ key is broken: it is not base64, or not of the right length.")
    return _Key(_KINDS[prefix], key)


def _by_name(headers: Headers) -> dict[str, str]:
    named: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        lower = name.lower()
        if lower in named and lower.startswith("webhook-"):
            raise VerificationError("repeated_header", f"The header {lower} is there more than once.")
        named[lower] = value.strip()
    return named


def _needed(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise VerificationError("missing_header", f"There is no header {name}.")
    return value


def _check_time(timestamp: str, now: float, tolerance_s: float) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationError("bad_timestamp", "The header webhook-timestamp is not a time in seconds.")
    age_s = now - int(timestamp)
    if age_s > tolerance_s:
        raise VerificationError("too_old", f"It was sent {age_s:.0f} seconds ago; {tolerance_s:g} are allowed.")
    if age_s < -tolerance_s:
        raise VerificationError("too_new", f"It was sent {-age_s:.0f} seconds in the future, by this clock.")


def _check_signature(webhook_id: str, timestamp: str, content: bytes, header: str, keys: list[_Key]) -> None:
    given: dict[str, list[bytes]] = {"v1": [], "v1a": []}
    for entry in header.split():  # one for each of the service's keys
        version, _, encoded = entry.partition(",")
        if version in given:
            try:
                given[version].append(base64.b64decode(encoded, validate=True))
            except (binascii.Error, ValueError):
                continue  # another entry may be good
    if not any(given[key.kind] for key in keys):
        versions = " and ".join(version for version, found in given.items() if found) or "neither v1 nor v1a"
        wanted = {"v1": "v1 needs whsec_…", "v1a": "v1a needs whpk_…"}
        hint = ", ".join(wanted[version] for version, found in given.items() if found)
        raise VerificationError("no_such_signature", f"It is signed by {versions}{hint and f'; {hint}'}.")
    signers = {"v1": _is_v1, "v1a": _is_v1a}
    for key in keys:
        for signature in given[key.kind]:
            if signers[key.kind](key.key, webhook_id, timestamp, content, signature):
                return
    raise VerificationError("wrong_signature", "It is not signed by any of the keys, or was changed on its way.")


def _is_v1(key: bytes, webhook_id: str, timestamp: str, content: bytes, signature: bytes) -> bool:
    from standardwebhooks import Webhook  # noqa: PLC0415 - needed for shared keys alone

    try:
        # Not the library's `verify`: its tolerance is fixed, and a malformed entry before the good one ends it.
        sent_at = datetime.fromtimestamp(int(timestamp), UTC)
        expected = Webhook(key).sign(webhook_id, sent_at, content.decode("utf-8"))
    except UnicodeError:
        return False  # the service signs text
    return hmac.compare_digest(base64.b64decode(expected.partition(",")[2]), signature)


def _is_v1a(key: bytes, webhook_id: str, timestamp: str, content: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - needed for public keys alone
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        signed = f"{webhook_id}.{timestamp}.".encode() + content
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, UnicodeError):
        return False
    return True


def _fields(content: bytes) -> dict[str, Any]:
    """Return the fields by what was signed alone: a header that says JSON or form is anybody's."""
    text = content.decode("utf-8")
    # A form or query ends with a value of the service's, in which no brace stands for itself.
    if text.startswith("{") and text.endswith("}"):
        fields: dict[str, Any] = json.loads(text)
        return fields
    # In a query the receiver's own fields come first, and none has a name of the service's.
    return dict(parse_qsl(text, keep_blank_values=True))
