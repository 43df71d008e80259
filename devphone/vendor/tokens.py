"""Application JWTs: checked as Vonage does (docs/vonage.md §1.2), and made with a throw-away key for demos."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

DEFAULT_LIFE_S: Final = 15 * 60
MIN_LIFE_S: Final = 30
MAX_LIFE_S: Final = 24 * 60 * 60
LEEWAY_S: Final = 5
"""How fast the clock of whoever issued a token may be; how much Vonage forgives is not documented."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class TokenError(Exception):
    """Vonage would answer 401; the text says why."""


@dataclass(frozen=True, slots=True)
class Application:
    """A Vonage application with its key pair."""

    id: str
    private_key: str = field(repr=False)
    public_key: str

    def token(self, life_s: int = DEFAULT_LIFE_S) -> str:
        """Return a JWT of this application, good for so many seconds."""
        now = int(time.time())
        claims = {"application_id": self.id, "iat": now, "exp": now + life_s, "jti": str(uuid.uuid4())}
        return jwt.encode(claims, self.private_key, algorithm="RS256")


def make_application() -> Application:
    """Make up an application."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return Application(str(uuid.uuid4()), private, public)


def check_token(header: str | None, public_keys: Mapping[str, str]) -> str:
    """Return the application id of an `Authorization` header.

    Where the application's public key is known the signature is checked; unknown applications are taken at their word,
    so that any key works with the phone.

    Raises:
        TokenError: Vonage would refuse the token.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenError("There is no Authorization: Bearer header.")
    try:
        parts = jwt.decode_complete(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise TokenError("The token is not a JWT.") from None
    head, claims = parts["header"], parts["payload"]
    if head.get("alg") != "RS256" or head.get("typ", "JWT") != "JWT":
        raise TokenError("The token must be a JWT signed with RS256.")
    if not isinstance(claims.get("application_id"), str) or _UUID.fullmatch(claims["application_id"]) is None:
        raise TokenError("The token has no application_id that is a UUID.")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise TokenError("The token has no jti.")
    _check_times(claims, time.time())
    application_id: str = claims["application_id"]
    if application_id in public_keys:
        try:
            options: Any = dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud"), False)
            jwt.decode(token, public_keys[application_id], algorithms=["RS256"], options=options)
        except jwt.PyJWTError:
            raise TokenError("The signature is not of this application's key.") from None
    return application_id


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if "iat" not in claims:
        raise TokenError("The token has no iat.")
    for name in {"iat", "nbf", "exp"} & claims.keys():
        if isinstance(claims[name], bool) or not isinstance(claims[name], int | float):
            raise TokenError(f"The token's {name} is no number.")
    for name in ("iat", "nbf"):
        if claims.get(name, now) > now + LEEWAY_S:
            raise TokenError(f"The token's {name} is in the future.")
    issued_at = claims["iat"]
    expires_at = claims.get("exp", issued_at + DEFAULT_LIFE_S)
    if not issued_at + MIN_LIFE_S <= expires_at <= issued_at + MAX_LIFE_S:
        raise TokenError("The token's exp must be 30 seconds to 24 hours after its iat.")
    if expires_at < now:
        raise TokenError("The token has expired.")
