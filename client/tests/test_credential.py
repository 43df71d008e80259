"""Which private keys make tokens."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest
from conftest import APPLICATION, KEY_PEM, KEY_PEM_PKCS1, _key
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ttsprompt_client import UsageError
from ttsprompt_client.credential import read_credential


@pytest.mark.parametrize(
    "text",
    [
        KEY_PEM,
        KEY_PEM_PKCS1,
        KEY_PEM.replace("\n", "\\n"),
        KEY_PEM.replace("\n", "\r\n"),
        f"\ufeff{KEY_PEM}",
        f"  {KEY_PEM}\n\n",
        f"{KEY_PEM}.file",
    ],
    ids=["pkcs8", "pkcs1", "one line", "crlf", "bom", "blanks", "library's path"],
)
def test_a_key_makes_tokens_however_it_is_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "private.key"
    path.write_bytes(text.encode())

    for given in (text, path, str(path)):
        token = read_credential(APPLICATION, given).token()
        claims = jwt.decode(token, _key.public_key(), algorithms=["RS256"])
        assert claims["application_id"] == APPLICATION
        assert claims["exp"] - claims["iat"] == 15 * 60
        assert abs(claims["iat"] - time.time()) < 60


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> str:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


BAD_KEYS = {
    "cannot be read": ["no-such-file.key", "/", "MIIEvQIBADANBg" * 100, "MIIEvQIBADANBgkqhkiG9w0BAQ", ""],
    "not a private key in PEM": [
        "-----BEGIN PRIVATE KEY-----\nnonsense that is secret\n-----END PRIVATE KEY-----",
        KEY_PEM[:500],
        KEY_PEM.replace("M", "!", 3),
        _key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
    "encrypted": [pem(_key, b"secret")],
    "2048 bits": [
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
}


@pytest.mark.parametrize(
    ("words", "text"),
    [pytest.param(w, text, id=f"{w} {n}") for w, texts in BAD_KEYS.items() for n, text in enumerate(texts)],
)
def test_what_is_no_usable_key_is_told_and_not_shown(words: str, text: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_credential(APPLICATION, text)

    lines = [line for line in text.splitlines() if len(line) > 20 and "-----" not in line]
    assert not any(line in str(caught.value) for line in lines)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("application", ["", "my-app", f"{APPLICATION}0", f"{{{APPLICATION}}}"])
def test_an_application_id_is_a_uuid(application: str) -> None:
    with pytest.raises(UsageError, match="UUID"):
        read_credential(application, KEY_PEM)


def test_a_key_is_not_in_a_repr() -> None:
    assert "PRIVATE" not in repr(read_credential(APPLICATION, KEY_PEM))
