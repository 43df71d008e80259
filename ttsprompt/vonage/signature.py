"""Vonage's signed webhooks: a JWT over the body, with the account's signature secret (docs/vonage.md §4).

Loaded late: only deployments with a signature secret pay for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

import jwt
from flask import Request

from ttsprompt.errors import UnauthenticatedError
from ttsprompt.vonage.numeric_date import numeric_date

if TYPE_CHECKING:
    from jwt.types import Options

MAX_AGE_S: Final = 5 * 60

_OPTIONS: Final[Options] = {
    "require": ["iat"],
    # No rule of ours needs these; the age, by `iat`, is judged below.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def verify_signature(request: Request, body: bytes, secret: str, now: datetime) -> None:
    """Check that Vonage sent this request, lately, and with this body.

    On GET the body's hash is not compared: what it covers then is not documented beyond doubt.

    Raises:
        UnauthenticatedError: the signature is missing or wrong, too old or too new, or not of this body.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("The webhook is not signed.")
    try:
        claims = jwt.decode(
            token.strip(),
            secret,
            algorithms=["HS256"],
            options=_OPTIONS,
        )
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
        raise UnauthenticatedError("The webhook's signature is not valid.") from None
    issued_at = numeric_date(claims["iat"])
    if issued_at is None:
        raise UnauthenticatedError("The webhook's signature has no valid time.")
    if not abs(now.timestamp() - issued_at) <= MAX_AGE_S:
        raise UnauthenticatedError("The webhook's signature is too old, or from the future.")
    if request.method == "POST" and not _is_hash_of(claims.get("payload_hash"), body):
        raise UnauthenticatedError("The webhook's body is not the one that was signed.")


def _is_hash_of(payload_hash: object, body: bytes) -> bool:
    """Tell whether the hash is the raw body's, or of its compact form: Vonage documents both."""
    if not isinstance(payload_hash, str):
        return False
    expected = payload_hash.lower().encode("utf-8", "surrogatepass")
    return hmac.compare_digest(_sha256(body), expected) or hmac.compare_digest(_sha256(_compact(body)), expected)


def _compact(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
