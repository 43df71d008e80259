"""Makes the application JWT of a caller who sent the private key instead (docs/vonage.md §1.2). Loaded late: slow."""

from __future__ import annotations

import base64
import binascii
import re
import time
from contextlib import suppress
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from vonage_jwt import JwtClient

from ttsprompt.errors import FieldFault, InvalidFieldsError

LIFE_S: Final = 5 * 60
"""Long enough for one request, short enough to be worthless when it leaks."""

MIN_BITS: Final = 2048
MAX_BITS: Final = 4096

MAX_DER_BYTES: Final = 2400
"""A key of 4096 bits has 2348 (PKCS#1) to 2376 (PKCS#8). Longer ones are refused before anything parses them."""

_LENGTH: Final = rb"(?:[\x00-\x7f]|\x81.|\x82..)"
_VERSIONED: Final = re.compile(rb"\x30" + _LENGTH + rb"\x02\x01[\x00\x01]", re.DOTALL)
_RSA: Final = re.compile(rb"\x02|\x30" + _LENGTH + rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]", re.DOTALL)
"""What follows the version of an RSA key: the modulus (PKCS#1, RFC 8017 A.1.2), or its algorithm (PKCS#8, RFC 5208 5;
RSASSA-PSS, RFC 4055, is of the same kind).

Others are not parsed: for Diffie-Hellman's the library calculates, 0.2 s of CPU at this length.
"""

MAX_EXPONENT_BITS: Final = 64
"""Of the public exponent; all that is in use is 65537."""

_PEM: Final = re.compile(
    # Single dashes stand in the headers of an encrypted one (RFC 1421 §4.6).
    r"-----BEGIN (?P<label>[A-Z ]{0,40})-----(?P<body>(?:[^-]|-(?!----)){0,16384})-----END (?P=label)-----",
    re.ASCII,
)

NOT_A_KEY: Final = (
    "This must be the text of an unencrypted RSA private key in PEM form, from -----BEGIN to -----END, "
    "not a path to it."
)
_BY_LABEL: Final = {
    "ENCRYPTED PRIVATE KEY": "This key is encrypted. Send the key that Vonage gave you, without a pass phrase.",
    "PUBLIC KEY": "This is the public key. Send the private key that belongs to it.",
    "RSA PUBLIC KEY": "This is the public key. Send the private key that belongs to it.",
    "CERTIFICATE": "This is a certificate. Send the private key of the Vonage application.",
    "OPENSSH PRIVATE KEY": "This is a key for SSH. Send the private key of the Vonage application.",
    "EC PRIVATE KEY": "This is an elliptic-curve key. Vonage's are RSA.",
}
_NO_RSA_KEY: Final = "This is no RSA key. Vonage's are RSA."
_WRONG_SIZE: Final = f"An RSA key of a Vonage application has {MIN_BITS} to {MAX_BITS} bits."


class _BadKeyError(Exception):
    """The text is no key that can be used; the message is for the caller and holds nothing of the key."""


def make_application_jwt(application_id: str, private_key: str) -> str:
    """Return a short-lived JWT of the application.

    The library that makes it is given the parsed key, never a text: it opens a text that ends in `.word` as a file.

    Raises:
        InvalidFieldsError: `private_key` is not an unencrypted RSA key of 2048 to 4096 bits in PEM, PKCS#8 or PKCS#1.
            The key is in neither the message nor the chain of the error.
    """
    message = NOT_A_KEY
    issued_at = int(time.time())
    claims = {"iat": issued_at, "exp": issued_at + LIFE_S}
    try:
        key = _load(private_key)
        # The libraries raise many kinds, whose texts may quote the key.
        with suppress(Exception):
            token: bytes = JwtClient(application_id, key).generate_application_jwt(claims)
            return token.decode("ascii")
    except _BadKeyError as error:
        message = str(error)
    raise InvalidFieldsError([FieldFault("private_key", "invalid_private_key", message)])


def _load(text: str) -> RSAPrivateKey:
    """Return the key of a PEM text."""
    der = _der(text)
    try:
        # Its own check tests primes, for 200 ms of CPU at 4096 bits; ours costs nothing, and a bad key harms its owner.
        key = load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    except Exception:  # noqa: BLE001 - many kinds, whose texts may quote the key
        raise _BadKeyError(NOT_A_KEY) from None
    if not isinstance(key, RSAPrivateKey):
        raise _BadKeyError(_NO_RSA_KEY)
    if not MIN_BITS <= key.key_size <= MAX_BITS:
        raise _BadKeyError(_WRONG_SIZE)
    if not _fits_together(key):
        raise _BadKeyError("This key's numbers do not belong together. Send it as Vonage gave it to you.")
    return key


def _der(text: str) -> bytes:
    """Return what may be an RSA key, whatever its label says of its form; a byte-order mark or quotes do not matter."""
    match = _PEM.search(text.replace("\\r", "").replace("\\n", "\n"))
    if match is None:
        raise _BadKeyError(NOT_A_KEY)
    if match["label"] in _BY_LABEL:
        raise _BadKeyError(_BY_LABEL[match["label"]])
    if "Proc-Type:" in match["body"]:
        raise _BadKeyError(_BY_LABEL["ENCRYPTED PRIVATE KEY"])
    try:
        der = base64.b64decode("".join(match["body"].split()), validate=True)
    except (binascii.Error, ValueError):
        raise _BadKeyError(NOT_A_KEY) from None
    if len(der) > MAX_DER_BYTES:
        raise _BadKeyError(_WRONG_SIZE)
    versioned = _VERSIONED.match(der)
    if versioned is None:
        raise _BadKeyError(NOT_A_KEY)
    if not _RSA.match(der, versioned.end()):
        raise _BadKeyError(_NO_RSA_KEY)
    return der


def _fits_together(key: RSAPrivateKey) -> bool:
    """Tell whether the numbers are an RSA key's (RFC 8017 §3.2), primes aside. None can then make signing slow."""
    numbers = key.private_numbers()
    p, q, d, public = numbers.p, numbers.q, numbers.d, numbers.public_numbers
    return (
        # Neither is then 1, by which `p - 1` and `q - 1` could not divide.
        1 < p < public.n
        and p * q == public.n
        and 1 < public.e < 1 << MAX_EXPONENT_BITS
        and 1 < d < public.n
        and numbers.dmp1 == d % (p - 1)
        and numbers.dmq1 == d % (q - 1)
        and numbers.iqmp * q % p == 1
    )
