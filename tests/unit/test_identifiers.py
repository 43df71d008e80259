"""What is derived from a caller's words must stay the same from one release to the next: calls are under way."""

from __future__ import annotations

import pytest

from ttsprompt.domain.idempotency import fingerprint, tid_of
from ttsprompt.domain.model import hash_token
from ttsprompt.domain.verdict import keyed_mac

APPLICATION = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
REQUEST = {"to": "447970513607", "pin_code": "1234", "text": "Grüße"}


def test_a_key_leads_to_the_same_tid_in_every_release() -> None:
    assert tid_of(APPLICATION, "order-7") == "7d3c65a4-0102-8aa9-80e7-06a55c79a7fa"
    assert tid_of(APPLICATION, "Bestellung-ü") == "1bd5bb33-8560-8125-94e9-44fdb2307fc9"


def test_a_request_has_the_same_fingerprint_in_every_release() -> None:
    for request in (REQUEST, dict(reversed(REQUEST.items())), REQUEST | {"of_a_later_release": None}):
        assert fingerprint("order-7", request) == "686a5c4b6089451c2b5541990f3649b0f8a7c3db3c70476d6656784b021273b4"


def test_a_token_and_keys_have_the_same_digest_in_every_release() -> None:
    assert hash_token("token") == "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
    assert keyed_mac("token", "1234") == "6139d3f5c6a6ba9ea9adc4bce07d6f1f75b28ca1bb2592ef89f8fb557b347b32"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_halves_of_characters_are_digested_like_anything_else(text: str) -> None:
    digests = {tid_of(APPLICATION, text), fingerprint(text, REQUEST), hash_token(text), keyed_mac("token", text)}

    assert len(digests) == 4
