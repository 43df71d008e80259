"""SSML is passed through when it is well formed, and refused with the position when it is not."""

from __future__ import annotations

import pytest

from tests.world import REQUEST
from ttsprompt.call_request import parse_call_request
from ttsprompt.domain.ssml import is_ssml, ssml_fault
from ttsprompt.errors import InvalidFieldsError

GOOD = (
    "<speak>Enter your PIN.</speak>",
    '  <speak>Your code: <break time="1s"/><say-as interpret-as="digits">12</say-as> &amp; more 🔑 שלום</speak>\n',
    "<speak/>",
    '<speak xml:lang="en-US"><p><s>One.</s></p></speak>',
)
BAD = {
    "<speak>Enter your PIN.": "line 1, column 23",
    "<speak>a & b</speak>": "line 1, column 11",
    "<speak>\n<break time=1s/></speak>": "line 2, column 13",
    "<speak>a</speak>b": "line 1, column 17",
    "<speak>a</speak><speak>b</speak>": "line 1, column 17",
    "<speaker>a</speaker>": "line 1, column 1",
    "<speak>&nbsp;</speak>": "line 1, column 8",
    '<!DOCTYPE x [<!ENTITY a "b">]><speak>&a;</speak>': "character 1",
    "<speak><!-- c --></speak>": "character 8",
    "<speak><?php ?></speak>": "character 8",
    "<speak><!-- c --><!-- d --></speak>": "character 8",
    "<say>a<speak>b</speak></say>": "The text must be inside one <speak> element (line 1, column 1).",
}


@pytest.mark.parametrize("text", GOOD)
def test_well_formed_ssml_is_passed_through(text: str) -> None:
    assert is_ssml(text)
    assert ssml_fault(text) is None
    assert parse_call_request(REQUEST | {"text": text}, form=False, credentials_in_body=False).text == text


@pytest.mark.parametrize(("text", "position"), BAD.items())
def test_broken_ssml_is_refused_with_the_position(text: str, position: str) -> None:
    assert position in (ssml_fault(text) or "")


@pytest.mark.parametrize("field", ["text", "bye_text", "failed_text"])
def test_every_spoken_field_is_checked(field: str) -> None:
    with pytest.raises(InvalidFieldsError) as raised:
        parse_call_request(REQUEST | {field: "<speak>{a} & b</speak>"}, form=False, credentials_in_body=False)

    (fault,) = raised.value.faults
    assert (fault.field, fault.code) == (field, "invalid_ssml")
    assert "line 1, column" in fault.message


@pytest.mark.parametrize("text", ["1 < 2 & 3 > 2", "a <b> c", "use <speak> tags", "🔑 שלום", "x" * 1500])
def test_text_that_is_no_ssml_may_say_anything(text: str) -> None:
    assert not is_ssml(text)
    assert parse_call_request(REQUEST | {"text": text}, form=False, credentials_in_body=False).text == text
