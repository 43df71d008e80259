"""Reads a caller's application JWT, for what can be known without its key (docs/vonage.md §1.2)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from datetime import datetime
from typing import Any, Final

from ttsprompt.domain.model import UUID
from ttsprompt.errors import UnauthenticatedError
from ttsprompt.vonage.numeric_date import numeric_date

LEEWAY_S: Final = 60
DEFAULT_LIFE_S: Final = 15 * 60
"""How long a token without `exp` is valid (docs/vonage.md §1.2)."""

APPLICATION: Final = "application_id"

PARTS: Final = 3
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def application_of(token: str, now: datetime) -> str:
    """Return the application that a token says it is of, in lower case.

    Nobody has verified it: the service holds no keys, so only Vonage can. What is refused here could not be told apart
    by anybody: no JWT, no application, or expired for more than a minute. All else is Vonage's to judge.

    Raises:
        UnauthenticatedError: it cannot be valid; the message holds nothing of the token.
    """
    claims = _claims(token)
    # Twice: we might take one for the application, and Vonage the other (RFC 7519 §4). Whoever has an application of
    # their own could then sign a token that is theirs at Vonage and somebody else's here.
    ids = [value for name, value in claims if _folded(name) == _folded(APPLICATION)]
    named = [name for name, _ in claims].count(APPLICATION)
    if (len(ids), named) != (1, 1) or not isinstance(ids[0], str) or not re.fullmatch(UUID, ids[0]):
        raise UnauthenticatedError(
            "The token has no application_id that is a UUID: it must be made for a Vonage application."
        )
    times = dict(claims)
    expires_at = numeric_date(times.get("exp"))
    if "exp" not in times and (issued_at := numeric_date(times.get("iat"))) is not None:
        expires_at = issued_at + DEFAULT_LIFE_S
    if expires_at is not None and now.timestamp() > expires_at + LEEWAY_S:
        raise UnauthenticatedError("The token has expired. Make a new one.")
    return ids[0].lower()


def _claims(token: str) -> list[tuple[str, Any]]:
    """Return the claims as they stand in the payload, repeated ones too."""
    parts = token.split(".")
    if len(parts) != PARTS or not all(_BASE64URL.fullmatch(part) for part in parts):
        raise UnauthenticatedError(_what_it_is_instead(token, len(parts)))
    try:
        # More padding than is needed does not matter.
        payload = base64.urlsafe_b64decode(f"{parts[1]}==")
        # As text: of bytes, `json` would also read UTF-16, UTF-32 and a byte-order mark (RFC 7519 §3: UTF-8).
        claims = json.loads(payload.decode("utf-8"), object_pairs_hook=_Pairs)
    except (binascii.Error, ValueError, RecursionError):
        claims = None
    if not isinstance(claims, _Pairs):
        raise UnauthenticatedError("The credential is not a JWT: its second part is not a JSON object in base64url.")
    return claims


def _folded(name: str) -> str:
    """Return what is left of a name for a parser that is careless of case, width, separators or control characters."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


class _Pairs(list[tuple[str, Any]]):
    """A JSON object's members, in order."""


def _what_it_is_instead(token: str, parts: int) -> str:
    """Say what a credential that is no JWT most likely is."""
    start = "The credential is not a JWT, which has three parts with two dots between them"
    if token.startswith(("$", "%", "{")):
        return f"{start}: it looks like the name of a variable that was not filled in."
    if token[:1] in "\"'<" or token[:2] in {"b'", 'b"'}:
        return f"{start}: it stands in quotes, as a program shows a text. Send what is between them."
    if token[:7].lower() == "bearer ":
        return f'{start}: the word "Bearer" stands twice in the header.'
    if parts == 1:
        return f"{start}: this has one. An API key or secret is no JWT; make one of your Vonage application."
    return f"{start}: this has {parts}. Was it cut, or joined with something?"
