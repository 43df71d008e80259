"""The JWT made from a caller's private key, and what is refused as one."""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from functools import cache
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ttsprompt.errors import InvalidFieldsError
from ttsprompt.vonage.application_jwt import make_application_jwt

APPLICATION = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
ENCRYPTION = BestAvailableEncryption(b"secret")


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: NoEncryption | BestAvailableEncryption = NoEncryption(),  # noqa: B008 - it has no state
) -> str:
    return key.private_bytes(Encoding.PEM, form, encryption).decode()


PKCS8 = pem(rsa_key())
PKCS1 = pem(rsa_key(), PrivateFormat.TraditionalOpenSSL)
PUBLIC = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

GOOD = {
    "PKCS#8": PKCS8,
    "PKCS#1": PKCS1,
    "without the last newline": PKCS8.rstrip(),
    "literal newlines": PKCS8.replace("\n", "\\n"),
    "literal newlines, PKCS#1": PKCS1.replace("\n", "\\n"),
    "literal CR LF": PKCS8.replace("\n", "\\r\\n"),
    "CR LF": PKCS8.replace("\n", "\r\n"),
    "whitespace around": f"\n \t{PKCS8}\r\n ",
    "in quotes": f' "{PKCS8}" ',
    "in quotes, literal newlines": '"' + PKCS8.replace("\n", "\\n") + '"',
    "in single quotes": f"'{PKCS1}'",
}


@pytest.mark.parametrize("private_key", GOOD.values(), ids=GOOD.keys())
def test_the_key_signs_in_every_form_in_which_it_is_passed_on(private_key: str) -> None:
    token = make_application_jwt(APPLICATION, private_key)

    claims = jwt.decode(token, rsa_key().public_key(), algorithms=["RS256"])
    assert claims["application_id"] == APPLICATION


def test_the_token_is_what_vonage_asks_for_and_lives_five_minutes() -> None:
    before = int(time.time())

    token = make_application_jwt(APPLICATION, PKCS8)

    claims = jwt.decode(token, rsa_key().public_key(), algorithms=["RS256"])
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT"}
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] - claims["iat"] == 300
    assert set(claims) == {"application_id", "iat", "exp", "jti"}


def test_every_token_has_an_id_of_its_own() -> None:
    first, second = (make_application_jwt(APPLICATION, PKCS8) for _ in range(2))

    assert jti(first) != jti(second)


def jti(token: str) -> object:
    return jwt.decode(token, options={"verify_signature": False})["jti"]


def bad_keys() -> dict[str, str]:
    return {
        "nothing": "",
        "a word": "private",
        "a path": "/etc/hostname",
        "a relative path": "private.key",
        "a path to the user's files": "~/.ssh/id_rsa.pem",
        "a path after a header": "-----BEGIN PRIVATE KEY-----\n/etc/host.conf",
        "a header and a name": "-----BEGIN PRIVATE KEY-----.key",
        "NUL": "\0.key",
        "not ASCII": "ключ.key",
        "a lone surrogate": "\ud800.key",
        "a broken body": PKCS8.replace("M", "!", 3),
        "cut off": PKCS8[:500],
        "no end": PKCS8.replace("-----END PRIVATE KEY-----", ""),
        "no lines": PKCS8.replace("-----", "").replace("\n", ""),
        "encrypted": pem(rsa_key(), encryption=ENCRYPTION),
        "encrypted PKCS#1": pem(rsa_key(), PrivateFormat.TraditionalOpenSSL, ENCRYPTION),
        "EC": pem(ec.generate_private_key(ec.SECP256R1())),
        "Ed25519": pem(ed25519.Ed25519PrivateKey.generate()),
        "public": PUBLIC,
    }


@pytest.mark.parametrize("private_key", bad_keys().values(), ids=bad_keys().keys())
def test_what_is_no_key_is_refused_as_the_callers_fault(private_key: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        make_application_jwt(APPLICATION, private_key)

    [fault] = caught.value.faults
    assert (fault.field, fault.code) == ("private_key", "invalid_private_key")


SECRET_LINE = PKCS8.splitlines()[5]


@pytest.mark.parametrize(
    "private_key", [PKCS8[:500], PKCS8 + "ключ", PKCS8.replace("-----BEGIN", "BEGIN"), PUBLIC], ids=range(4)
)
def test_the_error_and_its_chain_do_not_hold_the_key(private_key: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        make_application_jwt(APPLICATION, private_key)

    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    assert SECRET_LINE not in "".join(traceback.format_exception(error)) + repr(error.faults)


def test_a_path_is_never_opened(tmp_path: Path) -> None:
    """The paths name a real key, which would sign. The hook sees every open, and cannot be removed again."""
    names = ["private.key", "a.pem", "key.txt", "-----BEGIN PRIVATE KEY-----.key", "-----BEGIN RSA PRIVATE KEY-----.k"]
    for name in names:
        (tmp_path / name).write_text(PKCS8)
    keys = [*names, *(str(tmp_path / name) for name in names), *(f"{name}\n" for name in names)]
    code = (
        "import sys\n"
        "from ttsprompt.vonage.application_jwt import make_application_jwt\n"
        "from ttsprompt.errors import InvalidFieldsError\n"
        f"make_application_jwt('a', {PKCS8!r})\n"
        "opened, refused = [], 0\n"
        "sys.addaudithook(lambda event, args: opened.append(args[0]) if event == 'open' else None)\n"
        f"for key in {keys!r}:\n"
        "    try:\n"
        "        make_application_jwt('a', key)\n"
        "    except InvalidFieldsError:\n"
        "        refused += 1\n"
        "print(refused, opened)\n"
    )

    out = subprocess.check_output(
        [sys.executable, "-c", code], text=True, timeout=30, cwd=tmp_path, env={"PYTHONPATH": str(Path.cwd())}
    )

    assert out.strip() == "15 []"


def test_text_after_the_key_never_reaches_the_library_that_opens_files() -> None:
    token = make_application_jwt(APPLICATION, PKCS8 + "private.key")

    assert jwt.decode(token, rsa_key().public_key(), algorithms=["RS256"])["application_id"] == APPLICATION
