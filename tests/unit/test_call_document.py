"""A call as a document: nothing is lost on the way there and back, and nonsense is told from a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW, PIN, TOKEN, a_call
from tests.histories import ANSWERED, DONE, live, typed
from ttsprompt.domain.model import (
    Call,
    CallbackTarget,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    Prompts,
    TimelineEntry,
    Verdict,
)
from ttsprompt.domain.verdict import Entry, Reason, Secrets
from ttsprompt.errors import CorruptRecordError
from ttsprompt.stores import codec
from ttsprompt.stores.codec import from_document, to_document

TID = a_call().tid
TIMES = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
TEXTS = st.text(max_size=20)
COUNTS = st.integers(min_value=0, max_value=2**31)
DETAILS = st.dictionaries(TEXTS.filter(lambda name: name not in {"at", "event"}), TEXTS | COUNTS, max_size=3)
LINES = st.builds(TimelineEntry, at=TIMES, event=TEXTS, details=DETAILS)
TRIES = st.builds(DeliveryAttempt, at=TIMES, http_status=st.none() | COUNTS, fault=st.none() | TEXTS)
CALLS = st.builds(
    Call,
    tid=st.just(TID),
    callback=st.none() | st.builds(CallbackTarget, method=..., format=...),
    due_at=st.none() | TIMES,
    created_at=TIMES,
    expire_at=TIMES,
    prompts=st.none()
    | st.builds(Prompts, bye_text=..., failed_text=..., silence_text=..., language=..., style=..., premium=...),
    secrets=st.none() | st.builds(Secrets, pin_mac=TEXTS, reject_mac=st.none() | TEXTS),
    reference=...,
    machine_detection=...,
    extension_s=...,
    fingerprint=...,
    secrets_fingerprint=...,
    human_heard=...,
    machine_heard=...,
    sip_code=...,
    redeliveries=...,
    redelivered_at=st.none() | TIMES,
    erased_at=st.none() | TIMES,
    state=...,
    uuid=...,
    placement_unclear=...,
    disconnected_by=...,
    duration_s=...,
    price=...,
    payload=...,
    verdict=st.none() | st.builds(Verdict, reason=st.sampled_from(Reason), decided_at=TIMES),
    entries=st.lists(st.sampled_from(Entry), max_size=5).map(tuple),
    answered_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
    settled_at=st.none() | TIMES,
    delivery=st.builds(
        Delivery,
        state=st.sampled_from(DeliveryState),
        attempts_made=COUNTS,
        tries=st.lists(TRIES, max_size=3).map(tuple),
        under_way_until=st.none() | TIMES,
    ),
    timeline=st.lists(LINES, max_size=3).map(tuple),
)
REQUIRED = (
    "application_id",
    "to",
    "attempts_allowed",
    "max_digits",
    "input_timeout_s",
    "ringing_timeout_s",
    "length_timer_s",
    "token_hash",
    "created_at",
    "expire_at",
)


@pytest.fixture(autouse=True)
def nothing_is_compiled_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ran before: a class is compiled when it is first written or read, and that is tested here too."""
    monkeypatch.setattr(codec, "_plans", {})


