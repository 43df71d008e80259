"""What is read of a caller's token, which only Vonage can verify."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from tests.builders import NOW
from ttsprompt.errors import UnauthenticatedError
from ttsprompt.vonage.application_jwt import application_of
from ttsprompt.vonage.numeric_date import numeric_date

APPLICATION = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
AT = int(NOW.timestamp())


def token(payload: str, header: str = '{"alg":"RS256","typ":"JWT"}') -> str:
    parts = [
        base64.urlsafe_b64encode(part.encode("utf-8", "surrogatepass")).rstrip(b"=").decode()
        for part in (header, payload)
    ]
    return ".".join([*parts, "c2lnbmF0dXJl"])


def claims(**more: Any) -> str:
    return json.dumps({"application_id": APPLICATION, "iat": AT} | more)


def refusal(text: str) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        application_of(text, NOW)
    return caught.value.detail


def test_a_token_tells_its_application() -> None:
    assert application_of(jwt.encode({"application_id": APPLICATION.upper(), "iat": AT}, "k" * 32), NOW) == APPLICATION


@pytest.mark.parametrize(
    "text",
    [
        token(claims(exp=AT + 60, iat="yesterday")),
        token(claims(exp=str(AT + 60))),
        token(claims(iat=str(AT))),
        token(claims(exp=[1])),
        token(claims(exp=True)),
        token(claims(), '{"alg":"RS256","kid":null}'),
        token(claims(), '{"alg":"RS256","kid":7,"crit":["x"]}'),
        token(claims(), '{"alg":"none"}'),
        token(claims(), "no JSON at all"),
        token(claims()[:-1] + ',"jti":"1","jti":"2"}'),
        token(claims()[:-1] + ',"foreign":NaN}'),
        token(claims()[:-1] + ',"nested":{"application_id":"x"}}'),
        token(claims(nbf=AT + 900, acl={"paths": {}})),
        token(json.dumps({"application_id": APPLICATION})),
    ],
)
def test_what_else_is_in_a_token_is_for_vonage_to_judge(text: str) -> None:
    assert application_of(text, NOW) == APPLICATION


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 10**400, True, None, "1e3", "inf", [1]])
def test_a_time_is_a_finite_number(value: object) -> None:
    assert numeric_date(value) is None


@pytest.mark.parametrize(
    "times",
    [
        {"exp": AT - 61},
        {"exp": str(AT - 61)},
        {"exp": AT - 61.5},
        {"iat": AT - 15 * 60 - 61},
        {"iat": str(AT - 15 * 60 - 61)},
    ],
)
def test_a_token_that_expired_more_than_a_minute_ago_is_refused(times: dict[str, Any]) -> None:
    assert "expired" in refusal(token(claims(**times)))


@pytest.mark.parametrize("times", [{"exp": AT - 60}, {"iat": AT - 15 * 60 - 60}, {"iat": 1, "exp": AT}])
def test_clocks_may_differ_by_a_minute(times: dict[str, Any]) -> None:
    assert application_of(token(claims(**times)), NOW) == APPLICATION


@pytest.mark.parametrize(
    "application_id",
    [
        "",
        "mine",
        "\ud800",
        "a\0b",
        "x" * 3000,
        f" {APPLICATION}",
        APPLICATION.replace("6", "６"),
        7,
        None,
        [APPLICATION],
    ],
)
def test_an_application_that_is_no_uuid_is_refused(application_id: object) -> None:
    assert "application_id" in refusal(token(claims(application_id=application_id)))


def test_a_token_of_two_applications_is_of_none() -> None:
    other = claims()[:-1] + ',"application_id":"00000000-0000-0000-0000-000000000001"}'

    assert "application_id" in refusal(token(other))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "this has one"),
        ("a1b2c3d4", "API key"),
        ("Bearer x.y.z", "stands twice"),
        ('"eyJ.eyJ.x"', "in quotes"),
        ("b'eyJ.eyJ.x'", "in quotes"),
        ('b"eyJ.eyJ.x"', "in quotes"),
        ("'eyJ.eyJ.x'", "in quotes"),
        ("<eyJ.eyJ.x>", "in quotes"),
        ("X", "this has one"),
        ("%JWT%", "variable"),
        ("$VONAGE_JWT", "variable"),
        ("{{token}}", "variable"),
        ("eyJ.eyJ", "this has 2"),
        ("a.b.c.d", "this has 4"),
        ("a.!.c", "this has 3"),
        ("a..c", "this has 3"),
        ("a.aaaaa.c", "second part"),
        (token("[1]"), "second part"),
        (token("[" * 100_000), "second part"),
        (token("\ud800"), "second part"),
    ],
)
def test_what_is_no_jwt_is_told_what_it_most_likely_is(text: str, words: str) -> None:
    message = refusal(text)

    assert message.startswith("The credential is not a JWT")
    assert words in message
    assert len(text) == 1 or text not in message


OTHER = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "name",
    [
        "application_id",
        "Application_ID",
        "APPLICATION_ID",
        "application_\\u0049d",
        "application\\u005fid",
        "application_id\\u0000",
        " application_id",
        "applicationId",
        "application-id",
        "\\uff41pplication_id",
        "application\\u200b_id",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_token_that_another_parser_might_read_as_of_another_application_is_of_none(name: str, first: bool) -> None:
    """Signed with one's own application's key, it would be accepted at Vonage, and be somebody else's here."""
    ours, theirs = f'"application_id":"{APPLICATION}"', f'"{name}":"{OTHER}"'
    text = "{" + ",".join([theirs, ours] if first else [ours, theirs]) + f',"iat":{AT}}}'

    assert "application_id" in refusal(token(text))


def test_an_application_under_another_spelling_alone_is_none() -> None:
    assert "application_id" in refusal(token(json.dumps({"Application_Id": APPLICATION, "iat": AT})))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1"])
def test_a_payload_in_another_encoding_than_utf_8_is_none(encoding: str) -> None:
    payload = f'{{"application_id":"{APPLICATION}","name":"Zoë"}}'.encode(encoding)

    assert "second part" in refusal(f"e30.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.c2ln")
