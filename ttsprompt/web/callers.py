"""Who calls: the caller's Vonage application token, checked for what can be known without its key."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import jwt
from flask import Request

from ttsprompt.errors import MalformedRequestError, UnauthenticatedError
from ttsprompt.service.authority import Credential
from ttsprompt.vonage.numeric_date import numeric_date
from ttsprompt.web.app import MakeJwt
from ttsprompt.web.bodies import read_json_object

LEEWAY_S: Final = 60
DEFAULT_LIFE_S: Final = 15 * 60
"""How long a token without `exp` is valid (docs/vonage.md §1.2)."""


def header_credential(request: Request, now: datetime) -> Credential | None:
    """Return the credential of the headers; None if they carry none.

    `X-Vonage-Authorization` goes first: behind a gateway, `Authorization` may be the gateway's own.

    Raises:
        UnauthenticatedError: there is one, but it cannot be valid.
    """
    value = request.headers.get("X-Vonage-Authorization") or request.headers.get("Authorization")
    if not value:
        return None
    scheme, _, token = value.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("The header must be: Authorization: Bearer <Vonage application JWT>.")
    return Credential(application_id=_application_of(token, now), token=token)


def key_credential(app_id: str, private_key: str, make_jwt: MakeJwt) -> Credential:
    """Return the credential that a private key makes.

    Raises:
        InvalidFieldsError: the private key is none.
    """
    return Credential(application_id=app_id.lower(), token=make_jwt(app_id, private_key))


def _application_of(token: str, now: datetime) -> str:
    """Return the token's application. Its signature is for Vonage to check: the service holds no keys."""
    claims = _claims(token)
    application_id = claims.get("application_id")
    if not isinstance(application_id, str) or not application_id:
        raise UnauthenticatedError("The token has no application_id: it must be made for a Vonage application.")
    issued_at = _seconds(claims, "iat")
    expires_at = _seconds(claims, "exp")
    if expires_at is None and issued_at is not None:
        expires_at = issued_at + DEFAULT_LIFE_S
    if expires_at is not None and now.timestamp() > expires_at + LEEWAY_S:
        raise UnauthenticatedError("The token has expired.")
    return application_id.lower()


def _claims(token: str) -> dict[str, Any]:
    try:
        payload = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})["payload"]
        # A claim given twice is refused: we might take one for the application, and Vonage the other (RFC 7519 §4).
        return read_json_object(payload)
    except (jwt.PyJWTError, MalformedRequestError, ValueError, OverflowError, RecursionError):
        raise UnauthenticatedError("The credential is not a JWT.") from None


def _seconds(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate claim (RFC 7519 §2), None when absent."""
    value = claims.get(name)
    if value is None:
        return None
    seconds = numeric_date(value)
    if seconds is None:
        raise UnauthenticatedError(f"The token's {name} is not a number.")
    return seconds