def values_in(value: Any) -> Iterator[Any]:
    """Yield every leaf of nested maps and lists."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from values_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from values_in(inner)
    else:
        yield value


@given(CALLS)
def test_any_call_comes_back_from_its_document_as_it_was(call: Call) -> None:
    assert from_document(TID, to_document(call)) == call


@given(CALLS)
def test_a_document_holds_plain_values_and_aware_times_and_no_none(call: Call) -> None:
    for value in values_in(to_document(call)):
        assert type(value) in {str, int, bool, datetime}
        assert not isinstance(value, datetime) or value.tzinfo is UTC


def test_what_the_stores_query_by_lies_at_the_top() -> None:
    call = a_call()
    document = to_document(call)

    assert (document["due_at"], document["expire_at"]) == (call.due_at, call.expire_at)


def test_what_settling_erased_is_absent() -> None:
    call = live([ANSWERED, typed(1, PIN), DONE])
    assert call.settled_at is not None

    assert not {"prompts", "pin_mac", "reject_mac"} & to_document(call).keys()


def test_neither_the_token_nor_the_keys_are_in_a_document() -> None:
    call = live([ANSWERED, typed(1, "7777"), typed(2, PIN)])

    assert not [secret for secret in (TOKEN, PIN, "7777") if secret in repr(to_document(call))]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_document_without_what_every_call_has_is_corrupt(name: str) -> None:
    document = to_document(a_call())
    del document[name]

    with pytest.raises(CorruptRecordError) as caught:
        from_document(TID, document)
    assert caught.value.tid == TID


@pytest.mark.parametrize("name", ["due_at", "state", "entries", "timeline", "reject_mac"])
def test_a_document_without_what_an_older_version_did_not_write_is_read(name: str) -> None:
    document = to_document(live([ANSWERED, typed(1, "7777")]))
    document.pop(name, None)

    assert from_document(TID, document).to == a_call().to


@pytest.mark.parametrize(
    ("name", "nonsense"),
    {
        "an unknown state": ("state", "dreaming"),
        "an unknown reason": ("reason", "bored"),
        "a verdict without its time": ("reason", "busy"),
        "an unknown entry": ("entries", ["guessed"]),
        "a time as text": ("created_at", "2026-01-01T12:00:00+00:00"),
        "a time without a zone": ("due_at", NOW.replace(tzinfo=None)),
        "a number in words": ("attempts_allowed", "three"),
        "a callback that is no map": ("callback", "https://example.com"),
        "a delivery that is no map": ("delivery", 3),
        "a line that is no map": ("timeline", ["created"]),
        "prompts without text": ("prompts", {"bye_text": "Thank you"}),
    }.values(),
)
def test_a_field_that_makes_no_sense_makes_a_document_corrupt(name: str, nonsense: object) -> None:
    with pytest.raises(CorruptRecordError):
        from_document(TID, to_document(a_call()) | {name: nonsense})


LATER = {"later": 1}


def test_fields_of_a_later_version_are_left_alone() -> None:
    call = replace(a_call(), prompts=Prompts(text="Enter the PIN"))
    document = to_document(call) | LATER
    for part in ("callback", "prompts", "delivery"):
        document[part] = document.get(part, {}) | LATER

    assert from_document(TID, document) == call


def test_fields_of_a_later_version_are_kept_also_in_parts_that_are_written_anew() -> None:
    tried = (DeliveryAttempt(NOW, 500, None), DeliveryAttempt(NOW + timedelta(minutes=1), None, "refused"))
    call = replace(a_call(), delivery=Delivery(DeliveryState.PENDING, 2, tried))
    later = to_document(call) | LATER
    for part in ("callback", "prompts", "delivery"):
        later[part] = later[part] | LATER
    later["delivery"]["tries"][1] |= LATER
    latest = DeliveryAttempt(NOW + timedelta(minutes=2), 200, None)
    after = replace(call, delivery=Delivery(DeliveryState.DELIVERED, 3, (tried[1], latest)), prompts=None)
    document = to_document(after, over=later)

    assert document["later"] == document["callback"]["later"] == document["delivery"]["later"] == 1
    assert [item.get("later") for item in document["delivery"]["tries"]] == [1, None]
    assert "prompts" not in document  # what is erased, is erased whole
    assert from_document(TID, document) == after


def test_what_goes_back_to_its_default_is_no_longer_in_the_document() -> None:
    before = replace(a_call(), placement_unclear=True, delivery=Delivery(DeliveryState.PENDING, 1), due_at=NOW)
    after = replace(before, placement_unclear=False, delivery=Delivery(), due_at=None)

    assert not {"placement_unclear", "delivery", "due_at"} & to_document(after, over=to_document(before)).keys()


@dataclass(frozen=True, slots=True)
class Mood:
    """A part of a part, with a single field."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Sip:
    """A part that a later version may have."""

    code: int
    headers: Mapping[str, Any]
    seen: tuple[Reason, ...] = ()
    at: datetime | None = None
    words: tuple[str, ...] = ()
    retried_at: tuple[datetime, ...] = ()
    mood: Mood | None = None


