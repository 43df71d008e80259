"""What the service sees of a call, and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from devphone.callee.script import Callee, Entry, PickUp
from tests.devphone.line import INPUT, SERVICE, TALK, ncco, play

DATA = Path(__file__).parents[1] / "data" / "vonage" / "webhooks"
ANSWERED_AT = 2.0
"""The callee picks up after two rings' time."""
SPOKEN_AT = ANSWERED_AT + 1
NEW_KEYS = {"sip_code"}
"""Came after the captures of 2020."""


def captured(name: str) -> dict[str, Any]:
    text = (DATA / name).read_text()
    if text.startswith("GET "):
        return dict(parse_qsl(urlsplit(text.split()[1]).query))
    body: dict[str, Any] = json.loads(text.rpartition("\n\n")[2])
    return body


def question(**dtmf: Any) -> dict[str, Any]:
    return {**INPUT, "dtmf": INPUT["dtmf"] | dtmf}


def test_a_call_that_is_answered_goes_through_its_events_in_order() -> None:
    assert play("1234").service.statuses() == ["started", "ringing", "answered", "completed"]


@pytest.mark.parametrize(
    ("script", "statuses"),
    [
        ("busy", ["busy", "completed"]),
        ("no-answer", ["timeout", "completed"]),
        ("unanswered", ["unanswered", "completed"]),
        ("fail", ["failed", "completed"]),
        ("cancel", ["cancelled", "completed"]),
        ("reject", ["rejected"]),
    ],
)
def test_each_way_not_to_answer_has_its_status_and_only_rejected_is_the_last(script: str, statuses: list[str]) -> None:
    assert play(script).service.statuses() == ["started", "ringing", *statuses]


def test_the_status_of_a_call_that_was_not_answered_stays_when_completed_follows() -> None:
    assert play("busy").leg.details()["status"] == "busy"


def test_an_unanswered_phone_rings_as_long_as_the_ringing_timer() -> None:
    service = play("no-answer", ringing_timer=30).service

    assert [at for at, _, body in service.received if body.get("status") == "timeout"] == [30]


def test_a_callee_slower_than_the_ringing_timer_is_too_late() -> None:
    assert "timeout" in play(Callee(ring_s=31), ringing_timer=30).service.statuses()


@pytest.mark.parametrize(
    ("status", "sample", "new"),
    [
        ("started", "event-post-started.txt", set()),
        ("ringing", "event-post-ringing.txt", set()),
        ("answered", "event-post-answered.txt", set()),
        ("completed", "event-post-completed.txt", {"sip_code", "disconnected_by"}),
    ],
)
def test_an_event_has_the_keys_of_a_captured_one(status: str, sample: str, new: set[str]) -> None:
    event = play("1234").service.event(status)

    assert set(event) == set(captured(sample)) | new


@pytest.mark.parametrize(
    ("callee", "status", "sample"),
    [
        (Callee(PickUp.FAIL, detail="cannot_route"), "failed", "event-post-failed.txt"),
        (Callee(PickUp.BUSY, detail="some"), "busy", "Busy.json"),
        (Callee(PickUp.REJECT, detail="declined"), "rejected", "Rejected.json"),
        (Callee(PickUp.UNANSWERED, detail="unavailable"), "unanswered", "Unanswered.json"),
        (Callee(), "completed", "Completed.json"),
    ],
)
def test_an_ending_has_the_keys_of_a_sample(callee: Callee, status: str, sample: str) -> None:
    """The captures lack what came after 2020, the newer samples what only captures show."""
    event = play(callee).service.event(status)

    assert set(event) | {"headers"} == set(captured(sample)) | NEW_KEYS | {"headers"}


@pytest.mark.parametrize("sample", ["error-get.txt", "Error.json"])
def test_an_error_event_has_the_keys_of_a_sample(sample: str) -> None:
    service = play("1234", lambda _: httpx.Response(200, text="[]")).service

    (event,) = [event for event in service.events() if "status" not in event]
    assert set(event) == set(captured(sample))


def test_the_request_for_the_first_ncco_has_the_keys_of_a_captured_one() -> None:
    service = play("1234", lambda _: ncco(), ncco=None, answer_url=[f"{SERVICE}/answer"]).service

    (asked,) = [body for _, path, body in service.received if path == "/answer"]
    assert set(asked) == set(captured("answer-get.txt"))


def test_keys_are_reported_by_get_as_in_a_captured_report() -> None:
    service = play("3", ncco=[TALK, {**INPUT, "eventMethod": "GET"}]).service

    (report,) = service.inputs()
    sample = captured("dtmf-get.txt")
    assert set(report) == set(sample)
    assert json.loads(report["dtmf"]) == json.loads(sample["dtmf"]) == {"digits": "3", "timed_out": True}


