"""Everything that happens has a type, which says what it is to people and to programs."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from devphone.happenings import (
    HAPPENING,
    AnyHappening,
    CallbackReceived,
    CalleeHungUp,
    CallEnded,
    CallRang,
    CallRejected,
    CallRequested,
    ExtensionKeyed,
    HangUpRequested,
    Happening,
    Keyed,
    NccoRefused,
    Party,
    PickedUp,
    RequestAnswered,
    RequestPosted,
    Spoken,
    Swept,
    WebhookSent,
)
from devphone.telling import tell

PIN = "86420"
WEBHOOK: dict[str, Any] = {
    "url": "https://s.example/base/input/t-1?token=hush&step=2",
    "body": {"dtmf": {"digits": PIN}},
}
CALLBACK: dict[str, Any] = {
    "method": "POST",
    "url": "http://127.0.0.1/callback",
    "headers": {"webhook-id": "t-1"},
    "body": "status=ok",
    "fields": {"status": "ok", "reason": "pin_matched"},
    "id": "t-1",
    "sha256": "0",
}

EXAMPLES: list[tuple[Happening, str, str, bool]] = [
    (
        RequestPosted(at_s=1, url="u", number="44", body={"pin_code": PIN}),
        "you → service",
        "posts a request to 44",
        False,
    ),
    (
        RequestAnswered(at_s=1, number="44", status=422, seconds=0.1, code="invalid_fields", body={}),
        "service → you",
        "answers you invalid_fields → 422",
        True,
    ),
    (
        CallRequested(at_s=1, number="44", status=201, order={"to": []}),
        "service → vonage",
        "asks for a call to 44 → 201",
        False,
    ),
    (CallRequested(at_s=1, status=400, faults=["/to: is missing"]), "service → vonage", "asks for a call → 400", True),
    (CallRequested(at_s=1, number="44", status=None), "service → vonage", "asks for a call to 44 → no answer", True),
    (HangUpRequested(at_s=1, status=400), "service → vonage", "asks to hang up → 400", True),
    (CallRang(at_s=1), "vonage → callee", "rings", False),
    (PickedUp(at_s=1), "callee → vonage", "picks up", False),
    (ExtensionKeyed(at_s=1, keys=PIN), "vonage → callee", "keys the extension •••••", False),
    (CallRejected(at_s=1), "callee → vonage", "rejects the call", False),
    (CalleeHungUp(at_s=1), "callee → vonage", "hangs up", False),
    (Spoken(at_s=1, text="Hello", language="en-US"), "vonage → callee", "says “Hello”", False),
    (Keyed(at_s=1, keys=PIN), "callee → vonage", "keys •••••", False),
    (Keyed(at_s=1, keys=""), "callee → vonage", "keys nothing", False),
    (CallEnded(at_s=1, status="completed", by="user"), "vonage → callee", "ends the call by user → completed", False),
    (NccoRefused(at_s=1, faults=["/0: must be"]), "vonage → service", "refuses the NCCO", True),
    (
        WebhookSent(at_s=1, webhook="input", status=200, sends=2, reply=[], **WEBHOOK),
        "vonage → service",
        "reports the keys /input step 2 sent 2 times → 200",
        False,
    ),
    (
        WebhookSent(at_s=1, webhook="event", event="answered", status=None, fault="ReadTimeout", sends=1, **WEBHOOK),
        "vonage → service",
        "reports answered /input step 2 → ReadTimeout",
        True,
    ),
    (
        CallbackReceived(at_s=1, verified=True, answer=204, **CALLBACK),
        "service → you",
        "calls back POST ok pin_matched signature verified → 204",
        False,
    ),
    (
        CallbackReceived(at_s=1, verified=False, answer=204, **CALLBACK),
        "service → you",
        "calls back POST ok pin_matched signature WRONG → 204",
        True,
    ),
    (
        CallbackReceived(at_s=1, verified=None, answer=500, **CALLBACK),
        "service → you",
        "calls back POST ok pin_matched signature not checked → 500",
        True,
    ),
    (
        Swept(at_s=1, from_=Party.YOU, status=200, counts={"expired": 0, "delivered": 2}, seconds=0.1),
        "you → service",
        "sweeps 2 delivered → 200",
        False,
    ),
]


def test_every_kind_has_an_example() -> None:
    union, _ = get_args(AnyHappening)

    assert {type(happening) for happening, *_ in EXAMPLES} == set(get_args(union))


@pytest.mark.parametrize(("happening", "way", "words", "is_fault"), EXAMPLES)
def test_a_happening_knows_its_way_and_its_words(happening: Happening, way: str, words: str, is_fault: bool) -> None:
    told = tell(happening)
    result = [] if told.result is None else [f"→ {told.result}"]

    assert f"{happening.from_} → {happening.to}" == way
    assert " ".join([told.words, *told.facts, *result]) == words
    assert told.is_fault is is_fault
    assert PIN not in repr(told)
    assert "hush" not in repr(told)


@pytest.mark.parametrize("happening", [happening for happening, *_ in EXAMPLES])
def test_a_happening_is_the_same_after_a_way_through_json(happening: Happening) -> None:
    assert HAPPENING.validate_python(json.loads(json.dumps(happening.as_dict()))) == happening


def test_a_callback_is_told_with_its_url_headers_and_signature() -> None:
    told = tell(CallbackReceived(at_s=1, verified=True, answer=204, **CALLBACK))

    assert list(told.bodies) == ["URL", "Headers", "Signature", "Fields"]
