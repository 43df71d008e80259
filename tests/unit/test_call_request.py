"""The body of `POST /call`: what is accepted, and which faults the rest has."""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ttsprompt import call_request
from ttsprompt.call_request import FIELDS, LIBRARY_FAULTS, CallRequest, parse_call_request
from ttsprompt.domain.model import CallbackFormat, CallbackMethod, CallbackTarget, MachineDetection
from ttsprompt.errors import FieldFault, InvalidFieldsError

APP_ID = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
BODY: dict[str, Any] = {
    "to": "14155550100",
    "from": "14155550101",
    "text": "Enter your PIN",
    "pin_code": "1234",
    "callback": "https://example.com/callback?order=7",
}
TUTORIAL_FORM = {
    "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
    "app_id": APP_ID,
    "to": "447970513607",
    "from": "447520616161",
    "text": "'Enter the PIN'",
    "pin_code": "1234",
    "callback": "https://2bwz8nkbmfgc.runscope.net/callback",
    "callback_method": "post",
    "bye_text": "'Thank You'",
    "failed_text": "'Try again'",
}
TUTORIAL_JSON = {
    "to": "447970513607",
    "from": "447520616161",
    "text": "Enter the pin",
    "pin_code": "1234",
    "callback": "https://example.com/callback",
    "callback_method": "post",
    "bye_text": "thankyou",
    "failed_text": "try again",
}
REQUIRED = tuple(name for name, field in FIELDS.items() if field.is_required())


def parse(fields: dict[str, Any], *, form: bool = False, header: bool = True, private: bool = False) -> CallRequest:
    return parse_call_request(fields, form=form, credentials_in_body=not header, allow_private_callbacks=private)


def faults_of(fields: dict[str, Any], *, form: bool = False, header: bool = True) -> list[FieldFault]:
    with pytest.raises(InvalidFieldsError) as caught:
        parse(fields, form=form, header=header)
    return list(caught.value.faults)


