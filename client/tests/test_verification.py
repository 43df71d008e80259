"""Callbacks: who signed them, when, and what they say."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import TID
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from ttsprompt_client import UsageError, VerificationError, verify

NOW = 1_795_000_000
SECRET = "whsec_" + base64.b64encode(b"a shared secret of 32 bytes.....").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
SIGNER, OTHER_SIGNER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
FORM = (
    f"to=447700900050&tid={TID}&status=ok&reason=pin_matched&attempts=2&duration=12&price=0.00284&reference=caf%C3%A9"
)
JSON = json.dumps({"to": "447700900050", "tid": TID, "status": "failed", "reason": "no_input", "attempts": 3})


def public(signer: Ed25519PrivateKey) -> str:
    return "whpk_" + base64.b64encode(signer.public_key().public_bytes_raw()).decode()


def v1(content: str, secret: str = SECRET, at: int = NOW) -> str:
    return Webhook(secret).sign(TID, datetime.fromtimestamp(at, UTC), content)


def v1a(content: str, signer: Ed25519PrivateKey = SIGNER, at: int = NOW) -> str:
    return "v1a," + base64.b64encode(signer.sign(f"{TID}.{at}.{content}".encode())).decode()


def headers(*signatures: str, **others: str) -> dict[str, str]:
    named = {"webhook-id": TID, "webhook-timestamp": str(NOW), "webhook-signature": " ".join(signatures)}
    return named | {name.replace("_", "-"): value for name, value in others.items()}


def check(head: Any, content: str | bytes = FORM, keys: Any = None, **options: Any) -> Any:
    keys = (SECRET, public(SIGNER)) if keys is None else keys
    return verify(head, content, keys, **{"now": NOW, **options})


@pytest.mark.parametrize("sign", [v1, v1a])
def test_a_form_tells_its_outcome(sign: Any) -> None:
    outcome = check(headers(sign(FORM), content_type="application/x-www-form-urlencoded"))

    assert outcome.as_json() == {
        "tid": TID,
        "status": "ok",
        "reason": "pin_matched",
        "to": "447700900050",
        "attempts": 2,
        "duration": 12,
        "price": "0.00284",
        "reference": "café",
    }


@pytest.mark.parametrize("sign", [v1, v1a])
def test_json_and_a_query_string_tell_theirs(sign: Any) -> None:
    as_json = check(headers(sign(JSON), content_type="application/json; charset=utf-8"), JSON.encode())
    query = f"own=1&empty=&{FORM}"
    by_get = check(headers(sign(query)), query)

    assert (as_json.status, as_json.attempts) == ("failed", 3)
    assert (by_get.status, by_get.tid) == ("ok", TID)


@pytest.mark.parametrize("sign", [v1, v1a])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json", "text/plain", None])
def test_a_header_that_nobody_signed_does_not_choose_how_it_is_read(sign: Any, content_type: str | None) -> None:
    """`reference` is the caller's own text."""
    as_json = json.dumps({**json.loads(JSON), "reference": f"&tid={TID}&status=ok&x="})
    as_form = f"to=447700900050&tid={TID}&status=failed&reference=%7B%22status%22%3A%22ok%22%7D"
    named = {} if content_type is None else {"content_type": content_type}

    assert check(headers(sign(as_json), **named), as_json).status == "failed"
    assert check(headers(sign(as_form), **named), as_form).status == "failed"
    own = '{"status":"ok"}='
    assert check(headers(sign(f"{own}&{as_form}"), **named), f"{own}&{as_form}").status == "failed"


@pytest.mark.parametrize("spell", [str.upper, str.title, str.lower])
def test_names_of_headers_are_read_in_any_case_and_as_pairs(spell: Any) -> None:
    spelled = {spell(name): value for name, value in headers(v1a(FORM)).items()}

    assert check(spelled).is_ok
    assert check(list(spelled.items())).is_ok


@pytest.mark.parametrize(
    "signatures",
    [
        ["v1,AAAA", "v1a,AAAA", "v2,xyz", "v1a", ",", "v1a,%%%"],
        [v1(FORM, OTHER_SECRET), v1a(FORM, OTHER_SIGNER)],
    ],
)
def test_one_good_signature_among_others_is_enough(signatures: list[str]) -> None:
    assert check(headers(*signatures, v1a(FORM))).is_ok
    assert check(headers(*signatures, v1(FORM))).is_ok
    assert check(headers(v1(FORM), *signatures), keys=SECRET).is_ok


def test_while_keys_change_either_is_good() -> None:
    keys = [public(OTHER_SIGNER), OTHER_SECRET, public(SIGNER)]

    assert check(headers(v1a(FORM)), keys=keys).is_ok
    assert check(headers(v1(FORM, OTHER_SECRET)), keys=keys).is_ok


