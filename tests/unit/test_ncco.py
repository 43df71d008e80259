"""What Vonage is told to do: the exact actions, judged by Vonage's own models too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from vonage_voice.models import Input, NccoAction, Talk

from tests.builders import NOW, PIN, TOKEN, a_call
from ttsprompt.domain import ncco
from ttsprompt.domain.call import apply
from ttsprompt.domain.events import (
    Answered,
    CallEnded,
    DigitsEntered,
    EndStatus,
    Event,
    GraceElapsed,
    MachineDetected,
    Overdue,
    Placed,
)
from ttsprompt.domain.model import Call, MachineDetection, Prompts

TID = "6a2827c9-4c68-46fc-b179-115f055dc0eb"
URLS = ncco.WebhookUrls("https://example.net/base", TID, TOKEN)
COMPLETED = CallEnded(EndStatus.COMPLETED, duration=5)
ALL_TEXTS = Prompts("Enter the PIN", bye_text="Thank you", failed_text="Try again", silence_text="Are you there?")
WITHOUT_SILENCE_TEXT = Prompts("Enter the PIN", failed_text="Try again")
WITHOUT_FAILED_TEXT = Prompts("Enter the PIN", silence_text="Are you there?")
ONE_TEXT = Prompts("Enter the PIN")


def history(*events: Event, **overrides: Any) -> Call:
    """A call after `events`, one second apart."""
    call = a_call(**overrides)
    for second, event in enumerate(events, start=1):
        call = apply(call, event, NOW + timedelta(seconds=second)).call
    return call


def keys(*entries: str) -> list[DigitsEntered]:
    return [DigitsEntered(step, entry, TOKEN) for step, entry in enumerate(entries, start=1)]


def question(text: str, step: int) -> ncco.Ncco:
    return [
        {"action": "talk", "text": text, "language": "en-US", "bargeIn": True},
        {
            "action": "input",
            "type": ["dtmf"],
            "dtmf": {"maxDigits": 4, "timeOut": 10, "submitOnHash": True},
            "eventUrl": [f"https://example.net/base/input/{TID}?token={TOKEN}&step={step}"],
            "eventMethod": "POST",
        },
    ]


def judged_by_vonage(actions: ncco.Ncco) -> ncco.Ncco:
    """What Vonage's SDK would send for these actions; it drops what it does not know."""
    models: dict[str, type[NccoAction]] = {"talk": Talk, "input": Input}
    return [
        models[action["action"]].model_validate(action).model_dump(by_alias=True, exclude_none=True, mode="json")
        for action in actions
    ]


def test_the_first_question_is_the_text_and_an_input() -> None:
    assert ncco.opening(a_call(), URLS) == question("Enter the PIN", step=1)


def test_the_voice_is_the_one_asked_for() -> None:
    prompts = Prompts("Hallo", bye_text="Danke", language="de-DE", style=2, premium=True)
    talk = {"action": "talk", "language": "de-DE", "style": 2, "premium": True}
    opening = ncco.opening(a_call(prompts=prompts), URLS)
    assert opening[0] == {**talk, "text": "Hallo", "bargeIn": True}
    assert ncco.reply(history(*keys(PIN), prompts=prompts), 1, URLS) == [{**talk, "text": "Danke"}]


def test_a_style_of_zero_and_premium_false_are_said() -> None:
    talk = ncco.opening(a_call(prompts=Prompts("Hi", style=0, premium=False)), URLS)[0]
    assert (talk["style"], talk["premium"]) == (0, False)


def test_the_input_takes_its_numbers_from_the_request() -> None:
    listen = ncco.opening(a_call(max_digits=20, input_timeout_s=1), URLS)[1]
    assert listen["dtmf"] == {"maxDigits": 20, "timeOut": 1, "submitOnHash": True}


@pytest.mark.parametrize(
    "actions",
    [
        ncco.opening(a_call(), URLS),
        ncco.opening(a_call(max_digits=20, input_timeout_s=10), URLS),
        ncco.opening(a_call(max_digits=1, input_timeout_s=1), URLS),
        ncco.opening(a_call(prompts=Prompts("t" * 1500, language="cmn-CN", style=0, premium=True)), URLS),
        ncco.reply(history(*keys("0")), 1, URLS),
        ncco.reply(history(*keys("*")), 1, URLS),
        ncco.reply(history(*keys(PIN)), 1, URLS),
        ncco.reply(history(*keys(PIN), prompts=Prompts("t", bye_text="b" * 1500)), 1, URLS),
    ],
)
def test_vonages_own_models_accept_every_action_and_know_every_key(actions: ncco.Ncco) -> None:
    assert actions != []
    assert judged_by_vonage(actions) == actions


@pytest.mark.parametrize("actions", [ncco.opening(a_call(), URLS), ncco.reply(history(*keys("0")), 1, URLS)])
def test_speech_that_keys_interrupt_is_followed_by_an_input(actions: ncco.Ncco) -> None:
    assert [action["action"] for action in actions] == ["talk", "input"]
    assert actions[0]["bargeIn"] is True


def test_the_goodbye_is_not_interrupted_since_no_input_follows() -> None:
    assert "bargeIn" not in ncco.reply(history(*keys(PIN)), 1, URLS)[0]


