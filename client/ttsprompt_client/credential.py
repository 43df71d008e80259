"""The caller's Vonage application: its private key stays here and makes tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ttsprompt_client.errors import UsageError
from ttsprompt_client.outcome import UUID

LIFE_S: Final = 15 * 60
"""How long a token is valid: long enough to place and follow a call, with tokens made anew on the way."""

MIN_BITS: Final = 2048
_PEM: Final = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class Credential:
    """A Vonage application with its private key, as PEM text in PKCS#8."""

    application_id: str
    private_key: str = field(repr=False)

    def token(self) -> str:
        """Return a new JWT of the application (https://developer.vonage.com/en/getting-started/concepts/authentication)."""
        # Half of a command's start goes into this import; `verify` and `--help` do without.
        from vonage_jwt import JwtClient  # noqa: PLC0415

        now = int(time.time())
        token: bytes = JwtClient(self.application_id, self.private_key).generate_application_jwt(
            {"iat": now, "exp": now + LIFE_S}
        )
        return token.decode("ascii")


class KeptToken:
    """A token for as long as it serves: the service asks Vonage about one that it does not know.

    Attributes:
        was_taken: the service has taken it. If it refuses it now, it grew old while the machine slept: no clock of
            `now` counts that.
    """

    def __init__(self, credential: Credential, now: float) -> None:
        self._credential = credential
        self.renew(now)

    def renew(self, now: float) -> None:
        """Make another."""
        self._token, self._made_at = self._credential.token(), now
        self.was_taken = False

    def at(self, now: float) -> str:
        """Return a token that is good for a while."""
        if now - self._made_at > LIFE_S / 2:
            self.renew(now)
        return self._token


def read_credential(application_id: str, private_key: str | Path) -> Credential:
    """Return the credential of an application id and a private key, given as a file's path or as its PEM text.

    The key is parsed and written anew before the JWT library sees it: that one opens a text that ends in `.word` as a
    file, and takes no PKCS#1.

    Raises:
        UsageError: the id is no UUID, or the key is no usable RSA key. Nothing of the key is in the message or chain.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    if not UUID.fullmatch(application_id):
        raise UsageError("The application id must be the UUID of a Vonage application.")
    text = _key_text(private_key)
    try:
        key = load_pem_private_key(text.encode("utf-8"), password=None)
    except TypeError:
        raise UsageError("The private key is encrypted: store it without a passphrase.") from None
    except Exception:  # noqa: BLE001 - the library raises many kinds, whose texts may quote the key
        raise UsageError("The private key is not a private key in PEM form.") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < MIN_BITS:
        raise UsageError(f"The private key must be an RSA key of {MIN_BITS} bits or more, as Vonage makes them.")
    return Credential(application_id, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _key_text(private_key: str | Path) -> str:
    text = str(private_key)
    if _PEM not in text:
        path = Path(private_key)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            # Not what was given: a key that lost its first line would be shown.
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageError(f"The private key cannot be read: {why}. Give the path of a PEM file.") from None
    # From an environment or a secret store it often comes on one line.
    return text.strip("\ufeff \t\r\n").replace("\\r", "").replace("\\n", "\n") + "\n"