def codes_of(fields: dict[str, Any], *, form: bool = False, header: bool = True) -> list[tuple[str, str]]:
    return sorted((fault.field, fault.code) for fault in faults_of(fields, form=form, header=header))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *[(name, value, "required") for name in REQUIRED for value in ("", None)],
        *[(name, 14155550102, "wrong_type") for name in (*REQUIRED, "reject_code", "reference", "language")],
        ("text", ["Hi"], "wrong_type"),
        ("callback", {"url": "https://example.com"}, "wrong_type"),
        ("pin_code", True, "wrong_type"),
        ("to", "+1 (415) 555/0102", "invalid_number"),
        ("to", "tel:1415-555-0102", "invalid_number"),
        ("to", "+44 07970 123456", "invalid_number"),
        ("from", "+1 253 0000", "invalid_number"),
        ("from", "+1 (415) 555-01.00", "same_number"),
        ("to", "++14155550102", "invalid_number"),
        ("to", "14155550102+", "invalid_number"),
        ("to", "14155550102\n", "invalid_number"),
        ("to", "١٤١٥٥٥٥٠١٠٢", "invalid_number"),
        ("to", "１４１５５５５０１０２", "invalid_number"),
        ("to", "0014155550102", "invalid_number"),
        ("to", "123456", "invalid_number"),
        ("to", "1234567890123456", "invalid_number"),
        ("to", "4930123456789012", "invalid_number"),  # possible in Germany, too long for E.164
        ("to", "442345", "invalid_number"),  # possible in Britain, too short for us
        ("to", "1415555", "invalid_number"),
        ("to", "9990000000", "invalid_number"),
        ("from", "Example Ltd", "invalid_number"),
        ("from", "14155550100", "same_number"),
        ("from", "+1 415 555 0100", "same_number"),
        ("text", " \n\t\u3000", "too_short"),
        ("text", "x" * 1501, "too_long"),
        ("text", "bell \x07", "invalid_text"),
        ("text", "next line \x85", "invalid_text"),
        ("text", "half a pair \ud83d", "wrong_type"),
        ("bye_text", "x" * 1501, "too_long"),
        ("bye_text", "\x00", "invalid_text"),
        ("failed_text", "x" * 1501, "too_long"),
        ("failed_text", "   ", "too_short"),
        ("silence_text", "x" * 1501, "too_long"),
        ("silence_text", "\x00", "invalid_text"),
        ("silence_text", "...", "too_short"),
        ("silence_text", "<speak>", "invalid_ssml"),
        ("pin_code", "1" * 21, "too_long"),
        ("pin_code", "12a4", "invalid_pin"),
        ("pin_code", "12 4", "invalid_pin"),
        ("pin_code", "1234#", "invalid_pin"),
        ("pin_code", "1234\n", "invalid_pin"),
        ("pin_code", "١٢٣٤", "invalid_pin"),
        ("pin_code", "²", "invalid_pin"),
        ("reject_code", "12345", "too_long"),
        ("reject_code", "*", "invalid_pin"),
        ("reject_code", "1", "prefix_of_pin"),
        ("reject_code", "1234", "prefix_of_pin"),
        ("callback_method", "PUT", "invalid_choice"),
        ("callback_method", "poſt", "invalid_choice"),  # upper() makes POST of it
        ("callback_method", 1, "invalid_choice"),
        ("callback_method", [], "invalid_choice"),
        ("callback_format", "xml", "invalid_choice"),
        ("callback_format", "JSON", "invalid_choice"),
        ("machine_detection", "true", "invalid_choice"),
        ("machine_detection", "HANGUP", "invalid_choice"),
        ("attempts", 0, "out_of_range"),
        ("attempts", 11, "out_of_range"),
        ("attempts", 10**400, "out_of_range"),
        ("attempts", "3", "wrong_type"),
        ("attempts", True, "wrong_type"),
        ("attempts", 3.5, "wrong_type"),
        ("attempts", 1e400, "wrong_type"),
        ("attempts", 11.0, "out_of_range"),
        ("input_timeout", 0, "out_of_range"),
        ("input_timeout", 11, "out_of_range"),
        ("ringing_timeout", 9, "out_of_range"),
        ("ringing_timeout", 121, "out_of_range"),
        ("style", -1, "out_of_range"),
        ("style", 1000, "out_of_range"),
        ("style", False, "wrong_type"),
        ("premium", 1, "wrong_type"),
        ("premium", "true", "wrong_type"),
        ("language", "en_US", "invalid_language"),
        ("language", "e", "invalid_language"),
        ("language", "en-", "invalid_language"),
        ("language", "en-US\n", "invalid_language"),
        ("language", "en--US", "invalid_language"),
        ("language", "en-u", "invalid_language"),
        ("language", "english", "invalid_language"),
        ("language", "en-" + "-".join(["abcdefgh"] * 4), "too_long"),
        ("reference", "x" * 256, "too_long"),
        ("reference", "esc \x1b", "invalid_text"),
        ("txet", "Hi", "unknown_field"),
        ("from_", "14155550101", "unknown_field"),
        ("", "nameless", "unknown_field"),
    ],
)
def test_a_broken_rule_is_reported_under_its_code(field: str, value: object, code: str) -> None:
    assert codes_of(BODY | {field: value}) == [(field, code)]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://user@example.com/", "invalid_url"),
        ("https://example.com/?tid=x", "reserved_query_name"),
        ("http://127.0.0.1/", "private_address"),
    ],
)
def test_a_callback_that_may_not_be_called_is_a_fault_like_the_others(url: str, code: str) -> None:
    assert codes_of(BODY | {"callback": url}) == [("callback", code)]


