"""What is derived from a caller's words must stay the same from one release to the next: calls are under way."""

from __future__ import annotations

import pytest

from tests.builders import NOW, a_call
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import CallEnded, EndStatus, EraseRequested
from ttsprompt.domain.idempotency import fingerprint, is_same_request, secrets_fingerprint, tid_of
from ttsprompt.domain.model import Call, hash_token
from ttsprompt.domain.verdict import keyed_mac

APPLICATION = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
REQUEST: dict[str, object] = {"to": "447970513607", "pin_code": "1234", "text": "Grüße"}


def keyed_call() -> Call:
    return a_call(
        fingerprint=fingerprint("order-7", REQUEST), secrets_fingerprint=secrets_fingerprint("order-7", REQUEST)
    )


def test_a_key_leads_to_the_same_tid_in_every_release() -> None:
    assert tid_of(APPLICATION, "order-7") == "7d3c65a4-0102-8aa9-80e7-06a55c79a7fa"
    assert tid_of(APPLICATION, "Bestellung-ü") == "1bd5bb33-8560-8125-94e9-44fdb2307fc9"


def test_a_request_has_the_same_fingerprints_in_every_release() -> None:
    for request in (REQUEST, dict(reversed(REQUEST.items()))):
        assert fingerprint("order-7", request) == "287e57ed1f8b66d3611fe2d289cc08771dd7d7d037619c9c50d4027b9a7b4070"
        assert secrets_fingerprint("order-7", request) == (
            "f37adbaca1edfb3b0816af41967462f69b54c232120d4a69050e52cfb325912d"
        )


@pytest.mark.parametrize("changed", [{"pin_code": "1235"}, {"reject_code": "9"}])
def test_pin_and_reject_code_are_told_by_a_fingerprint_of_their_own(changed: dict[str, str]) -> None:
    assert fingerprint("order-7", REQUEST | changed) == fingerprint("order-7", REQUEST)
    assert secrets_fingerprint("order-7", REQUEST | changed) != secrets_fingerprint("order-7", REQUEST)


@pytest.mark.parametrize("changed", [{"to": "447970513608"}, {"text": "Gruß"}, {"attempts": 2}])
def test_all_else_is_told_by_the_other(changed: dict[str, object]) -> None:
    assert fingerprint("order-7", REQUEST | changed) != fingerprint("order-7", REQUEST)
    assert secrets_fingerprint("order-7", REQUEST | changed) == secrets_fingerprint("order-7", REQUEST)


def test_another_key_makes_other_fingerprints() -> None:
    assert fingerprint("order-8", REQUEST) != fingerprint("order-7", REQUEST)
    assert secrets_fingerprint("order-8", REQUEST) != secrets_fingerprint("order-7", REQUEST)


@pytest.mark.parametrize(
    ("changed", "is_same"), [({}, True), ({"pin_code": "1235"}, False), ({"to": "447970513608"}, False)]
)
def test_a_repeat_is_known_by_all_that_it_says(changed: dict[str, str], *, is_same: bool) -> None:
    assert is_same_request(keyed_call(), "order-7", REQUEST | changed) is is_same


@pytest.mark.parametrize(
    ("changed", "is_same"), [({}, True), ({"pin_code": "1235"}, True), ({"to": "447970513608"}, False)]
)
def test_after_the_call_its_record_does_not_tell_the_pin(changed: dict[str, str], *, is_same: bool) -> None:
    settled = apply(keyed_call(), CallEnded(EndStatus.BUSY), NOW).call

    assert settled.secrets_fingerprint is None
    assert is_same_request(settled, "order-7", REQUEST | changed) is is_same


def test_a_record_without_a_fingerprint_is_nobodys_repeat() -> None:
    erased = apply(apply(keyed_call(), CallEnded(EndStatus.BUSY), NOW).call, EraseRequested(), NOW).call

    assert not is_same_request(erased, "order-7", REQUEST)
    assert not is_same_request(a_call(), "order-7", REQUEST)


def test_a_token_and_keys_have_the_same_digest_in_every_release() -> None:
    assert hash_token("token") == "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"
    assert keyed_mac("token", "1234") == "6139d3f5c6a6ba9ea9adc4bce07d6f1f75b28ca1bb2592ef89f8fb557b347b32"


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_halves_of_characters_are_digested_like_anything_else(text: str) -> None:
    digests = {tid_of(APPLICATION, text), fingerprint(text, REQUEST), hash_token(text), keyed_mac("token", text)}

    assert len(digests) == 4
