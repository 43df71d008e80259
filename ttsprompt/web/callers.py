"""Who calls: the caller's Vonage application token."""

from __future__ import annotations

import re
from typing import Final

from flask import Request

from ttsprompt.errors import UnauthenticatedError
from ttsprompt.service.authority import Credential
from ttsprompt.web.app import ApplicationOf, MakeJwt

USAGE: Final = "Authorization: Bearer <Vonage application JWT>"


def header_credential(request: Request, application_of: ApplicationOf) -> Credential | None:
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
        raise UnauthenticatedError(_what_is_wrong(scheme, token))
    return Credential(application_id=application_of(token), token=token)


def key_credential(app_id: str, private_key: str, make_jwt: MakeJwt) -> Credential:
    """Return the credential that a private key makes.

    Raises:
        InvalidFieldsError: the private key is none.
    """
    return Credential(application_id=app_id.lower(), token=make_jwt(app_id, private_key))


def _what_is_wrong(scheme: str, token: str) -> str:
    if scheme.lower() == "bearer":
        return f"Nothing follows the word Bearer. The header must be: {USAGE}. Was a variable empty?"
    if scheme.lower() == "basic":
        return f"An API key and secret (Basic) place no calls. The header must be: {USAGE}."
    if not token and re.match(r"eyJ|[^.]+\.[^.]+\.", scheme):
        return f"The word Bearer is missing before the token. The header must be: {USAGE}."
    return f"The header must be: {USAGE}."