def test_private_callbacks_can_be_allowed() -> None:
    assert parse(BODY | {"callback": "http://127.0.0.1:9000/"}, private=True).callback == "http://127.0.0.1:9000/"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "x" * 1500),
        ("text", "one\r\n\ttwo"),
        ("text", "<speak>Hi <break time='1s'/></speak>"),
        ("bye_text", "x" * 1500),
        ("failed_text", "é"),
        ("callback", "HTTPS://EXAMPLE.COM/Path?order=7&x=%2f&y"),
        ("pin_code", "1"),
        ("pin_code", "0" * 20),
        ("reject_code", "9"),
        ("reject_code", "1235"),
        ("attempts", 1),
        ("attempts", 10),
        ("input_timeout", 1),
        ("input_timeout", 10),
        ("ringing_timeout", 10),
        ("ringing_timeout", 120),
        ("style", 0),
        ("style", 999),
        ("premium", False),
        ("language", "cmn-CN"),
        ("language", "en-GB-WLS"),
        ("language", "es-419"),
        ("language", "zh-Hans-CN"),
        ("language", "de-DE-1996"),
        ("language", "de-DE-u-co-phonebk"),
        ("language", "EN-us"),
        ("reference", "x" * 255),
    ],
)
def test_a_value_at_its_limit_is_kept_as_given(field: str, value: object) -> None:
    assert getattr(parse(BODY | {field: value}), field) == value


@pytest.mark.parametrize(("pin", "reject"), [("1234", "12"), ("9", "98"), ("98", "98")])
def test_neither_code_may_begin_the_other(pin: str, reject: str) -> None:
    assert codes_of(BODY | {"pin_code": pin, "reject_code": reject}) == [("reject_code", "prefix_of_pin")]


@pytest.mark.parametrize("number", ["+447970513607", "44 7970 513607", " + 44 7970 513607 "])
def test_plus_and_spaces_in_a_number_are_dropped(number: str) -> None:
    request = parse(BODY | {"to": number, "from": number.replace("7970", "7971")})

    assert (request.to, request.from_) == ("447970513607", "447971513607")


@pytest.mark.parametrize("value", ["GET", "get", "Get"])
def test_the_callback_method_may_be_in_any_case(value: str) -> None:
    assert parse(BODY | {"callback_method": value}).callback_method is CallbackMethod.GET


def test_what_is_left_out_has_its_default() -> None:
    request = parse(BODY)

    assert request.model_dump(exclude=set(BODY) | {"from_"}, exclude_none=True) == {
        "callback_method": CallbackMethod.POST,
        "attempts": 3,
        "language": "en-US",
        "input_timeout": 10,
        "ringing_timeout": 45,
        "callback_format": CallbackFormat.FORM,
        "dry_run": False,
    }


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_optional_field_counts_as_absent(empty: str | None) -> None:
    optional = [name for name, field in FIELDS.items() if not field.is_required() and name not in BODY]

    assert parse(BODY | dict.fromkeys(optional, empty)) == parse(BODY)


@pytest.mark.parametrize("empty", ["", None])
def test_without_a_callback_there_is_no_target(empty: str | None) -> None:
    request = parse(BODY | {"callback": empty})

    assert (request.callback, request.target()) == (None, None)
    assert parse(BODY).target() == CallbackTarget(BODY["callback"])


@pytest.mark.parametrize("option", [{"callback_method": "GET"}, {"callback_format": "json"}])
@pytest.mark.parametrize("empty", ["", None])
def test_how_the_outcome_is_sent_is_not_said_without_where(option: dict[str, str], empty: str | None) -> None:
    assert codes_of(BODY | {"callback": empty} | option) == [("callback", "required")]


@pytest.mark.parametrize("extension", ["1", "pp204#", "*#0123456789p", "p" * 32])
def test_an_extension_is_keys_and_pauses(extension: str) -> None:
    assert parse(BODY | {"extension": extension}).extension == extension


@pytest.mark.parametrize(
    ("extension", "code"),
    [
        ("P1", "invalid_extension"),
        ("1,2", "invalid_extension"),
        ("w1", "invalid_extension"),
        ("1 2", "invalid_extension"),
        ("１", "invalid_extension"),
        ("1\n", "invalid_extension"),
        ("1" * 33, "too_long"),
        (204, "wrong_type"),
    ],
)
def test_an_extension_is_nothing_else(extension: object, code: str) -> None:
    assert codes_of(BODY | {"extension": extension}) == [("extension", code)]


@pytest.mark.parametrize(
    "usual",
    [{}, {"attempts": 3}, {"callback_method": "post"}, {"bye_text": ""}, {"language": "en-US"}, {"dry_run": False}],
)
def test_a_field_at_its_default_is_as_good_as_not_given(usual: dict[str, object]) -> None:
    given = parse(BODY | usual).given()

    assert given == parse(BODY).given()
    assert given.keys() == BODY.keys() - {"callback_method"} - set(usual)


