"""Application JWTs: checked as Vonage does (docs/vonage.md §1.2), and made with a throw-away key for demos."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

DEFAULT_LIFE_S: Final = 15 * 60
MAX_LIFE_S: Final = 24 * 60 * 60


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
    for name in ("application_id", "jti"):
        if not isinstance(claims.get(name), str):
            raise TokenError(f"The token has no {name}.")
    _check_times(claims)
    application_id: str = claims["application_id"]
    if application_id in public_keys:
        try:
            options: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
            jwt.decode(token, public_keys[application_id], algorithms=["RS256"], options=options)
        except jwt.PyJWTError:
            raise TokenError("The signature is not of this application's key.") from None
    return application_id


def _check_times(claims: Mapping[str, Any]) -> None:
    issued_at = claims.get("iat")
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise TokenError("The token has no iat.")
    expires_at = claims.get("exp", issued_at + DEFAULT_LIFE_S)
    if not isinstance(expires_at, int | float) or expires_at - issued_at > MAX_LIFE_S:
        raise TokenError("The token's exp must be at most 24 hours after its iat.")
    if expires_at < time.time():
        raise TokenError("The token has expired.")
