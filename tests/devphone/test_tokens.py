from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from devphone.vendor.tokens import LEEWAY_S, TokenError, check_token, make_application

APPLICATION = make_application()
NOW = int(time.time())
CLAIMS: dict[str, Any] = {"application_id": APPLICATION.id, "iat": NOW, "jti": "j"}


def header(claims: dict[str, Any], **options: Any) -> str:
    return "Bearer " + jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        **({"key": APPLICATION.private_key, "algorithm": "RS256"} | options),
    )


def test_a_token_of_the_application_is_taken() -> None:
    known = {APPLICATION.id: APPLICATION.public_key}

    assert check_token(f"Bearer {APPLICATION.token()}", known) == APPLICATION.id


def test_a_token_without_exp_lives_a_quarter_of_an_hour() -> None:
    now = int(time.time())

    assert check_token(header(CLAIMS | {"iat": now - 14 * 60}), {}) == APPLICATION.id
    with pytest.raises(TokenError, match="expired"):
        check_token(header(CLAIMS | {"iat": now - 16 * 60}), {})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "no Authorization"),
        ("Basic dXNlcg==", "no Authorization"),
        ("Bearer nonsense", "not a JWT"),
        (header(CLAIMS, key="k" * 32, algorithm="HS256"), "RS256"),
        (header(CLAIMS | {"application_id": None}), "application_id"),
        (header(CLAIMS | {"application_id": "mine"}), "application_id"),
        (header(CLAIMS | {"jti": None}), "jti"),
        (header(CLAIMS | {"jti": ""}), "jti"),
        (header(CLAIMS | {"jti": 1}), "jti"),
        (header(CLAIMS | {"iat": None}), "iat"),
        (header(CLAIMS | {"iat": True}), "iat"),
        (header(CLAIMS | {"iat": float("nan")}), "30 seconds"),
        (header(CLAIMS | {"iat": NOW - 100, "exp": NOW - 1}), "expired"),
        (header(CLAIMS | {"exp": "soon"}), "no number"),
        (header(CLAIMS | {"exp": NOW + 29}), "30 seconds"),
        (header(CLAIMS | {"exp": NOW - 100}), "30 seconds"),
        (header(CLAIMS | {"iat": NOW + 10**400, "exp": 0.5}), "iat"),
        (header(CLAIMS | {"exp": NOW + 24 * 3600 + 1}), "24 hours"),
        (header(CLAIMS | {"iat": NOW + 3600}), "iat is in the future"),
        (header(CLAIMS | {"nbf": NOW + 3600}), "nbf is in the future"),
        (header(CLAIMS | {"nbf": "soon"}), "no number"),
    ],
)
def test_a_token_that_vonage_would_not_take_is_refused_with_the_reason(value: str | None, why: str) -> None:
    with pytest.raises(TokenError, match=why):
        check_token(value, {})


@pytest.mark.parametrize("life_s", [30, 24 * 3600])
def test_the_ends_of_a_tokens_life_belong_to_it(life_s: int) -> None:
    now = int(time.time())

    assert check_token(header(CLAIMS | {"iat": now, "exp": now + life_s}), {}) == APPLICATION.id


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_clock_that_is_a_little_fast_is_forgiven(name: str) -> None:
    soon = int(time.time()) + LEEWAY_S

    assert check_token(header(CLAIMS | {name: soon}), {APPLICATION.id: APPLICATION.public_key}) == APPLICATION.id


def test_an_unknown_application_is_taken_at_its_word() -> None:
    assert check_token(f"Bearer {APPLICATION.token()}", {}) == APPLICATION.id
