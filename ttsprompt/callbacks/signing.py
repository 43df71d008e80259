"""Signatures of callbacks by Standard Webhooks 1.0.0: `v1` (HMAC-SHA-256) and `v1a` (Ed25519)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

SEED_BYTES: Final = 32
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64

Signer = Callable[[str, datetime, str], str]
"""Webhook id, time of sending, signed content → one entry of the `webhook-signature` header."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that callbacks are signed with: the shared secret of `v1`, or the 32-byte Ed25519 seed of `v1a`."""

    kind: Literal["v1", "v1a"]
    key: bytes = field(repr=False)


def parse_signing_key(text: str) -> SigningKey:
    """Read `whsec_<base64>` (24 to 64 bytes) or `whsk_<base64>` (the seed, or the seed and its public key).

    Raises:
        ValueError: it is neither; the message holds nothing of the key.
    """
    prefix, _, encoded = text.partition("_")
    if prefix == "whsec":
        secret = _decode(encoded)
        if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
            msg = f"a whsec_ key has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes"
            raise ValueError(msg)
        return SigningKey("v1", secret)
    if prefix == "whsk":
        return SigningKey("v1a", _seed(_decode(encoded)))
    msg = "a signing key starts with whsec_ or whsk_"
    raise ValueError(msg)


def make_signer(key: SigningKey) -> Signer:
    """Return the function that signs with `key`."""
    # The libraries are imported here because most instances answer webhooks and never send a signed callback.
    if key.kind == "v1":
        from standardwebhooks import Webhook  # noqa: PLC0415 - see above

        webhook = Webhook(key.key)
        # `sign` reads the wall-clock digits as UTC, whatever the zone says.
        return lambda webhook_id, at, content: webhook.sign(webhook_id, at.astimezone(UTC), content)

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

    private_key = Ed25519PrivateKey.from_private_bytes(key.key)

    def sign(webhook_id: str, at: datetime, content: str) -> str:
        signed = f"{webhook_id}.{unix_seconds(at)}.{content}".encode()
        return "v1a," + base64.b64encode(private_key.sign(signed)).decode()

    return sign


def public_key(key: SigningKey) -> str:
    """Return what receivers check `v1a` signatures with, as `whpk_<base64>`.

    Raises:
        ValueError: a `v1` key has no public half.
    """
    if key.kind != "v1a":
        msg = "only v1a keys have a public key"
        raise ValueError(msg)
    return "whpk_" + base64.b64encode(_public_bytes(key.key)).decode()


def public_keys(keys: Iterable[SigningKey]) -> list[str]:
    """Return what receivers check the `v1a` signatures of `keys` with."""
    return [public_key(key) for key in keys if key.kind == "v1a"]


def unix_seconds(at: datetime) -> int:
    """Return the whole seconds since 1970 that `webhook-timestamp` and the signed content carry."""
    return int(at.timestamp())


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        msg = "the key after its prefix is not base64"
        # The cause is dropped: it may quote the key.
        raise ValueError(msg) from None


def _seed(decoded: bytes) -> bytes:
    seed, public = decoded[:SEED_BYTES], decoded[SEED_BYTES:]
    if len(seed) != SEED_BYTES or len(public) not in {0, SEED_BYTES}:
        msg = f"a whsk_ key is a seed of {SEED_BYTES} bytes, alone or followed by the {SEED_BYTES} of its public key"
        raise ValueError(msg)
    if public and public != _public_bytes(seed):
        msg = "the public key in a whsk_ key does not belong to its seed"
        raise ValueError(msg)
    return seed


def _public_bytes(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - see make_signer
        Ed25519PrivateKey,
    )

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
