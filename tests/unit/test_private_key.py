"""The JWT made from a caller's private key, and what is refused as one."""

from __future__ import annotations

import base64
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

from tests.der import diffie_hellman_key, number, tlv
from ttsprompt.errors import InvalidFieldsError
from ttsprompt.vonage import private_key as module
from ttsprompt.vonage.private_key import NOT_A_KEY, make_application_jwt

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
    "a byte-order mark": f"\ufeff{PKCS8}",
    "PKCS#8 under the label of PKCS#1": PKCS8.replace("PRIVATE KEY", "RSA PRIVATE KEY"),
    "PKCS#1 under the label of PKCS#8": PKCS1.replace("RSA PRIVATE KEY", "PRIVATE KEY"),
    "text around": f"Key:\n{PKCS8}\nключ",
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
        "what is no base64 between the right letters": PKCS8.replace("M", "!!!!M", 3),
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
    assert fault.message.endswith(("not a path to it.", "without a pass phrase.", "that belongs to it.", "are RSA."))


SECRET_LINE = PKCS8.splitlines()[5]


@pytest.mark.parametrize(
    "private_key",
    [PKCS8[:500], PKCS8.replace("-----END", "-----ENDE"), PKCS8.replace("-----BEGIN", "BEGIN"), PUBLIC],
    ids=range(4),
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
        "from ttsprompt.vonage.private_key import make_application_jwt\n"
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


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_keys_of_2048_to_4096_bits_sign(bits: int, form: PrivateFormat) -> None:
    token = make_application_jwt(APPLICATION, pem(rsa_key(bits), form))

    assert jwt.decode(token, rsa_key(bits).public_key(), algorithms=["RS256"])["application_id"] == APPLICATION


def refusal(private_key: str) -> str:
    with pytest.raises(InvalidFieldsError) as caught:
        make_application_jwt(APPLICATION, private_key)
    return caught.value.faults[0].message


def test_a_short_key_is_refused_by_its_size() -> None:
    assert "2048 to 4096 bits" in refusal(pem(rsa_key(1024)))


@pytest.mark.parametrize("bits", [4608, 8192, 16384])
def test_a_long_key_is_refused_before_it_is_parsed(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing one of 16,384 bits stops the whole process for seconds."""
    monkeypatch.setattr(module, "load_der_private_key", None)
    text = base64.encodebytes(bytes(bits // 8 * 9 // 2)).decode()

    message = refusal(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")

    assert "2048 to 4096 bits" in message


@pytest.mark.parametrize(("size", "words"), [(2400, NOT_A_KEY), (2401, "2048 to 4096 bits")])
def test_what_a_key_of_the_longest_size_may_have_is_parsed(size: int, words: str) -> None:
    text = base64.encodebytes(bytes(size)).decode()

    assert words in refusal(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")


def test_whatever_the_library_that_signs_says_is_kept_from_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(SECRET_LINE)

    monkeypatch.setattr(module, "JwtClient", fail)

    assert refusal(PKCS8) == NOT_A_KEY


@pytest.mark.parametrize("changed", ["p", "d", "dmp1", "iqmp", "e"])
def test_numbers_that_do_not_belong_together_never_sign(changed: str) -> None:
    """A private exponent as long as the text allows would cost a hundred times what a real one does."""
    numbers = rsa_key().private_numbers()
    values = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    public = numbers.public_numbers
    if changed == "e":
        public = rsa.RSAPublicNumbers((1 << 512) + 1, public.n)
    else:
        values[changed] += 2

    assert "do not belong together" in refusal(_pkcs1(public.n, public.e, values))


def out_of_bounds() -> dict[str, tuple[int, dict[str, int]]]:
    """Return public exponents and numbers that are an RSA key's but for one that is too small or too large."""
    numbers = rsa_key().private_numbers()
    p, q, d, e, n = numbers.p, numbers.q, numbers.d, 65537, numbers.p * numbers.q

    def of_exponent(d: int) -> dict[str, int]:
        return {"d": d, "dmp1": d % (p - 1), "dmq1": d % (q - 1)}

    return {
        "p is 1": (e, {"p": 1, "q": n, "dmp1": 0, "dmq1": d % (n - 1), "iqmp": 0}),
        "q is 1": (e, {"p": n, "q": 1, "dmp1": d % (n - 1), "dmq1": 0, "iqmp": 1}),
        "e is 1": (1, {}),
        "e has 65 bits": (1 << 64, {}),
        "d is 1": (e, of_exponent(1)),
        "d is n": (e, of_exponent(n)),
        "d is beyond n": (e, of_exponent(d + 2 * (p - 1) * (q - 1))),
    }


@pytest.mark.parametrize(("e", "changed"), out_of_bounds().values(), ids=out_of_bounds().keys())
def test_numbers_out_of_bounds_never_sign_though_they_fit_together(e: int, changed: dict[str, int]) -> None:
    numbers = rsa_key().private_numbers()
    values = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}

    assert "do not belong together" in refusal(_pkcs1(numbers.p * numbers.q, e, values | changed))


def test_the_largest_public_exponent_signs() -> None:
    numbers = rsa_key().private_numbers()
    values = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}

    assert make_application_jwt(APPLICATION, _pkcs1(numbers.p * numbers.q, (1 << 64) - 1, values))


def test_only_an_rsa_key_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look at one of another kind may take a quarter of a second, with no token and no key of one's own."""

    def parsed(*_: object, **__: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr("ttsprompt.vonage.private_key.load_der_private_key", parsed)

    assert "no RSA key" in refusal(diffie_hellman_key(9000))
    assert "no RSA key" in refusal(pem(ec.generate_private_key(ec.SECP256R1())))
    assert "no RSA key" in refusal(pem(ed25519.Ed25519PrivateKey.generate()))
    assert "must be the text" in refusal("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----")


def _pkcs1(n: int, e: int, values: dict[str, int]) -> str:
    text = base64.encodebytes(_der(n, e, values)).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{text}-----END RSA PRIVATE KEY-----"


def _der(n: int, e: int, values: dict[str, int]) -> bytes:
    """Return an RSAPrivateKey (RFC 8017 \u00a7A.1.2) of any numbers."""
    numbers = [0, n, e, *(values[name] for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp"))]
    return tlv(0x30, b"".join(map(number, numbers)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PUBLIC, "public key"),
        (pem(rsa_key(), encryption=ENCRYPTION), "This key is encrypted."),
        (pem(rsa_key(), PrivateFormat.TraditionalOpenSSL, ENCRYPTION), "This key is encrypted."),
        (pem(ec.generate_private_key(ec.SECP256R1())), "RSA"),
        ("private.key", "not a path"),
    ],
    ids=["public", "encrypted", "encrypted PKCS#1", "EC", "a path"],
)
def test_the_refusal_says_what_it_is_instead(text: str, words: str) -> None:
    assert words in refusal(text)