@pytest.mark.parametrize("field", ["attempts", "style", "input_timeout"])
def test_three_may_be_written_as_three_point_nought(field: str) -> None:
    """JSON has one kind of numbers."""
    value = getattr(parse(BODY | {field: 3.0}), field)

    assert (value, type(value)) == (3, int)


def test_the_choices_are_read() -> None:
    request = parse(BODY | {"machine_detection": "continue", "callback_format": "json"})

    assert (request.machine_detection, request.callback_format) == (MachineDetection.CONTINUE, CallbackFormat.JSON)


def test_form_values_are_read_as_what_the_field_wants() -> None:
    request = parse(BODY | {"attempts": "5", "style": "2", "premium": "true", "ringing_timeout": "60"}, form=True)

    assert (request.attempts, request.style, request.premium, request.ringing_timeout) == (5, 2, True, 60)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("false", False), ("True", True)])
def test_a_form_spells_a_truth_value_in_words_or_bits(text: str, *, value: bool) -> None:
    assert parse(BODY | {"premium": text}, form=True).premium is value


@pytest.mark.parametrize("text", ["yes", "on", "t", "2", " true", "off", "01"])
def test_a_form_spells_a_truth_value_in_no_other_way(text: str) -> None:
    assert codes_of(BODY | {"premium": text}, form=True) == [("premium", "wrong_type")]


@pytest.mark.parametrize("text", ["three", "1_0", "3.0", " 3", "0x3", "1e0", "٣", "+", "true"])
def test_a_form_spells_a_whole_number_in_plain_digits(text: str) -> None:
    assert codes_of(BODY | {"attempts": text}, form=True) == [("attempts", "wrong_type")]


@pytest.mark.parametrize("field", ["attempts", "style", "input_timeout", "ringing_timeout"])
def test_every_whole_number_in_a_form_is_read_so(field: str) -> None:
    assert codes_of(BODY | {field: "1_0"}, form=True) == [(field, "wrong_type")]


def test_a_form_number_of_thousands_of_digits_is_a_fault() -> None:
    assert [field for field, _ in codes_of(BODY | {"attempts": "9" * 5000}, form=True)] == ["attempts"]


def test_the_form_example_in_the_tutorial_is_accepted() -> None:
    request = parse(TUTORIAL_FORM, form=True, header=False)

    assert (request.text, request.callback_method) == ("'Enter the PIN'", CallbackMethod.POST)
    assert (request.private_key, request.app_id) == (TUTORIAL_FORM["private_key"], APP_ID)


def test_the_json_example_in_the_tutorial_is_accepted() -> None:
    assert parse(TUTORIAL_JSON).failed_text == "try again"


def test_every_fault_is_reported_at_once() -> None:
    body = {
        "to": 14155550100,
        "from": "x",
        "text": " ",
        "pin_code": "12a4",
        "callback": "http://10.0.0.1/",
        "callback_method": "PUT",
        "bye_text": "\x00",
        "failed_text": 1,
        "attempts": 11,
        "reject_code": "12345",
        "language": "?",
        "style": -1,
        "premium": "yes",
        "input_timeout": 0,
        "ringing_timeout": 9,
        "machine_detection": "x",
        "callback_format": "x",
        "reference": "x" * 256,
        "private_key": 1,
        "app_id": "x",
        "nonsense": "",
        "\ud800": 1,
    }

    fields = [field for field, _ in codes_of(body, header=False)]

    assert fields == sorted({*body} - {"\ud800"} | {""})


def test_an_empty_body_lacks_all_that_is_required() -> None:
    assert codes_of({}) == sorted((name, "required") for name in REQUIRED)


def test_a_name_that_is_not_unicode_hides_no_other_fault() -> None:
    assert codes_of(BODY | {"x\ud800": 1, "attempts": 11}) == [("attempts", "out_of_range"), ("x", "unknown_field")]


