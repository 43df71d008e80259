"""Makes the application JWT of a caller who sent the private key instead."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from ttsprompt.errors import FieldFault, InvalidFieldsError

LIFE_S: Final = 5 * 60
"""Long enough for one request, short enough to be worthless when it leaks."""

NOT_A_KEY: Final = "This must be the text of an unencrypted RSA private key in PEM form, not a path to it."


def make_application_jwt(application_id: str, private_key: str) -> str:
    """Return a short-lived JWT of the application (docs/vonage.md §1.2).

    The key is checked to be PEM before the library sees it: that one opens a text that ends in `.word` as a file.

    Raises:
        InvalidFieldsError: `private_key` is not an unencrypted RSA key in PEM, PKCS#8 or PKCS#1. The key is in
            neither the message nor the chain of the error.
    """
    # Both cost a cold start more than the rest of a webhook; only callers who send a key need them.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
    from vonage_jwt import JwtClient  # noqa: PLC0415

    text = private_key.replace("\\r", "").replace("\\n", "\n")
    issued_at = int(time.time())
    claims = {"iat": issued_at, "exp": issued_at + LIFE_S}
    # The libraries raise many kinds, whose texts may quote the key.
    with suppress(Exception):
        key = load_pem_private_key(text.encode("ascii"), password=None)
        if isinstance(key, RSAPrivateKey):
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
            token: bytes = JwtClient(application_id, pem).generate_application_jwt(claims)
            return token.decode("ascii")
    raise InvalidFieldsError([FieldFault("private_key", "invalid_private_key", NOT_A_KEY)])
