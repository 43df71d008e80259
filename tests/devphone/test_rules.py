from __future__ import annotations

from typing import Any

import pytest

from devphone.vendor.rules import DROPPED, REFUSED, check_call, check_ncco
from tests.devphone.line import INPUT, TALK, order

PHONE = {"type": "phone", "number": "447700900000"}

MALFORMED = [
    "<speak>Tom &amp; Jerry",
    "<speak>Tom & Jerry</speak>",
    "<speak>1 < 2</speak>",
    "<speak>2 > 1</speak>",
    "<speak>2 ]]> 1</speak>",
    "<speak>a</speak>b",
    "<speak>a</speak><speak>b</speak>",
    "<speak>a</Speak>",
    "<speak>a<break time=1s/></speak>",
    "<speak><p>a</speak></p>",
    "<speak>&eacute;</speak>",
    "<speak>\x01a</speak>",
    "<speak>a<!DOCTYPE x></speak>",
    "<speak>a",
    "  <speak>a",
    "<speak",
    "<speak/>a",
]
"""SSML that is not one whole `<speak>`."""


def without(action: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in action.items() if key != name}


def test_a_right_request_has_no_fault() -> None:
    assert check_call(order()) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"to": None}, "/to"),
        ({"to": PHONE}, "/to"),
        ({"to": []}, "/to"),
        ({"to": [PHONE, PHONE]}, "/to"),
        ({"to": [{**PHONE, "number": "+447700900000"}]}, "/to/0/number"),
        ({"to": [{**PHONE, "number": "44 7700 900000"}]}, "/to/0/number"),
        ({"to": [{**PHONE, "number": 447700900000}]}, "/to/0/number"),
        ({"to": [{**PHONE, "number": "1" * 16}]}, "/to/0/number"),
        ({"to": [{**PHONE, "number": "00447700900001"}]}, "/to/0/number"),
        ({"to": [{**PHONE, "number": "07700900001"}]}, "/to/0/number"),
        ({"from": {**PHONE, "number": "00447700900001"}}, "/from/number"),
        ({"to": [{**PHONE, "number": "１２３４５６７８"}]}, "/to/0/number"),
        ({"to": [{**PHONE, "dtmf_answer": "1"}]}, "/to/0/dtmf_answer"),
        ({"to": [{**PHONE, "dtmfAnswer": "x"}]}, "/to/0/dtmfAnswer"),
        ({"from": [PHONE]}, "/from"),
        ({"from": {"number": "447700900001"}}, "/from/type"),
        ({"from": None}, "/from"),
        ({"random_from_number": True}, "/from"),
        ({"ncco": None}, "/ncco"),
        ({"answer_url": ["http://a.example/"]}, "/ncco"),
        ({"ncco": None, "answer_url": "http://a.example/"}, "/answer_url"),
        ({"ncco": {}}, "/ncco"),
        ({"event_url": "http://a.example/"}, "/event_url"),
        ({"event_url": None}, "/event_url"),
        ({"event_url": ["http://[a.example/"]}, "/event_url"),
        ({"event_url": ["http://a.example:99999999/"]}, "/event_url"),
        ({"event_url": ["ftp://a.example/"]}, "/event_url"),
        ({"event_method": "PUT"}, "/event_method"),
        ({"length_timer": 0}, "/length_timer"),
        ({"length_timer": 86401}, "/length_timer"),
        ({"length_timer": "60"}, "/length_timer"),
        ({"length_timer": True}, "/length_timer"),
        ({"ringing_timer": 121}, "/ringing_timer"),
        ({"machine_detection": "on"}, "/machine_detection"),
        ({"advanced_machine_detection": "continue"}, "/advanced_machine_detection"),
        ({"advanced_machine_detection": {"behaviour": "continue"}}, "/advanced_machine_detection/behaviour"),
        ({"advanced_machine_detection": {"mode": "fast"}}, "/advanced_machine_detection/mode"),
        ({"advanced_machine_detection": {"beep_timeout": 44}}, "/advanced_machine_detection/beep_timeout"),
        ({"client_ref": "1"}, "/client_ref"),
        ({"ncco": [{**INPUT, "eventUrl": "http://a.example/"}]}, "/ncco/0/eventUrl"),
    ],
)
def test_a_wrong_request_is_refused_with_the_place_of_its_fault(fields: dict[str, Any], pointer: str) -> None:
    faults = check_call(order(**fields))

    assert [(fault.pointer, fault.consequence) for fault in faults] == [(pointer, REFUSED)]