def test_an_unknown_field_is_refused_even_when_empty() -> None:
    assert codes_of(BODY | {"nonsense": ""}) == [("nonsense", "unknown_field")]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("txet", "text"), ("pincode", "pin_code"), ("from_", "from"), ("callback_url", "callback"), ("To", "to")],
)
def test_the_name_that_was_probably_meant_is_suggested(name: str, meant: str) -> None:
    (fault,) = faults_of(BODY | {name: "x"})

    assert f"Did you mean {meant}?" in fault.message


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("q" * 100, "q" * 32),
        ("x\x1b\n", "x"),
        ("\x1b\nq", ""),
        ("73946182055", ""),
        ('{"pin_code": "73946182055"}', ""),
    ],
)
def test_of_an_unknown_name_only_what_looks_like_one_is_shown(name: str, shown: str) -> None:
    (fault,) = faults_of(BODY | {name: "x"})

    assert fault.field == shown
    assert ("content type" in fault.message) is (shown == "")


@pytest.mark.parametrize("name", ["to", "pin_code"])
def test_a_number_where_text_is_wanted_is_answered_with_the_remedy(name: str) -> None:
    (fault,) = faults_of(BODY | {name: 1234})

    assert "a string in double quotes" in fault.message


def test_faults_of_the_raw_body_are_reported_with_the_rest_and_once() -> None:
    repeated = FieldFault("to", "repeated", "This field is given more than once.")
    with pytest.raises(InvalidFieldsError) as caught:
        parse_call_request(BODY | {"to": "x", "attempts": "0"}, form=True, faults=[repeated], credentials_in_body=False)

    assert [(f.field, f.code) for f in caught.value.faults] == [("to", "repeated"), ("attempts", "out_of_range")]


def test_a_fault_of_the_raw_body_alone_refuses_the_request() -> None:
    repeated = FieldFault("text", "repeated", "This field is given more than once.")
    with pytest.raises(InvalidFieldsError):
        parse_call_request(BODY, form=True, faults=[repeated], credentials_in_body=False)


@pytest.mark.parametrize(
    ("given_fields", "missing"),
    [
        ({}, [("app_id", "required"), ("private_key", "required")]),
        ({"private_key": "k"}, [("app_id", "required")]),
        ({"app_id": APP_ID}, [("private_key", "required")]),
    ],
)
def test_key_and_application_are_needed_together(given_fields: dict[str, str], missing: list[tuple[str, str]]) -> None:
    assert codes_of(BODY | given_fields, header=False) == missing


@pytest.mark.parametrize(
    "app_id",
    ["x", f"{{{APP_ID}}}", f"urn:uuid:{APP_ID}", APP_ID.replace("-", ""), "６" + APP_ID[1:], APP_ID + "\n"],
)
def test_an_application_id_is_a_plainly_written_uuid(app_id: str) -> None:
    body = BODY | {"private_key": "k", "app_id": app_id}

    assert codes_of(body, header=False) == [("app_id", "invalid_application_id")]


def test_a_private_key_over_16_kib_is_refused() -> None:
    body = BODY | {"private_key": "k" * 16385, "app_id": APP_ID}

    assert codes_of(body, header=False) == [("private_key", "too_long")]


@pytest.mark.parametrize("junk", [1, "x" * 20000, [], "\ud800"])
def test_beside_a_header_the_bodys_credentials_are_not_even_looked_at(junk: object) -> None:
    request = parse(BODY | {"private_key": junk, "app_id": junk})

    assert (request.private_key, request.app_id) == (None, None)


@pytest.mark.parametrize(("pin", "reject", "longest"), [("1", None, 1), ("12", "9", 2), ("1", "999", 3)])
def test_a_question_takes_as_many_keys_as_the_longer_code(pin: str, reject: str | None, longest: int) -> None:
    assert parse(BODY | {"pin_code": pin, "reject_code": reject}).max_digits == longest


def test_requests_that_mean_the_same_normalise_to_the_same() -> None:
    spelled_out = {
        "reference": "",
        "language": "en-US",
        "attempts": "3",
        "callback_method": "post",
        "from": "+1 415 555 0101",
        "private_key": "k",
        "app_id": APP_ID,
    }

    told = parse(BODY | spelled_out, form=True, header=False).normalised()

    assert list(told.items()) == list(parse(BODY).normalised().items())