BAD: list[tuple[str, dict[str, str], Any, Any]] = [
    ("wrong_signature", headers(v1(FORM)), FORM + "&x=1", None),
    ("wrong_signature", headers(v1a(FORM)), FORM.replace("ok", "no"), None),
    ("wrong_signature", headers(v1(FORM, OTHER_SECRET), v1a(FORM, OTHER_SIGNER)), FORM, None),
    ("wrong_signature", headers(v1a(FORM)[:-8]), FORM, None),
    ("wrong_signature", headers(v1(FORM)), b"\xff\xfe", None),
    ("wrong_signature", headers(v1(FORM)) | {"webhook-id": "other"}, FORM, None),
    ("wrong_signature", headers(v1(FORM), v1a(FORM)) | {"webhook-id": "\udcff"}, FORM, None),
    ("wrong_signature", headers(v1(FORM), v1a(FORM)) | {"webhook-id": "\ud800"}, FORM, None),
    ("wrong_signature", headers(v1(FORM)) | {"webhook-timestamp": str(NOW + 1)}, FORM, None),
    ("no_such_signature", headers(v1(FORM)), FORM, public(SIGNER)),
    ("no_such_signature", headers(v1a(FORM)), FORM, SECRET),
    ("no_such_signature", headers("v9,abc", "nonsense"), FORM, None),
    ("no_such_signature", headers("v1,%%%"), FORM, None),
    ("missing_header", {n: v for n, v in headers(v1(FORM)).items() if n != "webhook-id"}, FORM, None),
    ("missing_header", {n: v for n, v in headers(v1(FORM)).items() if n != "webhook-timestamp"}, FORM, None),
    ("missing_header", headers(""), FORM, None),
    ("missing_header", {}, FORM, None),
]
BAD += [
    ("bad_timestamp", headers(v1(FORM)) | {"webhook-timestamp": text}, FORM, None)
    for text in ("now", "-5", f"{NOW}.0", f"0{NOW}", f"+{NOW}", "9" * 40, "nan", "١٢٣")
]


@pytest.mark.parametrize(("code", "head", "content", "keys"), BAD)
def test_what_is_not_to_be_believed_is_refused_with_its_reason(code: str, head: Any, content: Any, keys: Any) -> None:
    with pytest.raises(VerificationError) as caught:
        check(head, content, keys)

    assert caught.value.code == code
    assert caught.value.detail
    assert SECRET not in str(caught.value)


def test_a_header_twice_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        check([*headers(v1(FORM)).items(), ("Webhook-Id", "other")])

    assert caught.value.code == "repeated_header"


@pytest.mark.parametrize(
    ("age_s", "tolerance_s", "code"),
    [
        (300, 300, None),
        (301, 300, "too_old"),
        (-300, 300, None),
        (-301, 300, "too_new"),
        (3600, 3600, None),
        (1, 0, "too_old"),
    ],
)
def test_the_time_of_sending_may_be_as_far_off_as_is_tolerated(age_s: int, tolerance_s: int, code: str | None) -> None:
    head = headers(v1a(FORM))
    if code is None:
        assert check(head, now=NOW + age_s, tolerance_s=tolerance_s).is_ok
        return
    with pytest.raises(VerificationError) as caught:
        check(head, now=NOW + age_s, tolerance_s=tolerance_s)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("", ""),
        ("{}", "application/json"),
        ("[1]", "application/json"),
        ("{", "application/json"),
        (f"tid={TID}&status=fine", ""),
        (f"tid={TID}&status=ok&attempts=two", ""),
        (FORM.replace(TID, "6a2827c9-4c68-46fc-b179-000000000000"), ""),
        ("status=ok&tid=x", ""),
    ],
)
def test_what_is_signed_and_says_no_outcome_is_refused(content: str, content_type: str) -> None:
    with pytest.raises(VerificationError) as caught:
        check(headers(v1a(content), content_type=content_type), content)

    assert caught.value.code == "unreadable"


@pytest.mark.parametrize(
    "keys",
    [
        [],
        "",
        "CANARY",
        "CANARY_CANARY",
        "whpk_",
        "whpk_CANARYAA",
        "whpk_CANARY**",
        "whsec_",
        "whsec_CANARY*",
        "whsk_" + "CANARY" * 7,
        [SECRET, "CANARY"],
    ],
)
def test_what_is_no_key_is_told_and_not_shown(keys: Any) -> None:
    with pytest.raises(UsageError) as caught:
        check(headers(v1(FORM)), keys=keys)

    assert "CANARY" not in str(caught.value)
    assert SECRET.removeprefix("whsec_") not in str(caught.value)


def test_a_broken_shared_key_is_told_as_clearly_as_a_public_one() -> None:
    with pytest.raises(UsageError, match="whsk_… is the service's own"):
        check(headers(v1(FORM)), keys="whsk_xyz")