@pytest.mark.parametrize(("script", "status"), [("1234", "human"), ("machine", "machine")])
def test_a_verdict_names_the_call_as_call_uuid(script: str, status: str) -> None:
    event = play(script, machine_detection="continue").service.event(status)

    assert set(event) == set(captured("HumanMachine.json")) | {"headers"}


def test_nobody_is_told_human_from_machine_unless_asked() -> None:
    assert "machine" not in play("machine").service.statuses()


def test_a_machine_is_hung_up_on_if_asked() -> None:
    service = play("machine", machine_detection="hangup").service

    assert service.statuses()[-2:] == ["machine", "completed"]
    assert service.inputs() == []


def test_keys_are_reported_with_the_keys_of_a_captured_report() -> None:
    (report,) = play("1234").service.inputs()

    assert set(report) == set(captured("dtmf-post.txt"))
    assert report["dtmf"] == {"digits": "1234", "timed_out": False}


def test_a_completed_call_has_a_price_and_a_duration_in_strings() -> None:
    event = play("1234").service.event("completed")

    # One second of speech, one to think, four keys at 0.4 s.
    assert (event["duration"], event["price"], event["disconnected_by"]) == ("4", "0.00094667", "platform")


@pytest.mark.parametrize(
    ("script", "dtmf", "digits", "timed_out", "after_s"),
    [
        ("silence", {"timeOut": 7}, "", True, 7),
        ("1234", {}, "1234", False, 1 + 4 * 0.4),
        ("12#", {}, "12", False, 1 + 3 * 0.4),
        ("12#", {"submitOnHash": False}, "12#", True, 1 + 3 * 0.4 + 10),
        ("12", {"timeOut": 3}, "12", True, 1 + 2 * 0.4 + 3),
        ("123456", {}, "1234", False, 1 + 4 * 0.4),
        ("#", {}, "", False, 1.4),
    ],
)
def test_an_input_ends_at_the_last_digit_the_hash_or_the_time_out_after_the_last_key(
    script: str,
    dtmf: dict[str, Any],
    digits: str,
    timed_out: object,
    after_s: float,
) -> None:
    service = play(script, ncco=[TALK, question(**dtmf)]).service

    assert service.inputs()[0]["dtmf"] == {"digits": digits, "timed_out": timed_out}
    assert service.time_of("/input") == pytest.approx(SPOKEN_AT + after_s)


def test_vonages_defaults_hold_for_an_input_that_states_none() -> None:
    service = play("123", ncco=[TALK, {**INPUT, "dtmf": {}}]).service

    assert service.time_of("/input") == pytest.approx(SPOKEN_AT + 1 + 3 * 0.4 + 3)


def test_a_callee_who_interrupts_is_heard_at_once_with_barge_in() -> None:
    service = play(Callee(interrupts=True, entries=(Entry("1234"),))).service

    assert service.time_of("/input") == pytest.approx(ANSWERED_AT + 1 + 4 * 0.4)


def test_a_callee_who_interrupts_is_not_heard_without_barge_in() -> None:
    of_5_s = {**TALK, "text": "x" * 14 * 5, "bargeIn": False}
    service = play(Callee(interrupts=True, entries=(Entry("1234"),)), ncco=[of_5_s, INPUT]).service

    assert service.inputs()[0]["dtmf"] == {"digits": "", "timed_out": True}
    assert service.time_of("/input") == pytest.approx(ANSWERED_AT + 5 + 10)


def test_what_is_keyed_before_the_end_of_speech_without_barge_in_is_lost_and_the_rest_arrives() -> None:
    """Keys fall 1.4, 1.8, 2.2 and 2.6 s after the first word."""
    of_2_s = {**TALK, "text": "x" * 14 * 2, "bargeIn": False}
    service = play(Callee(interrupts=True, entries=(Entry("1234"),)), ncco=[of_2_s, INPUT]).service

    assert service.inputs()[0]["dtmf"] == {"digits": "34", "timed_out": True}
    assert service.time_of("/input") == pytest.approx(ANSWERED_AT + 1 + 4 * 0.4 + 10)


def test_barge_in_that_begins_late_loses_the_keys_before_it() -> None:
    calm, of_5_s = {**TALK, "text": "x" * 14 * 2, "bargeIn": False}, {**TALK, "text": "x" * 14 * 5}
    service = play(Callee(interrupts=True, entries=(Entry("1234"),)), ncco=[calm, of_5_s, INPUT]).service

    assert service.inputs()[0]["dtmf"]["digits"] == "34"


def test_each_question_has_its_own_beginning_for_a_callee_who_interrupts() -> None:
    callee = Callee(interrupts=True, entries=(Entry("1111"), Entry("1234")))
    service = play(callee, lambda _: ncco(TALK, INPUT)).service

    assert [each["dtmf"]["digits"] for each in service.inputs()] == ["1111", "1234"]


