"""What the fields of `POST /call` may be: for each kind of field its rule, its fault, and its JSON Schema.

A fault never quotes the value: it may be a PIN, a number or a key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ttsprompt.domain.model import UUID, CallbackFormat, CallbackMethod, MachineDetection
from ttsprompt.domain.spoken_text import means_ssml, says_something, ssml_fault, strip_invisible
from ttsprompt.net.callback_url import check_callback_url
from ttsprompt.phone_numbers import NumberFaultError, read_number

MAX_TEXT: Final = 1500
"""Vonage's limit for one `talk` (docs/vonage.md §2.1)."""

MAX_LANGUAGE: Final = 35
"""Enough for every tag in use (RFC 5646 §4.4.1)."""

FAULT: Final = "fault"
"""The library's name for a fault of ours; the public code is in its context."""

SECRET: Final[Any] = Field(json_schema_extra={"writeOnly": True})
"""Marks a field that is never said back: not in an answer, a log or a message."""

NOT_WHOLE: Final = ("wrong_type", "This must be a whole number; in JSON, without quotes.")
NOT_TRUTH: Final = ("wrong_type", "This must be true or false; in JSON, without quotes.")

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)


def fault(code: str, message: str) -> PydanticCustomError:
    """Return what a rule raises; `code` is public."""
    return PydanticCustomError(FAULT, message, {"code": code})


@dataclass(frozen=True, slots=True)
class Matches:
    """The whole text has to match `pattern`, which means the same in Python and in JSON Schema."""

    pattern: str
    code: str
    message: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after what stands before it."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe it."""
        return handler(schema) | {"pattern": f"^{self.pattern}$"}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text, re.ASCII):
            raise fault(self.code, self.message)
        return text


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words; in strict mode the library itself would not take a string for it."""

    choices: type[StrEnum]
    any_case: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check before the library does."""
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe it."""
        if not self.any_case:
            return handler(schema)
        words = ("".join(f"[{letter.upper()}{letter.lower()}]" for letter in word) for word in self.choices)
        return {"type": "string", "pattern": f"^({'|'.join(words)})$"}

    def _read(self, value: object) -> StrEnum:
        word = value.upper() if self.any_case and isinstance(value, str) and value.isascii() else value
        if not isinstance(word, str) or word not in list(self.choices):
            *others, last = self.choices
            raise fault("invalid_choice", f"This must be {', '.join(others)} or {last}.")
        return self.choices(word)


def _spoken(text: str) -> str:
    """Return a text without what nobody hears at its ends."""
    text = _clean(strip_invisible(text))
    if len(text) > MAX_TEXT:
        raise fault("too_long", f"This must have at most {MAX_TEXT} characters.")
    wrong = ssml_fault(text) if means_ssml(text) else None
    if wrong is not None:
        raise fault("invalid_ssml", f"This begins as SSML but is not well formed: {wrong}")
    if not says_something(text):
        raise fault("too_short", "This must say something: a letter or a digit at least.")
    return text


def _clean(text: str) -> str:
    if _CONTROL.search(text):
        raise fault("invalid_text", "This must be text without control characters.")
    return text


def _number(text: str) -> str:
    """Return an E.164 number as digits."""
    try:
        return read_number(text)
    except NumberFaultError as error:
        raise fault("invalid_number", str(error)) from None


def _whole_number(value: object) -> object:
    """Refuse what the library would read in a form as a number: `1_0` is 10 to it.

    JSON has one kind of numbers, and some languages write 3 as 3.0.
    """
    if isinstance(value, str) and not _WHOLE_NUMBER.fullmatch(value):
        raise fault(*NOT_WHOLE)
    return int(value) if isinstance(value, float) and value.is_integer() else value


TRUE_WORDS: Final = frozenset({"true", "1"})
FALSE_WORDS: Final = frozenset({"false", "0"})
"""What a form says for a truth value, in any case."""


def _truth_value(value: object) -> object:
    """Refuse what the library would read in a form as a truth value: `on`, `y`."""
    if isinstance(value, str) and value.lower() not in {*TRUE_WORDS, *FALSE_WORDS}:
        raise fault(*NOT_TRUTH)
    return value


def _callback(text: str, info: ValidationInfo) -> str:
    check_callback_url(text, allow_private=bool(info.context and info.context["allow_private_callbacks"]), fault=fault)
    return text


def _schema(**more: str | int) -> Any:
    """Return what JSON Schema can say of a rule that only code tells."""
    return Field(json_schema_extra=dict(more))


Digits = Matches(r"[0-9]+", "invalid_pin", "This must consist of the digits 0 to 9.")

Text = Annotated[
    str,
    StringConstraints(min_length=0),  # as the library then looks at the characters
    AfterValidator(_spoken),
    _schema(format="spoken-text", minLength=1, maxLength=MAX_TEXT),
]
Number = Annotated[
    str,
    AfterValidator(_number),
    _schema(format="e164", pattern=r"^[ .()-]*\+?[ .()-]*[1-9]([ .()-]*[0-9]){6,14}[ .()-]*$"),
]
Pin = Annotated[str, StringConstraints(min_length=1, max_length=20), Digits]
RejectCode = Annotated[str, StringConstraints(min_length=1, max_length=4), Digits]
CallbackUrl = Annotated[
    str, AfterValidator(_callback), _schema(format="callback-url", pattern="^[Hh][Tt][Tt][Pp][Ss]?://")
]
Whole = Annotated[int, BeforeValidator(_whole_number)]
Style = Annotated[int, Field(ge=0, le=999), BeforeValidator(_whole_number)]
Truth = Annotated[bool, BeforeValidator(_truth_value)]
Language = Annotated[
    str,
    StringConstraints(max_length=MAX_LANGUAGE),
    Matches(
        r"[A-Za-z]{2,3}(-([A-Za-z0-9]-)?[A-Za-z0-9]{2,8})*",
        "invalid_language",
        "This must be a BCP-47 tag such as en-US.",
    ),
]
Method = Annotated[CallbackMethod, OneOf(CallbackMethod, any_case=True)]
Format = Annotated[CallbackFormat, OneOf(CallbackFormat)]
Detection = Annotated[MachineDetection, OneOf(MachineDetection)]
Extension = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32),
    Matches(r"[0-9*#p]+", "invalid_extension", "This must consist of the digits 0 to 9, *, # and p for a pause."),
]
Reference = Annotated[str, StringConstraints(max_length=255), AfterValidator(_clean), _schema(format="plain-text")]
PrivateKey = Annotated[str, StringConstraints(max_length=16384)]
ApplicationId = Annotated[
    str,
    Matches(UUID, "invalid_application_id", "This must be the UUID of a Vonage application."),
    _schema(format="uuid"),
]