@dataclass(frozen=True, slots=True)
class LaterCall(Call):
    """A call of a later version: the codec is told nothing of its fields."""

    mood_text: str | None = None
    blamed: Reason | None = None
    tone: str = "plain"
    notes: tuple[Sip, ...] = ()
    sip: Sip | None = None


SIP = Sip(486, {"Reason": "Q.850"}, (Reason.BUSY,), NOW, ("busy", "here"), (NOW, NOW), Mood(NOW))
LATER_CALL = LaterCall(
    **{field.name: getattr(a_call(), field.name) for field in fields(Call)},
    mood_text="Hello?",
    blamed=Reason.MACHINE,
    tone="warm",
    notes=(SIP, SIP),
    sip=SIP,
)


def test_a_document_of_the_first_edition_is_read_by_the_names_it_has_in_its_parts_too() -> None:
    call = replace(LATER_CALL, attempts_allowed=5, delivery=Delivery(DeliveryState.PENDING, 2))
    document = to_document(call)
    document["tries_allowed"] = document.pop("attempts_allowed")
    document["delivery"]["tries_made"] = document["delivery"].pop("attempts_made")

    assert from_document(TID, document, LaterCall) == call


@pytest.mark.parametrize("is_text", [False, True], ids=["a list of maps", "a text"])
def test_a_field_that_is_added_to_the_class_comes_back_and_survives_an_earlier_version(
    monkeypatch: pytest.MonkeyPatch, *, is_text: bool
) -> None:
    monkeypatch.setattr(codec, "AS_TEXT", codec.AS_TEXT | ({Sip} if is_text else set()))
    call = LATER_CALL
    document = to_document(call)
    earlier = from_document(TID, document)

    assert isinstance(document["notes"], str) == is_text
    assert from_document(TID, document, LaterCall) == call
    assert earlier == a_call()
    written = to_document(earlier.noted(NOW, "changed"), over=document)
    assert from_document(TID, written, LaterCall) == replace(call, timeline=earlier.noted(NOW, "changed").timeline)


def test_a_field_whose_value_could_not_be_told_from_its_absence_is_refused_when_the_class_is_first_written() -> None:
    @dataclass(frozen=True, slots=True)
    class Ambiguous(Call):
        loud: bool | None = True

    @dataclass(frozen=True, slots=True)
    class Unwritable(Call):
        ratio: complex = 0j

    known = {field.name: getattr(a_call(), field.name) for field in fields(Call)}
    for kind, text in (
        (Ambiguous, "Ambiguous.loud: None could not be told from the default"),
        (Unwritable, "Unwritable.ratio: no way to write <class 'complex'>"),
    ):
        with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
            to_document(kind(**known))


def test_a_class_is_compiled_once() -> None:
    assert codec._plan(Call) is codec._plan(Call)


@pytest.mark.parametrize("words", [["busy", 486], ["busy", None], [["busy"]], 486])
def test_a_list_with_something_else_in_it_makes_a_document_corrupt(words: object) -> None:
    document = to_document(LATER_CALL)
    document["sip"]["words"] = words

    with pytest.raises(CorruptRecordError):
        from_document(TID, document, LaterCall)


def test_what_a_still_later_version_added_to_a_part_after_a_list_is_kept() -> None:
    call = replace(LATER_CALL, notes=(replace(SIP, headers={}),))
    document = to_document(call)
    document["sip"] |= LATER
    document["notes"][0] |= LATER
    written = to_document(call, over=document)

    assert (written["sip"], written["notes"]) == (document["sip"], document["notes"])


def test_what_a_later_version_added_to_a_part_is_kept_when_the_part_is_at_its_default_or_its_list_is_empty() -> None:
    tried = Delivery(DeliveryState.PENDING, 1, (DeliveryAttempt(NOW, 500, None),))
    later = to_document(replace(a_call(), delivery=tried))
    later["delivery"] |= LATER
    later["delivery"]["tries"][0] |= LATER

    assert to_document(replace(a_call(), delivery=replace(tried, tries=())), over=later)["delivery"] == {
        "state": "pending",
        "attempts_made": 1,
        **LATER,
    }
    assert to_document(a_call(), over=later)["delivery"] == LATER