@pytest.mark.parametrize(
    ("prompts", "entries", "reply"),
    [
        (ALL_TEXTS, [PIN], [{"action": "talk", "text": "Thank you", "language": "en-US"}]),
        (ALL_TEXTS, ["0", PIN], [{"action": "talk", "text": "Thank you", "language": "en-US"}]),
        (ONE_TEXT, [PIN], []),
        (ALL_TEXTS, ["0"], question("Try again", step=2)),
        (ALL_TEXTS, [""], question("Are you there?", step=2)),
        (ALL_TEXTS, ["#"], question("Are you there?", step=2)),
        (ALL_TEXTS, ["", ""], question("Are you there?", step=3)),
        (ALL_TEXTS, ["", "0"], question("Try again", step=3)),
        (ALL_TEXTS, ["0", ""], question("Are you there?", step=3)),
        (WITHOUT_SILENCE_TEXT, [""], question("Enter the PIN", step=2)),
        (WITHOUT_SILENCE_TEXT, ["0"], question("Try again", step=2)),
        (WITHOUT_FAILED_TEXT, [""], question("Are you there?", step=2)),
        (WITHOUT_FAILED_TEXT, ["0"], question("Enter the PIN", step=2)),
        (ALL_TEXTS, ["0", "0"], question("Try again", step=3)),
        (ONE_TEXT, ["0"], question("Enter the PIN", step=2)),
        (ONE_TEXT, [""], question("Enter the PIN", step=2)),
        (ALL_TEXTS, ["*"], question("Enter the PIN", step=2)),
        (ALL_TEXTS, ["0", "*"], question("Enter the PIN", step=3)),
        (ALL_TEXTS, ["*", "*", "*", "*"], question("Try again", step=5)),
        (ALL_TEXTS, ["0", "0", "0"], []),
        (ALL_TEXTS, ["", "", ""], []),
        (ALL_TEXTS, ["9"], []),
        (ALL_TEXTS, ["0", "9"], []),
    ],
)
def test_what_follows_the_last_entry(prompts: Prompts, entries: list[str], reply: ncco.Ncco) -> None:
    assert ncco.reply(history(*keys(*entries), prompts=prompts), len(entries), URLS) == reply


@pytest.mark.parametrize("entries", [["0", "*", "", PIN], ["", "*", "*", "0", "0"], ["*", "9"], [PIN], ["0", "0"]])
def test_a_repeated_step_gets_its_first_reply_again_whatever_followed(entries: list[str]) -> None:
    first_replies = [ncco.reply(history(*keys(*entries[:step])), step, URLS) for step in range(1, len(entries) + 1)]
    later = history(*keys(*entries))
    assert [ncco.reply(later, step, URLS) for step in range(1, len(entries) + 1)] == first_replies


def test_a_step_that_is_not_judged_yet_gets_nothing() -> None:
    assert ncco.reply(history(*keys("0")), 2, URLS) == []


DECIDED_OR_OVER = {
    "right PIN": history(*keys(PIN)),
    "no try left": history(*keys("0", "0", "0")),
    "machine": history(MachineDetected(), machine_detection=MachineDetection.HANGUP),
    "busy": history(CallEnded(EndStatus.BUSY)),
    "in its grace period": history(*keys("0"), COMPLETED),
    "settled as hung up": history(*keys("0"), COMPLETED, GraceElapsed()),
    "settled as ok": history(*keys(PIN), COMPLETED),
    "expired": apply(a_call(), Overdue(a_call().due_at or NOW), NOW).call,
}


@pytest.mark.parametrize("call", DECIDED_OR_OVER.values(), ids=DECIDED_OR_OVER.keys())
def test_a_call_that_is_decided_or_over_opens_with_nothing(call: Call) -> None:
    assert ncco.opening(call, URLS) == []


@pytest.mark.parametrize("call", [a_call(), history(Placed("u")), history(Answered())])
def test_a_call_opens_the_same_however_far_vonage_has_come(call: Call) -> None:
    assert ncco.opening(call, URLS) == question("Enter the PIN", step=1)


@pytest.mark.parametrize("last", ["0", PIN])
def test_keys_of_the_grace_period_get_no_speech(last: str) -> None:
    assert ncco.reply(history(Answered(), COMPLETED, *keys(last)), 1, URLS) == []


def test_a_settled_call_replies_with_nothing_to_every_step() -> None:
    call = history(*keys("0", PIN), COMPLETED)
    assert [ncco.reply(call, step, URLS) for step in (1, 2, 3, 99)] == [[], [], [], []]


def test_a_machine_that_presses_keys_hears_nothing_more() -> None:
    call = history(*keys("0"), MachineDetected(), machine_detection=MachineDetection.HANGUP)
    assert ncco.reply(call, 1, URLS) == []
    assert ncco.reply(call, 2, URLS) == []


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (a_call(), {1}),
        (history(Answered()), {1}),
        (history(*keys("0")), {1, 2}),
        (history(*keys("0", "*")), {1, 2, 3}),
        (history(*keys("0", PIN)), {1, 2}),
        (history(*keys("0", "0", "0")), {1, 2, 3}),
        (history(*keys("0"), COMPLETED), {1, 2}),
        (history(*keys("0"), COMPLETED, GraceElapsed()), {1, 2, 3, 4, 5}),
    ],
)
def test_a_question_was_asked_up_to_the_open_one(call: Call, asked: set[int]) -> None:
    assert {step for step in range(-1, 6) if ncco.was_asked(call, step)} == asked


def test_webhook_urls_carry_the_tid_and_the_token() -> None:
    urls = ncco.WebhookUrls("http://localhost:8080", "t", "a b/c+d")
    assert urls.answer() == "http://localhost:8080/answer/t?token=a%20b/c%2Bd"
    assert urls.event() == "http://localhost:8080/event/t?token=a%20b/c%2Bd"
    assert urls.input(3) == "http://localhost:8080/input/t?token=a%20b/c%2Bd&step=3"


def test_the_token_is_not_in_the_repr_of_its_urls() -> None:
    assert TOKEN not in repr(URLS)
