"""What is spoken: stripped of what nobody hears, SSML if it begins like markup, and never silence."""

from __future__ import annotations

import pytest

from tests.world import REQUEST
from ttsprompt.call_request import FIELDS, parse_call_request
from ttsprompt.domain.spoken_text import (
    has_digits_in_a_row,
    has_stray_ssml,
    means_ssml,
    says_something,
    ssml_fault,
    strip_invisible,
)
from ttsprompt.errors import InvalidFieldsError

TEXTS = tuple(name for name in FIELDS if name.endswith("text"))
GOOD = (
    "<speak>Enter your PIN.</speak>",
    '<speak>Your code: <break time="1s"/><say-as interpret-as="digits">12</say-as> &amp; more 🔑 שלום</speak>',
    '<speak xml:lang="en-US"><p><s>One.</s></p></speak>',
    '<speak><sub alias="one">...</sub></speak>',
    '<speak><phoneme alphabet="ipa" ph="wʌn"/></speak>',
)
BAD = {
    "<speak>Enter your PIN.": "line 1, column 23",
    "<speak>a & b</speak>": "line 1, column 11",
    "<speak>\n<break time=1s/></speak>": "line 2, column 13",
    "<speak>a</speak>b": "line 1, column 17",
    "<speak>a</speak><speak>b</speak>": "line 1, column 17",
    "<speaker>a</speaker>": "line 1, column 1",
    "<SPEAK>a</SPEAK>": "write it in lower case",
    "<speak>&nbsp;</speak>": "line 1, column 8",
    '<!DOCTYPE x [<!ENTITY a "b">]><speak>&a;</speak>': "character 1",
    "<!-- c --><speak>a</speak>": "character 1",
    '<?xml version="1.0"?><speak>a</speak>': "character 1",
    '<?XML version="1.0"?><speak>a</speak>': "character 1",
    "<![CDATA[<speak>a</speak>]]>": "character 1",
    "<speak><!-- c --></speak>": "character 8",
    "<speak><?php ?></speak>": "character 8",
    "<speak><!-- c --><!-- d --></speak>": "character 8",
}


def read(field: str, text: str) -> object:
    return getattr(parse_call_request(REQUEST | {field: text}, form=False, credentials_in_body=False), field)


def fault(field: str, text: str) -> tuple[str, str, str]:
    with pytest.raises(InvalidFieldsError) as raised:
        read(field, text)
    (only,) = raised.value.faults
    return only.field, only.code, only.message


@pytest.mark.parametrize("text", GOOD)
def test_well_formed_ssml_is_passed_through(text: str) -> None:
    assert means_ssml(text)
    assert read("text", text) == text


@pytest.mark.parametrize(("text", "position"), BAD.items())
def test_broken_ssml_is_refused_with_the_position(text: str, position: str) -> None:
    assert means_ssml(text)
    assert position in (ssml_fault(text) or "")


@pytest.mark.parametrize("field", TEXTS)
def test_every_spoken_field_is_checked(field: str) -> None:
    name, code, message = fault(field, "<speak>{a} & b</speak>")

    assert (name, code) == (field, "invalid_ssml")
    assert "line 1, column" in message
    assert fault(field, "...")[1] == "too_short"


def test_entities_that_grow_without_bound_are_never_expanded() -> None:
    bomb = (
        "<!DOCTYPE s [<!ENTITY a '"
        + "ha" * 50
        + "'>"
        + "".join(
            f"<!ENTITY {name} '{('&' + before + ';') * 10}'>" for before, name in zip("abcdef", "bcdefg", strict=True)
        )
    )

    assert fault("text", bomb + "]><speak>&g;</speak>")[1] == "invalid_ssml"
    assert not says_something(bomb + "]><speak>&g;</speak>")


@pytest.mark.parametrize(
    "around",
    [
        " ",
        "\n",
        "\t",
        "\ufeff",
        "\u200b",
        "\u00a0",
        "\u2028",
        "\u3000",
        "\u2060",
        "\u200e",
        "\u00ad",
        "\ufe0f",
        "\u3164",
    ],
)
@pytest.mark.parametrize("text", ["<speak>Hi</speak>", "Hi"])
def test_what_nobody_sees_is_cut_off_at_both_ends(around: str, text: str) -> None:
    assert read("text", f"{around}\ufeff {text}\u200b{around}") == text
    assert strip_invisible(around * 3) == ""


