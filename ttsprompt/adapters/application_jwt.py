"""Makes the application JWT of a caller who sent the private key instead."""

from __future__ import annotations

import time
from typing import Final

from ttsprompt.errors import FieldFault, InvalidFieldsError

LIFE_S: Final = 5 * 60
"""Long enough for one request, short enough to be worthless when it leaks."""


def make_application_jwt(application_id: str, private_key: str) -> str:
    """Return a short-lived JWT of the application (vonage-voice §1.2).

    The key is checked to be PEM before the library sees it: that one opens a text that ends in `.word` as a file.

    Raises:
        InvalidFieldsError: `private_key` is not an unencrypted RSA key in PEM, PKCS#8 or PKCS#1.
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

    try:
        key = load_pem_private_key(private_key.replace("\\n", "\n").strip().encode("ascii"), password=None)
    except Exception:  # noqa: BLE001 - the library raises many kinds, and their texts may quote the key
        raise _not_a_key() from None
    if not isinstance(key, RSAPrivateKey):
        raise _not_a_key()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    claims = {"exp": int(time.time()) + LIFE_S}
    token: bytes = JwtClient(application_id, pem).generate_application_jwt(claims)
    return token.decode("ascii")


def _not_a_key() -> InvalidFieldsError:
    message = "This must be the text of an unencrypted RSA private key in PEM form, not a path to it."
    return InvalidFieldsError([FieldFault("private_key", "invalid_private_key", message)])
