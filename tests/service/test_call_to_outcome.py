"""From one request to one outcome: every way a call can go, with its status, reason and attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.records import keys_read
from tests.service.test_sweep import sweep_of
from tests.world import REQUEST, World, bearer, fields_logged, json_of, make_world, query_of


def outcome(world: World) -> tuple[str, str, str]:
    (only,) = world.outcomes
    return only["status"], only["reason"], only["attempts"]


def test_right_pin_first_time_is_ok_once_the_call_has_ended(world: World) -> None:
    tid = world.place()
    world.event("started")
    world.event("ringing")
    world.event("answered")

    assert world.enter("1234") == [{"action": "talk", "text": "Thank you", "language": "en-US"}]
    assert world.outcomes == []

    world.event("completed", duration="7", price="0.00052500", disconnected_by="platform")
    assert world.outcomes == [
        {
            "to": "447970513607",
            "tid": tid,
            "status": "ok",
            "reason": "pin_matched",
            "attempts": "1",
            "answered_by": "human",
            "duration": "7",
            "price": "0.00052500",
        }
    ]


def test_wrong_then_right_pin_is_ok_after_two_attempts(world: World) -> None:
    world.place()
    world.event("answered")
    world.enter("1111", "1234")
    world.event("completed", duration="9")

    assert outcome(world) == ("ok", "pin_matched", "2")


def test_wrong_pin_hears_the_failed_text_and_the_next_question(world: World) -> None:
    world.place()
    talk, ask = world.enter("1111")

    assert talk == {"action": "talk", "text": "Try again", "language": "en-US", "bargeIn": True}
    assert ask["dtmf"] == {"maxDigits": 4, "timeOut": 10, "submitOnHash": True}
    assert query_of(ask["eventUrl"][0])["step"] == "2"


def test_third_wrong_pin_ends_the_call_as_failed(world: World) -> None:
    world.place()
    world.event("answered")
    assert world.enter("1111", "2222", "3333") == []
    world.event("completed", duration="9", disconnected_by="platform")

    assert outcome(world) == ("failed", "wrong_pin", "3")


@pytest.mark.parametrize("silence", [{}, {"dtmf": None}, {"dtmf": {}}, {"dtmf": {"digits": None}}, {"dtmf": ""}])
def test_three_silences_are_no_input_however_vonage_spells_silence(world: World, silence: dict[str, Any]) -> None:
    world.place()
    url = world.input_url
    for _ in range(2):
        (_, ask) = json_of(world.webhook(url, silence))
        url = ask["eventUrl"][0]
    assert world.webhook(url, silence).json == []
    world.event("completed", duration="40")

    assert outcome(world) == ("failed", "no_input", "3")


def test_silence_and_a_wrong_pin_are_a_wrong_pin(world: World) -> None:
    world.place(attempts=2)
    world.enter("", "9999")
    world.event("completed", duration="20")

    assert outcome(world) == ("failed", "wrong_pin", "2")


def test_legacy_string_dtmf_is_judged(world: World) -> None:
    world.place()
    response = world.webhook(world.input_url, {"uuid": "x", "timed_out": True, "dtmf": "1234"})

    assert response.json == [{"action": "talk", "text": "Thank you", "language": "en-US"}]


def test_a_trailing_hash_is_not_part_of_the_pin(world: World) -> None:
    world.place()
    world.enter("1234#")
    world.event("completed", duration="5")

    assert outcome(world) == ("ok", "pin_matched", "1")


def test_star_repeats_the_text_three_times_without_spending_a_try_then_counts_as_wrong(world: World) -> None:
    world.place(attempts=2)
    for entries in (["*"], ["*", "12*"], ["*", "12*", "*#"]):
        talk = world.enter(*entries)[0]
        assert talk["text"] == "Enter the PIN"
    assert world.enter("*", "12*", "*#", "*")[0]["text"] == "Try again"
    world.enter("*", "12*", "*#", "*", "1234")
    world.event("completed", duration="60")

    assert outcome(world) == ("ok", "pin_matched", "2")


def test_reject_code_ends_the_call_as_callee_rejected(world: World) -> None:
    world.place(reject_code="9")
    assert world.enter("9") == []
    world.event("completed", duration="4")

    assert outcome(world) == ("failed", "callee_rejected", "1")


def test_hang_up_between_tries_is_hung_up_with_the_tries_so_far(world: World) -> None:
    world.place()
    world.event("answered")
    world.enter("1111")
    world.event("completed", duration="8", disconnected_by="user")

    assert outcome(world) == ("failed", "hung_up", "1")


def test_platform_hanging_up_on_an_open_question_is_a_vendor_error(world: World) -> None:
    world.place()
    world.event("answered")
    world.event("completed", duration="8", disconnected_by="platform")

    assert outcome(world) == ("error", "vendor_error", "0")


@pytest.mark.parametrize(
    ("status", "detail", "reason"),
    [
        ("busy", None, "busy"),
        ("timeout", None, "no_answer"),
        ("unanswered", None, "no_answer"),
        ("unanswered", "timeout", "no_answer"),
        ("unanswered", "carrier_timeout", "no_answer"),
        ("unanswered", "unavailable", "unreachable"),
        ("failed", None, "unreachable"),
        ("failed", "cannot_route", "unreachable"),
        ("failed", "number_out_of_service", "unreachable"),
        ("failed", "internal_error", "vendor_error"),
        ("rejected", None, "rejected"),
        ("rejected", "declined", "rejected"),
        ("cancelled", None, "cancelled"),
    ],
)
def test_call_that_nobody_answered_is_an_error(world: World, status: str, detail: str | None, reason: str) -> None:
    world.place()
    world.event("ringing")
    world.event(status, **({"detail": detail} if detail else {}))

    assert outcome(world) == ("error", reason, "0")
    assert world.clock.slept == []


@pytest.mark.parametrize("fields", [{}, {"duration": "0"}])
def test_completed_without_a_sign_of_an_answer_waits_for_the_event_that_says_why(
    world: World, fields: dict[str, str]
) -> None:
    world.place()
    world.event("ringing")
    world.event("completed", **fields)

    assert outcome(world) == ("error", "no_answer", "0")
    assert world.clock.slept == [3]


@pytest.mark.parametrize(
    ("events", "answered_by"),
    [(["machine"], "machine"), (["machine", "human"], "human"), (["human", "machine"], "human")],
)
def test_the_caller_learns_who_picked_up(world: World, events: list[str], answered_by: str) -> None:
    tid = world.place(machine_detection="notice")
    world.event("answered")
    for status in events:
        assert world.event(status, uuid=None, call_uuid=world.voice.uuid).status_code == 204
    world.enter("", "", "")
    world.event("completed", duration="30", disconnected_by="platform", sip_code=200)

    assert outcome(world) == ("failed", "no_input", "3")
    assert world.outcomes[0]["answered_by"] == answered_by
    shown = json_of(world.client.get(f"/call/{tid}", headers=bearer(world.clock)))
    assert (shown["answered_by"], shown["sip_code"]) == (answered_by, 200)


def test_who_said_nothing_hears_the_silence_text_and_who_was_wrong_the_failed_text(world: World) -> None:
    world.place(silence_text="Are you there?")

    assert world.enter("")[0]["text"] == "Are you there?"
    assert world.enter("", "9999")[0]["text"] == "Try again"


def test_by_default_who_said_nothing_hears_the_text_again_and_not_that_it_was_wrong(world: World) -> None:
    world.place()

    assert world.enter("")[0]["text"] == "Enter the PIN"


def test_a_call_without_a_callback_ends_without_one(world: World) -> None:
    tid = world.place(callback=..., callback_method=...)
    world.event("busy")

    assert world.sender.sent == []
    assert (world.call(tid).phase, world.call(tid).due_at) == ("settled", None)


def test_where_there_is_no_callback_none_is_said_to_be_put_off(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.place(callback=..., callback_method=...)
    world.event("answered")
    world.clock.on_sleep = lambda: world.clock.advance(8)
    world.event("completed", duration="4")

    assert fields_logged(caplog, "callback_put_off") == []


def test_the_event_that_says_why_is_told_at_once_although_completed_overtook_it(world: World) -> None:
    world.place()

    def busy() -> None:
        assert world.event("busy", sip_code=486).status_code == 204
        assert outcome(world) == ("error", "busy", "0")

    world.clock.on_sleep = busy
    world.event("completed", duration="0", sip_code=200)

    assert outcome(world) == ("error", "busy", "0")


def test_completed_with_a_duration_is_known_to_have_been_answered(world: World) -> None:
    world.place()
    world.event("completed", duration="3", disconnected_by="user")

    assert outcome(world) == ("failed", "hung_up", "0")


def test_later_completed_changes_neither_outcome_nor_delivery(world: World) -> None:
    tid = world.place()
    world.event("busy")
    world.event("completed", duration="0", price="0")
    world.event("busy")

    assert outcome(world) == ("error", "busy", "0")
    assert (world.call(tid).duration_s, world.call(tid).price) == (0, "0")


def test_events_in_reverse_order_come_to_the_same_outcome(world: World) -> None:
    world.place()
    world.enter("1234")
    world.event("completed", duration="5")
    for status in ("answered", "ringing", "started"):
        assert world.event(status).status_code == 204

    assert outcome(world) == ("ok", "pin_matched", "1")


def test_machine_is_an_error_with_hangup(world: World) -> None:
    world.place(machine_detection="hangup")
    world.event("answered")
    world.webhook(world.voice.orders[-1].event_url, {"status": "machine", "call_uuid": world.voice.uuid})
    world.event("completed", duration="2", disconnected_by="platform")

    assert outcome(world) == ("error", "machine", "0")


def test_machine_changes_nothing_with_continue(world: World) -> None:
    tid = world.place(machine_detection="continue")
    world.event("answered")
    world.event("machine")
    world.event("machine")
    world.enter("1234")
    world.event("completed", duration="2")

    assert outcome(world) == ("ok", "pin_matched", "1")
    assert [line.event for line in world.call(tid).timeline].count("machine") == 1


def test_right_pin_that_arrives_just_after_the_hang_up_is_ok(world: World) -> None:
    world.place()
    world.event("answered")

    def late_keys() -> None:
        assert world.key("1234").json == []

    world.clock.on_sleep = late_keys
    world.event("completed", duration="6", disconnected_by="user")

    assert world.clock.slept == [3]
    assert outcome(world) == ("ok", "pin_matched", "1")


def test_wrong_pin_that_arrives_just_after_the_hang_up_counts_as_a_try(world: World) -> None:
    world.place()
    world.event("answered")

    def late_keys() -> None:
        world.key("1111")

    world.clock.on_sleep = late_keys
    world.event("completed", duration="6", disconnected_by="user")

    assert outcome(world) == ("failed", "hung_up", "1")


@pytest.mark.parametrize("ending", ["busy", "completed"], ids=["at once", "after the grace period"])
def test_the_event_that_settles_a_call_reads_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    tid = world.place()
    if ending == "completed":
        world.event("answered")
    keys = keys_read(monkeypatch)
    world.event(ending, duration="5", disconnected_by="user")

    assert len(world.outcomes) == 1
    assert keys == [tid]


def test_repeated_ending_during_the_grace_period_neither_waits_nor_delivers(world: World) -> None:
    world.place()
    world.event("answered")

    def again() -> None:
        assert world.event("completed", duration="6", price="0.01").status_code == 204
        assert world.outcomes == []

    world.clock.on_sleep = again

    assert world.event("completed", duration="6", disconnected_by="user").status_code == 204
    assert world.clock.slept == [3]
    assert outcome(world) == ("failed", "hung_up", "0")


def test_a_handler_that_died_in_its_wait_leaves_the_outcome_to_the_sweep_and_not_to_a_repetition(world: World) -> None:
    """Whoever repeats may be another machine, and its clock another: it cannot tell that the wait is over."""
    world.place()
    world.event("answered")

    class DiedError(BaseException):
        pass

    def die() -> None:
        raise DiedError

    world.clock.on_sleep = die
    with pytest.raises(DiedError):
        world.event("completed", duration="6", disconnected_by="user")
    world.clock.advance(10)
    world.event("completed", duration="6", disconnected_by="user")
    assert world.outcomes == []

    sweep_of(world).run()

    assert outcome(world) == ("failed", "hung_up", "0")


def test_repeated_input_gets_the_same_ncco_and_is_judged_once(world: World) -> None:
    tid = world.place()
    first = world.key("1111").json
    again = world.key("1234").json

    assert first == again
    assert world.call(tid).attempts_used == 1


def test_bye_text_is_silence_by_default_and_failed_text_is_the_text(world: World) -> None:
    world.place(bye_text=..., failed_text=...)

    assert world.enter("1111")[0]["text"] == "Enter the PIN"
    assert world.enter("1111", "1234") == []


def test_input_of_a_settled_call_is_answered_by_silence(world: World) -> None:
    world.place()
    world.enter("1111")
    world.event("completed", duration="3")

    assert world.key("1234").json == []
    assert outcome(world)[0] == "failed"


@pytest.mark.parametrize("attempts", [1, 10])
def test_attempts_may_be_one_to_ten(world: World, attempts: int) -> None:
    world.place(attempts=attempts)
    assert world.enter(*["0000"] * attempts) == []
    world.event("completed", duration="3")

    assert outcome(world) == ("failed", "wrong_pin", str(attempts))


def test_answer_webhook_mode_serves_the_first_ncco(tmp_path: Path) -> None:
    world = make_world(tmp_path, ANSWER_MODE="webhook")
    world.place()
    (order,) = world.voice.orders
    assert order.ncco is None
    assert order.answer_url is not None

    ncco = json_of(world.webhook(order.answer_url, {"uuid": "x"}))
    assert [action["action"] for action in ncco] == ["talk", "input"]
    assert world.client.get(order.answer_url.removeprefix("https://calls.example.com/api")).json == ncco

    assert world.key("1234", ncco[1]["eventUrl"][0]).json == [
        {"action": "talk", "text": REQUEST["bye_text"], "language": "en-US"}
    ]
    assert world.webhook(order.answer_url, {}).json == []


def test_webhook_urls_come_from_the_settings_whatever_the_host_header_says(world: World) -> None:
    world.client.post(
        "/call",
        json=REQUEST,
        headers={
            **bearer(world.clock),
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "http",
        },
    )

    assert world.voice.orders[-1].event_url.startswith("https://calls.example.com/api/event/")


@pytest.mark.parametrize(
    "body",
    [
        b'{"dtmf": {"digits": "1234"}, "uuid": "a", "uuid": "b", "caller": "Andr\xe9", "quality": NaN}',
        b'{"dtmf": {"digits": 1234}}',
        b'{"dtmf": "1234"}',
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=latin-1", "", "text/plain"])
def test_a_byte_that_nobody_needs_loses_no_call(world: World, body: bytes, content_type: str) -> None:
    world.place()
    path = world.input_url.removeprefix("https://calls.example.com/api")
    response = world.client.post(path, data=body, content_type=content_type)
    world.event("completed")

    assert response.status_code == 200
    assert [outcome["status"] for outcome in world.outcomes] == ["ok"]


@pytest.mark.parametrize(("price", "told"), [("0E-8", "0.00000000"), ("5.0E-5", "0.000050"), (0.00005, "0.00005")])
def test_a_price_is_told_in_plain_notation(world: World, price: Any, told: str) -> None:
    world.place()
    world.enter("1234")
    world.event("completed", price=price)

    assert [outcome["price"] for outcome in world.outcomes] == [told]


def test_letters_beyond_ascii_are_sent_as_they_are(world: World) -> None:
    """Vonage takes so many bytes of an NCCO, and six for a letter would be many."""
    tid = world.place(text="Grüße")
    token = query_of(world.voice.orders[-1].event_url)["token"]

    assert "Grüße".encode() in world.client.get(f"/answer/{tid}?token={token}").data


@pytest.mark.parametrize(("setting", "status"), [("true", 200), ("false", 422)])
def test_a_callback_may_go_to_a_private_address_where_the_operator_says_so(
    tmp_path: Path, setting: str, status: int
) -> None:
    world = make_world(tmp_path, ALLOW_PRIVATE_CALLBACKS=setting)

    assert world.post_call(callback="http://127.0.0.1:9/").status_code == status