@pytest.mark.parametrize(
    ("field", "value"), [("pin_code", "1235"), ("text", "Other"), ("attempts", 4), ("from", "14155550109")]
)
def test_requests_that_differ_normalise_differently(field: str, value: object) -> None:
    assert parse(BODY | {field: value}).normalised() != parse(BODY).normalised()


def test_the_normalised_fields_hold_the_pin_and_no_credential() -> None:
    told = parse(TUTORIAL_FORM, form=True, header=False).normalised()

    assert told["pin_code"] == "1234"
    assert {"private_key", "app_id"}.isdisjoint(told)


def test_a_request_shows_nothing_confidential_of_itself() -> None:
    body = TUTORIAL_FORM | {"reject_code": "98", "silence_text": "Are you there?", "reference": "for alice"}
    shown = repr(parse(body, form=True, header=False))
    # Not the whole values: one may be shown within other quotes, or with its line ends as code has them.
    pieces = ("MIIE", "Enter the PIN", "Thank You", "Try again", "Are you there", "runscope", "for alice", "1234", "98")

    assert not [piece for piece in (*pieces, body["to"], body["from"], APP_ID) if piece in shown]
    assert "attempts=3" in shown


def test_a_request_cannot_be_changed() -> None:
    request = parse(BODY)

    with pytest.raises(ValidationError):
        request.attempts = 4


RAISED_BY = {
    "bool": {"bool_type", "bool_parsing"},
    "default": set(),
    "enum": set(),  # `OneOf` hands it a member
    "function-after": set(),  # our rules raise nothing but faults of ours
    "function-before": set(),
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float", "finite_number"},
    "model": set(),  # it is handed a dict
    "model-field": set(),
    "model-fields": {"missing"},
    "no-info": set(),
    "nullable": set(),
    "str": {"string_type", "string_unicode"},
    "with-info": set(),
}
"""A part of the library's schema → what it raises, limits aside (pydantic_core's error types)."""

LIMITS = {
    "ge": "greater_than_equal",
    "le": "less_than_equal",
    "min_length": "string_too_short",
    "max_length": "string_too_long",
}
NO_RULE = {"type", "metadata", "ref", "serialization"}


def raised_by(node: Any) -> set[str]:
    """Return every kind of error that a part of the library's schema can raise; an unknown part fails."""
    if isinstance(node, list | tuple):
        return {kind for child in node for kind in raised_by(child)}
    if not isinstance(node, dict):
        return set()
    kinds = {kind for key, child in node.items() if key not in {"metadata", "members"} for kind in raised_by(child)}
    kind = node.get("type")
    if isinstance(kind, str):
        kinds |= RAISED_BY[kind]
        if kind in {"str", "int", "bool"}:
            kinds |= {LIMITS[rule] for rule in node.keys() - NO_RULE}
    return kinds


def test_every_error_of_the_library_that_the_model_can_raise_has_a_code_of_ours() -> None:
    assert raised_by(CallRequest.__pydantic_core_schema__) == LIBRARY_FAULTS.keys()


def test_every_code_is_documented() -> None:
    columns = [line[4:].partition("  ")[0] for line in (call_request.__doc__ or "").splitlines()]
    documented = {code for column in columns for code in column.split(", ")}
    (broken_rules,) = vars(test_a_broken_rule_is_reported_under_its_code)["pytestmark"]

    assert {code for code, _ in LIBRARY_FAULTS.values()} <= documented
    assert {code for _, _, code in broken_rules.args[1]} <= documented


def test_what_the_callee_hears_is_all_taken_over() -> None:
    spoken = {"text": "A", "bye_text": "B", "failed_text": "C", "language": "de-DE", "style": 2, "premium": True}
    heard = dataclasses.asdict(parse(BODY | spoken).prompts())

    assert heard == heard | spoken


AWKWARD = [*"aT01+-./:@#%?&=[]\\ \n\x00\x85é٣😀\ud800", "http://", "1415555", "example.com", "x" * 300]
TEXTS = st.lists(st.sampled_from(AWKWARD), max_size=8).map("".join)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(list(FIELDS))