def test_what_is_invisible_inside_a_text_stays() -> None:
    """The joiners of emoji and of Persian words are such."""
    assert read("text", "👩\u200d🚒 می\u200cخواهم") == "👩\u200d🚒 می\u200cخواهم"


def test_a_text_that_was_too_long_by_blanks_alone_is_taken() -> None:
    assert read("text", "x" * 1500 + " \u200b") == "x" * 1500


def test_a_broken_text_behind_an_invisible_character_is_refused() -> None:
    assert fault("text", "\ufeff<speak>a & b</speak>")[1] == "invalid_ssml"


@pytest.mark.parametrize(
    "text",
    [
        *("", " \n\t\u3000", "\u200b", "...", "?!", "—", "🔑🔑", "\u2800", "\u3164\u115f", "\ufe0f", "a"[:0]),
        *("<speak></speak>", "<speak/>", "<speak> <break time='1s'/> </speak>", "<speak>...</speak>"),
        *("<break time='1s'/>", "<p></p>"),
    ],
)
def test_what_says_nothing_is_no_text(text: str) -> None:
    with pytest.raises(InvalidFieldsError) as raised:
        read("text", text)

    assert [fault.code for fault in raised.value.faults] in (["too_short"], ["required"])


@pytest.mark.parametrize("text", ["é", "7", "٣", "שלום", "你好", "½", "<speak>א</speak>", "<b>", "1 < 2"])
def test_a_letter_or_digit_of_any_script_is_something(text: str) -> None:
    assert says_something(text)


@pytest.mark.parametrize("text", ["1 < 2 & 3 > 2", "a <b> c", "use <speak> tags", "🔑 שלום", "x" * 1500, "<3 you"])
def test_text_that_is_no_ssml_may_say_anything(text: str) -> None:
    assert not means_ssml(text)
    assert read("text", text) == text


@pytest.mark.parametrize(
    ("text", "stray"),
    [
        ("Hello <break time='1s'/> there", True),
        ("Hello <BREAK/> there", True),
        ("a </prosody> b", True),
        ("<p>One.</p>", True),
        ("say <speak>hello</speak>", True),
        ("Tom &amp; Jerry", True),
        ("it&#39;s", True),
        ("< break time='1s' / >", True),
        ("<amazon:effect name='whispered'>x</amazon:effect>", True),
        ("it&#x27;s", True),
        ("<speak>Hello <break time='1s'/> there</speak>", False),
        ("<speak>Tom &amp; Jerry</speak>", False),
        ("1 < 2 > 0, a & b; c", False),
        ("<b>bold</b>", False),
        ("<person>", False),
    ],
)
def test_ssml_outside_speak_is_seen(text: str, *, stray: bool) -> None:
    assert has_stray_ssml(text) is stray


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Your code is 4711", True),
        ("call +447970513607", True),
        ("٤٧١١", True),
        ("<speak>Your code is 4711</speak>", True),
        ("<speak><p>4711</p></speak>", True),
        ("Your code is 4 7 1 1", False),
        ("Key 4, 7, 1, 1", False),
        ("at 10 o'clock, 24 hours", False),
        ("1,000 euros or 1.500", False),
        ("<speak>Wait <break time='500ms'/> now</speak>", False),
        ("<speak><say-as interpret-as='digits'>4711</say-as></speak>", False),
        ("<speak><say-as interpret-as='digits'>47</say-as><say-as interpret-as='digits'>4711</say-as></speak>", False),
        ("<speak><sub alias='one two three'>123</sub></speak>", False),
        ("<say-as interpret-as='digits'>4711</say-as>", True),  # outside of speak it is read out
    ],
)
def test_digits_that_would_be_read_as_one_number_are_seen(text: str, *, seen: bool) -> None:
    assert has_digits_in_a_row(text) is seen