@pytest.mark.parametrize(
    "limits", [{"length_timer": 1, "ringing_timer": 1}, {"length_timer": 86400, "ringing_timer": 120}]
)
def test_the_ends_of_a_range_belong_to_it(limits: dict[str, Any]) -> None:
    assert check_call(order(**limits)) == []


def test_all_faults_are_reported_at_once() -> None:
    faults = check_call(order(to=None, event_url=None, length_timer=0))

    assert {fault.pointer for fault in faults} == {"/to", "/event_url", "/length_timer"}


@pytest.mark.parametrize(
    ("actions", "pointer"),
    [
        ([{**INPUT, "eventUrl": "http://a.example/"}], "/0/eventUrl"),
        ([without(INPUT, "type")], "/0/type"),
        ([{**INPUT, "type": "dtmf"}], "/0/type"),
        ([{**INPUT, "maxDigits": 4}], "/0/maxDigits"),
        ([{**INPUT, "dtmf": {"timeOut": 11}}], "/0/dtmf/timeOut"),
        ([{**INPUT, "dtmf": {"timeOut": "5"}}], "/0/dtmf/timeOut"),
        ([{**INPUT, "dtmf": {"maxDigits": 21}}], "/0/dtmf/maxDigits"),
        ([{**INPUT, "dtmf": {"max_digits": 4}}], "/0/dtmf/max_digits"),
        ([TALK], "/0/bargeIn"),
        ([TALK, {"action": "talk", "text": "more"}], "/0/bargeIn"),
        ([{"action": "talk", "text": "x" * 1501}], "/0/text"),
        ([{"action": "talk"}], "/0/text"),
        ([{"action": "talk", "text": ""}], "/0/text"),
        ([{"action": "talk", "text": "   "}], "/0/text"),
        ([{"action": "talk", "text": "<speak> <break time='1s'/></speak>"}], "/0/text"),
        ([{"action": "talk", "text": f"<speak>{'x' * 1501}</speak>"}], "/0/text"),
        ([{"action": "talk", "text": f"<speaker>{'x' * 1492}"}], "/0/text"),
        *(([{"action": "talk", "text": text}], "/0/text") for text in MALFORMED),
        ([{"action": "talk", "text": "hello", "bargein": True}], "/0/bargein"),
        ([{"action": "talk", "text": "hello", "bargeIn": "true"}], "/0/bargeIn"),
        ([{"action": "shout"}], "/0/action"),
        ([{"action": ["talk"]}], "/0/action"),
        (["talk"], "/0/action"),
        ({"action": "talk", "text": "hello"}, ""),
        (None, ""),
    ],
)
def test_a_wrong_ncco_has_a_fault(actions: Any, pointer: str) -> None:
    assert [(fault.pointer, fault.consequence) for fault in check_ncco(actions)] == [(pointer, DROPPED)]


@pytest.mark.parametrize(
    "actions",
    [
        [],
        [TALK, INPUT],
        [TALK, {"action": "talk", "text": "more"}, INPUT],
        [{"action": "talk", "text": "x" * 1500}],
        [{"action": "talk", "text": f"<speak>{'x' * 1500}</speak>"}],
        [{"action": "talk", "text": f"<speaker>{'x' * 1491}"}],
        [{"action": "talk", "text": "<speaker>Tom & Jerry"}],
        [{"action": "talk", "text": "Tom & Jerry, 1 < 2, <b>a"}],
        [
            {
                "action": "talk",
                "text": " <speak xml:lang='en-GB'\n>Tom &amp; J&#233;rry <sub alias='a > b'>c</sub></speak> ",
            }
        ],
        [{**INPUT, "dtmf": {}}],
        [without(INPUT, "eventUrl")],
    ],
)
def test_a_right_ncco_has_none(actions: list[dict[str, Any]]) -> None:
    assert check_ncco(actions) == []


@pytest.mark.parametrize(
    ("name", "pointer", "hint"),
    [
        ("bargein", "/0/bargein", "spelled bargeIn"),
        ("barge_in", "/0/barge_in", "spelled bargeIn"),
        ("a/b~c", "/0/a~1b~0c", "knows here."),
        ("x" * 5000, "/0/" + "x" * 100, "knows here."),
    ],
)
def test_an_unknown_key_is_named_and_its_right_spelling_if_it_is_a_slip(name: str, pointer: str, hint: str) -> None:
    (fault,) = check_ncco([{"action": "talk", "text": "hello", name: True}])

    assert fault.pointer == pointer
    assert hint in fault.rule
