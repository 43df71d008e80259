from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from devphone.vendor.tokens import TokenError, check_token, make_application

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
        (header(CLAIMS | {"jti": None}), "jti"),
        (header(CLAIMS | {"iat": None}), "iat"),
        (header(CLAIMS | {"exp": NOW - 1}), "expired"),
        (header(CLAIMS | {"exp": NOW + 2 * 24 * 3600}), "24 hours"),
    ],
)
def test_a_token_that_vonage_would_not_take_is_refused_with_the_reason(value: str | None, why: str) -> None:
    with pytest.raises(TokenError, match=why):
        check_token(value, {})


def test_an_unknown_application_is_taken_at_its_word() -> None:
    assert check_token(f"Bearer {APPLICATION.token()}", {}) == APPLICATION.id