def test_a_callee_who_interrupts_and_hangs_up_is_gone_whatever_of_it_is_lost() -> None:
    of_5_s = {**TALK, "text": "x" * 14 * 5, "bargeIn": False}
    service = play(Callee(interrupts=True, entries=(Entry("1234", hangs_up=True),)), ncco=[of_5_s, INPUT]).service

    assert service.inputs() == []
    assert service.event("completed")["disconnected_by"] == "user"


def test_each_question_gets_the_next_entry() -> None:
    service = play("1111,1234", lambda _: ncco(TALK, INPUT), lambda _: ncco()).service

    assert [report["dtmf"]["digits"] for report in service.inputs()] == ["1111", "1234"]


def test_an_empty_reply_goes_on_with_the_rest_of_the_ncco() -> None:
    service = play("1111,1234", lambda _: httpx.Response(204), ncco=[TALK, INPUT, TALK, INPUT]).service

    assert len(service.inputs()) == 2


def test_a_reply_replaces_the_rest_of_the_ncco() -> None:
    assert len(play("1111,1234", lambda _: ncco(), ncco=[TALK, INPUT, TALK, INPUT]).service.inputs()) == 1


def test_an_error_status_goes_on_with_the_rest_of_the_ncco() -> None:
    service = play("1111,1234", lambda _: httpx.Response(500), ncco=[TALK, INPUT, TALK, INPUT]).service

    assert len(service.inputs()) == 2
    assert "error" not in service.statuses()


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200, text="[]", headers={"content-type": "text/html"}),
        httpx.Response(200, text="[]", headers={"content-type": "application/jsonp"}),
        httpx.Response(200, text="[", headers={"content-type": "application/json"}),
        httpx.Response(200, text="[" * 100_000, headers={"content-type": "application/json"}),
        httpx.Response(
            200, content="[]".encode("utf-16"), headers={"content-type": "application/json; charset=utf-16"}
        ),
        httpx.Response(200, content="[]".encode("utf-8-sig"), headers={"content-type": "application/json"}),
        httpx.Response(200, json={"action": "talk", "text": "hello"}),
        httpx.Response(200, json=[TALK]),
        httpx.Response(200, json=[{**INPUT, "eventUrl": "http://a.example/"}]),
        httpx.Response(200, json=[{"action": []}]),
    ],
)
def test_a_reply_that_is_no_ncco_is_an_error_event_and_the_call_drops(reply: httpx.Response) -> None:
    service = play("1234", lambda _: reply).service

    assert service.statuses()[-2:] == ["error", "completed"]
    assert set(service.events()[-2]) == {"reason", "conversation_uuid", "timestamp"}
    assert service.event("completed")["disconnected_by"] == "platform"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_first_ncco_is_fetched_when_the_callee_answers(method: str) -> None:
    played = play(
        "1234", lambda _: ncco(TALK, INPUT), ncco=None, answer_url=[f"{SERVICE}/answer"], answer_method=method
    )
    request = next(x for x in played.service.requests if x.url.path == "/answer")

    assert request.method == method
    assert played.service.time_of("/answer") == pytest.approx(ANSWERED_AT)
    assert [set(body) for _, path, body in played.service.received if path == "/answer"] == [
        {"to", "from", "uuid", "conversation_uuid"}
    ]


def test_a_first_ncco_that_cannot_be_fetched_drops_the_call() -> None:
    service = play("1234", lambda _: httpx.Response(500), ncco=None, answer_url=[f"{SERVICE}/answer"]).service

    assert service.statuses()[-2:] == ["error", "completed"]


@pytest.mark.parametrize("script", ["hangup", "12 hangup"])
def test_a_callee_who_hangs_up_ends_the_call_without_a_report(script: str) -> None:
    service = play(script).service

    assert service.inputs() == []
    assert service.event("completed")["disconnected_by"] == "user"


@pytest.mark.parametrize(("script", "digits"), [("1234 hangup", "1234"), ("12# hangup", "12")])
def test_an_entry_that_is_whole_is_reported_though_the_callee_is_gone(script: str, digits: str) -> None:
    service = play(script).service

    assert [report["dtmf"]["digits"] for report in service.inputs()] == [digits]
    assert service.event("completed")["disconnected_by"] == "user"


def test_the_length_timer_ends_the_call_so_long_after_the_answer() -> None:
    service = play("silence", length_timer=5).service

    assert service.inputs() == []
    assert service.event("completed")["duration"] == "5"


def test_slow_events_stay_in_order_and_do_not_hold_up_the_call() -> None:
    service = play("1234", event_takes_s=5).service

    assert service.statuses() == ["started", "ringing", "answered", "completed"]
    assert service.time_of("/input") == pytest.approx(SPOKEN_AT + 1 + 4 * 0.4)
