"""Keys and signatures of Standard Webhooks. The vectors are Svix's public ones (`test_asymmetric_key_signing`)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ttsprompt.callbacks.signing import make_signer, parse_signing_key, public_key, public_keys

HMAC_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ED25519_KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
SEED_ONLY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
WEBHOOK_ID, AT, CONTENT = (
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    datetime.fromtimestamp(1614265330, UTC),
    '{"test": 2432232314}',
)
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


def sign(key: str, at: datetime = AT, content: str = CONTENT) -> str:
    return make_signer(parse_signing_key(key))(WEBHOOK_ID, at, content)


def b64(length: int) -> str:
    return base64.b64encode(bytes(range(length))).decode()


def test_v1_signature_equals_the_published_one() -> None:
    assert sign(HMAC_KEY) == V1


@pytest.mark.parametrize("key", [ED25519_KEY, SEED_ONLY])
def test_v1a_signature_equals_the_published_one(key: str) -> None:
    assert sign(key) == V1A


@pytest.mark.parametrize(("key", "expected"), [(HMAC_KEY, V1), (ED25519_KEY, V1A)])
def test_the_time_zone_of_the_clock_does_not_matter(key: str, expected: str) -> None:
    assert sign(key, AT.astimezone(timezone(timedelta(hours=9)))) == expected


@pytest.mark.usefixtures("in_another_zone")
def test_the_time_zone_of_the_machine_does_not_matter() -> None:
    assert [sign(HMAC_KEY), sign(ED25519_KEY)] == [V1, V1A]


def test_public_key_is_the_published_one() -> None:
    assert public_key(parse_signing_key(SEED_ONLY)) == PUBLIC_KEY


def test_a_shared_secret_has_no_public_key() -> None:
    with pytest.raises(ValueError, match="v1a"):
        public_key(parse_signing_key(HMAC_KEY))


@given(st.integers(0, len(CONTENT) - 1), st.integers(1, 127))
def test_a_changed_byte_breaks_the_v1a_signature(position: int, change: int) -> None:
    changed = bytearray(CONTENT.encode())
    changed[position] ^= change
    signed = f"{WEBHOOK_ID}.1614265330.".encode() + changed
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(PUBLIC_KEY.removeprefix("whpk_")))

    with pytest.raises(InvalidSignature):
        verifier.verify(base64.b64decode(sign(ED25519_KEY).removeprefix("v1a,")), signed)
    verifier.verify(base64.b64decode(sign(ED25519_KEY, content=changed.decode()).removeprefix("v1a,")), signed)


@pytest.mark.parametrize("length", [24, 64])
def test_shared_secrets_of_the_allowed_lengths_are_read(length: int) -> None:
    assert parse_signing_key("whsec_" + b64(length)).key == bytes(range(length))


def test_padding_may_be_missing() -> None:
    assert parse_signing_key(SEED_ONLY.rstrip("=")) == parse_signing_key(SEED_ONLY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsk_",
        "secret",
        PUBLIC_KEY,
        "whsec_" + b64(23),
        "whsec_" + b64(65),
        "whsk_" + b64(31),
        "whsk_" + b64(33),
        "whsk_" + b64(65),
        "whsec_!!!!" + b64(30),
        "whsec_é" + b64(30),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|whsec_"):
        parse_signing_key(text)


def test_a_public_key_of_another_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="does not belong"):
        parse_signing_key("whsk_" + b64(64))


@pytest.mark.parametrize("text", ["whsec_SECRETSECRET", "whsk_SECRETSECRET", "SECRETSECRET", "whsec_SECRETSECRET!"])
def test_no_message_holds_the_key(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_signing_key(text)

    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_repr_hides_the_key() -> None:
    key = parse_signing_key(HMAC_KEY)

    assert repr(key) == "SigningKey(kind='v1')"


def test_public_keys_are_those_of_the_v1a_keys() -> None:
    keys = [parse_signing_key(HMAC_KEY), parse_signing_key(ED25519_KEY)]

    assert public_keys(keys) == [public_key(keys[1])]
