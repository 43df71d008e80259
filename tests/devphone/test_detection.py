"""Who picked up: machine detection in its forms, verdicts at every moment, extensions, and endings that overtake."""

from __future__ import annotations

from typing import Any

import pytest

from devphone.callee.numbers import NUMBERS
from devphone.callee.script import Callee, PickUp, parse_callee
from devphone.happenings import ExtensionKeyed, WebhookSent
from devphone.telling import tell
from tests.devphone.line import INPUT, TALK, Played, ncco, play

AT_ONCE = {"behavior": "continue", "mode": "default"}


def told(callee: str | Callee, **fields: Any) -> list[str | None]:
    """Return what the service is told, in order: events, and `keys`."""
    return [x.event or "keys" for x in sent(play(callee, **fields)) if x.event not in {"started", "ringing"}]


def sent(played: Played) -> list[WebhookSent]:
    return [x for x in played.timeline.happenings() if isinstance(x, WebhookSent)]


def number(last: int) -> Callee:
    return NUMBERS[f"4477009000{last}"].callee


@pytest.mark.parametrize(
    ("callee", "expected"),
    [
        (number(19), ["answered", "human", "keys", "completed"]),
        (number(20), ["answered", "human", "keys", "completed"]),
        (number(21), ["answered", "keys", "completed", "machine"]),
    ],
)
def test_an_asynchronous_verdict_comes_when_it_comes_and_nobody_waits(callee: Callee, expected: list[str]) -> None:
    assert told(callee, advanced_machine_detection=AT_ONCE) == expected
    assert play(callee, advanced_machine_detection=AT_ONCE).service.time_of("/input") == pytest.approx(
        play(callee).service.time_of("/input")
    )


def test_a_verdict_during_the_entry_falls_between_two_keys() -> None:
    played = play(number(20), advanced_machine_detection=AT_ONCE)
    (verdict,) = [x.at_s for x in sent(played) if x.event == "human"]
    answered = next(x.at_s for x in sent(played) if x.event == "answered")

    assert answered + number(20).think_s + number(20).key_s < verdict < played.service.time_of("/input")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"machine_detection": "continue"}, ["answered", "machine", "keys", "completed"]),
        ({"machine_detection": "hangup"}, ["answered", "machine", "completed"]),
        ({"advanced_machine_detection": {"behavior": "continue"}}, ["answered", "machine", "keys", "completed"]),
        ({"advanced_machine_detection": {"behavior": "hangup"}}, ["answered", "machine", "completed"]),
        (
            {"advanced_machine_detection": {"mode": "detect_beep"}, "machine_detection": "hangup"},
            ["answered", "machine", "machine", "keys", "completed"],
        ),
        ({"advanced_machine_detection": AT_ONCE}, ["answered", "machine", "machine", "keys", "completed"]),
        ({"advanced_machine_detection": {**AT_ONCE, "behavior": "hangup"}}, ["answered", "machine", "completed"]),
    ],
)
def test_a_machine_is_told_and_its_beep_and_hung_up_on_if_asked(fields: dict[str, Any], expected: list[str]) -> None:
    assert told("machine", **fields) == expected


def test_the_beep_is_a_second_verdict_with_a_sub_state() -> None:
    played = play("machine", advanced_machine_detection=AT_ONCE)

    assert [x.body.get("sub_state") for x in sent(played) if x.event == "machine"] == [None, "beep_start"]


def test_a_verdict_that_is_waited_for_keeps_the_callee_waiting_five_seconds_at_most() -> None:
    slow = Callee(PickUp.ANSWER, parse_callee("1234").entries, verdict_s=20)

    waited = play(slow, machine_detection="continue").service.time_of("/input")
    assert waited - play(slow).service.time_of("/input") == pytest.approx(5)


@pytest.mark.parametrize(("keyed", "keys"), [("42", "1234"), ("p4p2p", "1234"), ("43", ""), (None, "")])
def test_behind_a_switchboard_the_right_extension_reaches_somebody(keyed: str | None, keys: str) -> None:
    to = {"type": "phone", "number": "447700900023"} | ({} if keyed is None else {"dtmfAnswer": keyed})

    assert [each["dtmf"]["digits"] for each in play(number(23), to=[to]).service.inputs()] == [keys]


def test_an_extension_takes_its_time_and_is_not_shown() -> None:
    played = play(number(23), to=[{"type": "phone", "number": "447700900023", "dtmfAnswer": "pp42"}])
    (keyed,) = [x for x in played.timeline.happenings() if isinstance(x, ExtensionKeyed)]

    assert keyed.at_s == pytest.approx(2 + 2 * 0.5 + 2 * 0.2)
    assert "42" not in repr(tell(keyed).facts)


def test_completed_may_overtake_the_reason() -> None:
    played = play(number(22))

    assert [x.event for x in sent(played)] == ["started", "ringing", "completed", "busy"]
    assert played.service.event("busy")["sip_code"] == 486


def test_a_screener_says_nothing_twice_and_then_hands_over() -> None:
    again = ncco(TALK, INPUT)
    played = play(number(18), lambda _: again, lambda _: again)

    assert [each["dtmf"]["digits"] for each in played.service.inputs()] == ["", "", "1234"]


def test_the_number_that_interrupts_does_so_however_short_the_text_is() -> None:
    short = {**TALK, "text": "Enter the PIN"}

    assert [each["dtmf"]["digits"] for each in play(number(20), ncco=[short, INPUT]).service.inputs()] == ["1234"]
    calm = {**short, "bargeIn": False}
    assert [each["dtmf"]["digits"] for each in play(number(20), ncco=[calm, INPUT]).service.inputs()] == ["234"]
