"""What the callback says: the exact text."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.builders import NOW, PIN, TOKEN, a_call
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import (
    CallEnded,
    DigitsEntered,
    EndStatus,
    Event,
    GraceElapsed,
    MachineDetected,
)
from ttsprompt.domain.model import Call, CallbackFormat, CallbackMethod, CallbackTarget, MachineDetection, Phase
from ttsprompt.domain.payload import PAYLOAD_FIELDS, encode_payload

URL = "https://example.com/callback?own=1"
GET = CallbackTarget(URL, CallbackMethod.GET)
FORM = CallbackTarget(URL, CallbackMethod.POST, CallbackFormat.FORM)
JSON = CallbackTarget(URL, CallbackMethod.POST, CallbackFormat.JSON)
COMPLETED = CallEnded(EndStatus.COMPLETED, duration=17, price="0.0234")
TID = "6a2827c9-4c68-46fc-b179-115f055dc0eb"


def history(*events: Event, **overrides: Any) -> Call:
    """A call after `events`, one second apart."""
    call = a_call(**overrides)
    for second, event in enumerate(events, start=1):
        call = apply(call, event, NOW + timedelta(seconds=second)).call
    return call


def keys(*entries: str) -> list[DigitsEntered]:
    return [DigitsEntered(step, entry, TOKEN) for step, entry in enumerate(entries, start=1)]


def payload(call: Call) -> str:
    assert call.phase is Phase.SETTLED
    assert call.payload is not None
    return call.payload


def test_a_form_payload_says_all_that_is_known_in_the_order_of_the_contract() -> None:
    call = history(*keys("0000", PIN), COMPLETED, callback=FORM, reference="order 7/ä&b")
    assert payload(call) == (
        f"to=447970513607&tid={TID}&status=ok&reason=pin_matched&attempts=2"
        "&answered_by=human&duration=17&price=0.0234&reference=order+7%2F%C3%A4%26b"
    )


def test_a_get_payload_is_the_same_query() -> None:
    form, query = (history(*keys(PIN), COMPLETED, callback=target, reference="ä b") for target in (FORM, GET))
    assert payload(query) == payload(form)


def test_a_get_payload_stays_a_query_where_json_was_asked_for() -> None:
    target = CallbackTarget(URL, CallbackMethod.GET, CallbackFormat.JSON)
    assert payload(history(*keys(PIN), COMPLETED, callback=target)).startswith("to=447970513607&tid=")


def test_a_json_payload_is_compact_with_numbers_as_numbers_and_the_price_as_a_string() -> None:
    call = history(*keys("0000", PIN), COMPLETED, callback=JSON, reference='ä"b')
    assert payload(call) == (
        f'{{"to":"447970513607","tid":"{TID}","status":"ok","reason":"pin_matched","attempts":2,'
        '"answered_by":"human","duration":17,"price":"0.0234","reference":"ä\\"b"}'
    )


def test_what_is_not_known_is_left_out() -> None:
    call = history(CallEnded(EndStatus.BUSY))
    assert payload(call) == f"to=447970513607&tid={TID}&status=error&reason=busy&attempts=0"


def test_a_duration_of_nothing_is_known() -> None:
    call = history(CallEnded(EndStatus.COMPLETED, duration=0, price="0"), GraceElapsed())
    assert payload(call).endswith("&reason=no_answer&attempts=0&duration=0&price=0")


@pytest.mark.parametrize(
    ("events", "status", "attempts"),
    [
        ([*keys(PIN), COMPLETED], "ok", "1"),
        ([*keys("", "0", PIN), COMPLETED], "ok", "3"),
        ([*keys("*", "*", PIN), COMPLETED], "ok", "1"),
        ([*keys("9"), COMPLETED], "failed", "1"),
        ([*keys("0", "9"), COMPLETED], "failed", "2"),
        ([*keys("", "", ""), COMPLETED], "failed", "3"),
        ([*keys("0"), COMPLETED, GraceElapsed()], "failed", "1"),
        ([MachineDetected(), COMPLETED], "error", "0"),
    ],
)
def test_attempts_counts_judged_entries(events: list[Event], status: str, attempts: str) -> None:
    said = dict(parse_qsl(payload(history(*events, machine_detection=MachineDetection.HANGUP))))
    assert (said["status"], said["attempts"]) == (status, attempts)


def test_the_payload_has_no_field_but_those_that_a_callback_url_may_not_use() -> None:
    said = json.loads(payload(history(*keys(PIN), COMPLETED, callback=JSON, reference="r")))
    assert tuple(said) == PAYLOAD_FIELDS


def test_the_payload_holds_neither_the_pin_nor_what_was_typed() -> None:
    text = payload(history(*keys("7777", PIN), COMPLETED, to="15550000000"))
    assert "7777" not in text
    assert PIN not in text


def test_a_later_price_does_not_change_the_payload() -> None:
    settled = history(CallEnded(EndStatus.BUSY))
    supplemented = apply(settled, COMPLETED, NOW + timedelta(minutes=1)).call
    assert supplemented.price == "0.0234"
    assert supplemented.payload == settled.payload


def test_a_call_without_a_verdict_has_no_payload() -> None:
    with pytest.raises(ValueError, match="without a verdict"):
        encode_payload(a_call())


def test_a_call_without_a_callback_has_no_payload() -> None:
    call = history(CallEnded(EndStatus.BUSY), callback=None)
    assert call.phase is Phase.SETTLED
    with pytest.raises(ValueError, match="or a callback"):
        encode_payload(call)