@given(
    fields=st.dictionaries(NAMES | TEXTS, JSON_VALUES, max_size=12),
    on_top_of_a_good_body=st.booleans(),
    form=st.booleans(),
    header=st.booleans(),
)
def test_any_json_object_is_a_request_or_a_list_of_faults(
    fields: dict[str, Any], *, on_top_of_a_good_body: bool, form: bool, header: bool
) -> None:
    try:
        parse(BODY | fields if on_top_of_a_good_body else fields, form=form, header=header)
    except InvalidFieldsError as error:
        names = [fault.field for fault in error.faults]
        assert names
        assert len(names) == len(set(names))


@given(secret=st.text("QZ@~^", min_size=6, max_size=12))
def test_no_message_quotes_a_value(secret: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        parse(dict.fromkeys(FIELDS, secret + "\x00"), header=False)

    assert secret not in str(caught.value) + repr(caught.value.faults)
    assert quote(secret) not in repr(caught.value.faults)


@given(pin=st.from_regex(r"[0-9]{18,20}[a-z]", fullmatch=True), number=st.from_regex(r"[0-9]{17,30}", fullmatch=True))
def test_no_message_quotes_a_pin_or_a_number(pin: str, number: str) -> None:
    told = repr(faults_of(BODY | {"pin_code": pin, "to": number, "from": number}))

    assert pin[:-1] not in told
    assert number not in told


def test_a_repeat_is_compared_by_public_names_without_credentials_and_defaults() -> None:
    given = parse(TUTORIAL_FORM, form=True, header=False).given()

    assert given == {
        name: TUTORIAL_FORM[name] for name in ("to", "from", "text", "pin_code", "callback", "bye_text", "failed_text")
    }
    assert "from" in given


def test_the_request_is_said_back_in_plain_json_under_its_public_names() -> None:
    said = parse(BODY | {"machine_detection": "hangup", "callback_format": "json"}).normalised()

    assert said.keys() == FIELDS.keys() - {"private_key", "app_id", "dry_run"}
    assert {type(value) for value in said.values()} <= {str, int, bool, type(None)}
    assert (said["machine_detection"], said["callback_format"], said["from"]) == ("hangup", "json", BODY["from"])


def test_the_outcome_goes_where_and_how_the_request_says() -> None:
    target = parse(BODY | {"callback_method": "post", "callback_format": "json"}).target()

    assert target == CallbackTarget(BODY["callback"], CallbackMethod.POST, CallbackFormat.JSON)


def test_without_being_told_otherwise_a_body_needs_credentials_and_a_public_callback() -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        parse_call_request(BODY | {"callback": "http://127.0.0.1/"}, form=False)

    assert {(fault.field, fault.code) for fault in caught.value.faults} == {
        ("private_key", "required"),
        ("app_id", "required"),
        ("callback", "private_address"),
    }


def test_a_callback_that_is_missing_where_its_method_is_given_is_one_fault_whatever_else_is_wrong_with_it() -> None:
    fields = {name: value for name, value in BODY.items() if name != "callback"} | {"callback_method": "POST"}
    repeated = FieldFault("callback", "repeated", "This field came twice.")

    (fault,) = faults_of(fields)
    assert (fault.field, fault.code, "need a URL" in fault.message) == ("callback", "required", True)
    with pytest.raises(InvalidFieldsError) as caught:
        parse_call_request(fields, form=False, faults=[repeated], credentials_in_body=False)
    assert list(caught.value.faults) == [repeated]


@pytest.mark.parametrize(("count", "rest"), [(20, []), (21, ["1 more"]), (25, ["5 more"])])
def test_twenty_unknown_fields_are_named_and_the_others_counted(count: int, rest: list[str]) -> None:
    found = faults_of(BODY | {f"x{number}": 1 for number in range(count)})

    assert len([fault for fault in found if fault.field]) == 20
    others = [fault for fault in found if not fault.field]
    assert [fault.code for fault in others] == ["unknown_field"] * len(rest)
    assert all(text in fault.message for text, fault in zip(rest, others, strict=True))
