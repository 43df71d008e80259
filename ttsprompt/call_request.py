"""The body of `POST /call`, validated. Every fault is reported at once, by field, and never quotes a value.

Codes of the faults:

    required                absent or empty
    unknown_field           no field of this name
    repeated                given more than once (found by whoever reads the body)
    wrong_type              a string, whole number or truth value was wanted
    too_short, too_long     length in characters
    out_of_range            a whole number outside its limits
    invalid_choice          not one of the words allowed
    invalid_text            control characters
    invalid_ssml            begins with `<speak` but is not well formed; the message says where
    invalid_number          not a possible E.164 number
    same_number             `from` is `to`
    invalid_pin             other than the digits 0 to 9
    prefix_of_pin           `reject_code` begins like `pin_code`, or the reverse
    invalid_language        not a BCP-47 tag
    invalid_application_id  not a UUID
    invalid_url             not an acceptable callback URL
    reserved_query_name     the callback's own query uses a name of the payload
    private_address         the callback is not public
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from ttsprompt.domain import timing
from ttsprompt.domain.model import CallbackFormat, CallbackMethod, MachineDetection
from ttsprompt.domain.ssml import is_ssml, ssml_fault
from ttsprompt.errors import FieldFault, InvalidFieldsError, shown_name
from ttsprompt.net.callback_url import check_callback_url

MAX_TEXT: Final = 1500
"""Vonage's limit for one `talk` (docs/vonage.md §2.1)."""

MAX_LANGUAGE: Final = 35
"""Enough for every tag in use (RFC 5646 §4.4.1)."""

_CREDENTIAL_FIELDS: Final = ("private_key", "app_id")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-([A-Za-z0-9]-)?[A-Za-z0-9]{2,8})*", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]*", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def _fault(code: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(code, message)


def _spoken(text: str) -> str:
    if not text.strip():
        raise _fault("too_short", "This must say something.")
    fault = ssml_fault(_clean(text)) if is_ssml(_clean(text)) else None
    if fault is not None:
        raise _fault("invalid_ssml", f"This begins as SSML but is not well formed: {fault}")
    return text


def _clean(text: str) -> str:
    if _CONTROL.search(text):
        raise _fault("invalid_text", "This must be text without control characters.")
    return text


def _number(text: str) -> str:
    """Return an E.164 number as digits."""
    import phonenumbers  # noqa: PLC0415 - its metadata takes long to load

    digits = text.replace(" ", "").removeprefix("+")
    message = "This must be a telephone number in E.164 form: country code and number, 7 to 15 digits."
    if not re.fullmatch(r"[1-9][0-9]{6,14}", digits, re.ASCII):
        raise _fault("invalid_number", message)
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise _fault("invalid_number", message)
    return digits


def _pin(text: str) -> str:
    if not _DIGITS.fullmatch(text):
        raise _fault("invalid_pin", "This must consist of the digits 0 to 9.")
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise _fault("invalid_language", "This must be a BCP-47 tag such as en-US.")
    return text


def _application_id(text: str) -> str:
    # Stricter than `uuid.UUID`, which also reads braces, URNs and digits of other alphabets: it is kept as given.
    if not _UUID.fullmatch(text):
        raise _fault("invalid_application_id", "This must be the UUID of a Vonage application.")
    return text


def _whole_number(value: object) -> object:
    """Refuse what the library would read in a form as a number: `1_0` is 10 to it."""
    if isinstance(value, str) and not _WHOLE_NUMBER.fullmatch(value):
        raise _fault("wrong_type", "This must be a whole number.")
    return value


def _truth_value(value: object) -> object:
    """Refuse what the library would read in a form as a truth value: `on`, `y`."""
    if isinstance(value, str) and value.lower() not in {"true", "false", "1", "0"}:
        raise _fault("wrong_type", "This must be true or false.")
    return value


def _callback(text: str, info: ValidationInfo) -> str:
    check_callback_url(text, allow_private=bool(info.context and info.context["allow_private_callbacks"]), fault=_fault)
    return text


def _choice(choices: type[StrEnum], *, any_case: bool = False) -> BeforeValidator:
    """Read one of a few words; in strict mode the library itself would not take a string for it."""

    def read(value: object) -> StrEnum:
        word = value.upper() if any_case and isinstance(value, str) and value.isascii() else value
        if not isinstance(word, str) or word not in list(choices):
            raise _fault("invalid_choice", f"This must be {' or '.join(choices)}.")
        return choices(word)

    return BeforeValidator(read)


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(_spoken)]
Number = Annotated[str, AfterValidator(_number)]
Pin = Annotated[str, StringConstraints(min_length=1, max_length=20), AfterValidator(_pin)]
RejectCode = Annotated[str, StringConstraints(min_length=1, max_length=4), AfterValidator(_pin)]
Whole = Annotated[int, BeforeValidator(_whole_number)]
Style = Annotated[int, Field(ge=0, le=999), BeforeValidator(_whole_number)]
Truth = Annotated[bool, BeforeValidator(_truth_value)]
Language = Annotated[str, StringConstraints(max_length=MAX_LANGUAGE), AfterValidator(_language)]
Method = Annotated[CallbackMethod, _choice(CallbackMethod, any_case=True)]
Format = Annotated[CallbackFormat, _choice(CallbackFormat)]
Detection = Annotated[MachineDetection, _choice(MachineDetection)]


class CallRequest(BaseModel):
    """One request for a call. Times are in seconds, numbers are digits only."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    to: Number = Field(repr=False)
    from_: Number = Field(alias="from", repr=False)
    text: Text = Field(repr=False)
    pin_code: Pin = Field(repr=False)
    callback: Annotated[str, AfterValidator(_callback)] = Field(repr=False)
    callback_method: Method = CallbackMethod.POST
    bye_text: Text | None = Field(default=None, repr=False)
    failed_text: Text | None = Field(default=None, repr=False)
    attempts: Whole = Field(default=3, ge=1, le=10)
    reject_code: RejectCode | None = Field(default=None, repr=False)
    language: Language = "en-US"
    style: Style | None = None
    premium: Truth | None = None
    input_timeout: Whole = Field(default=timing.MAX_INPUT_TIMEOUT_S, ge=1, le=timing.MAX_INPUT_TIMEOUT_S)
    ringing_timeout: Whole = Field(default=45, ge=10, le=120)
    machine_detection: Detection | None = None
    callback_format: Format = CallbackFormat.FORM
    reference: Annotated[str, StringConstraints(max_length=255), AfterValidator(_clean)] | None = None
    dry_run: Truth = False
    private_key: Annotated[str, StringConstraints(max_length=16384)] | None = Field(default=None, repr=False)
    app_id: Annotated[str, AfterValidator(_application_id)] | None = None

    @field_validator("from_")
    @classmethod
    def _not_the_callee(cls, number: str, info: ValidationInfo) -> str:
        if number == info.data.get("to"):
            raise _fault("same_number", "This must not be the number that is called.")
        return number

    @field_validator("reject_code")
    @classmethod
    def _tells_apart(cls, code: str | None, info: ValidationInfo) -> str | None:
        pin = info.data.get("pin_code")
        if code is not None and pin is not None and (pin.startswith(code) or code.startswith(pin)):
            raise _fault("prefix_of_pin", "This and pin_code must not begin with each other.")
        return code

    @property
    def max_digits(self) -> int:
        """How many keys a question takes at most."""
        return max(len(self.pin_code), len(self.reject_code or ""))

    def normalised(self) -> dict[str, Any]:
        """Return the fields as they are understood, PIN included, credential not: equal for equal requests."""
        return self.model_dump(mode="json", by_alias=True, exclude={*_CREDENTIAL_FIELDS, "dry_run"})


def parse_call_request(
    fields: Mapping[str, Any],
    *,
    form: bool,
    faults: Sequence[FieldFault] = (),
    allow_private_callbacks: bool = False,
    credentials_in_body: bool = True,
) -> CallRequest:
    """Return the request that the fields of a body make.

    Args:
        fields: the body's fields, as they came.
        form: the values are text and are read as what the field wants; JSON's types are strict.
        faults: what was wrong with the raw body; reported together with the rest.
        allow_private_callbacks: the callback may be on this machine or network.
        credentials_in_body: `private_key` and `app_id` are needed; else they are ignored, as a header wins.

    Raises:
        InvalidFieldsError: with every fault.
    """
    found = {fault.field: fault for fault in faults}
    # Not left to the library: it stops at the first name that is not Unicode and would hide the other faults.
    for fault in (_unknown_field(name) for name in fields if name not in _NAMES):
        found.setdefault(fault.field, fault)
    values = {name: value for name, value in fields.items() if name in _NAMES and not _is_empty(value)}
    if credentials_in_body:
        for name in _CREDENTIAL_FIELDS:
            if name not in values:
                found.setdefault(name, FieldFault(name, "required", "This field is required."))
    else:
        values = {name: value for name, value in values.items() if name not in _CREDENTIAL_FIELDS}
    context = {"allow_private_callbacks": allow_private_callbacks}
    try:
        request = CallRequest.model_validate(values, strict=not form, context=context)
    except ValidationError as error:
        for fault in _field_faults(error):
            found.setdefault(fault.field, fault)
    if found:
        raise InvalidFieldsError(list(found.values()))
    return request


def _is_empty(value: object) -> bool:
    return value is None or value == ""


_CODES: Final = {
    "missing": "required",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
}
_WANTED: Final = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text; send it as a string",
    "string_unicode": "text of Unicode characters",
}
_NAMES: Final = tuple(field.alias or name for name, field in CallRequest.model_fields.items())


def _field_faults(error: ValidationError) -> list[FieldFault]:
    details = error.errors(include_url=False, include_input=False)
    return [_field_fault(str(d["loc"][0]), d["type"], d["msg"], d.get("ctx", {})) for d in details]


def _field_fault(field: str, kind: str, message: str, context: Mapping[str, Any]) -> FieldFault:
    if kind in _WANTED:
        return FieldFault(field, "wrong_type", f"This must be {_WANTED[kind]}.")
    match kind:
        case "missing":
            message = "This field is required."
        case "string_too_short" | "string_too_long":
            bound = "least" if "min_length" in context else "most"
            message = f"This must have at {bound} {context.get('min_length', context.get('max_length'))} characters."
        case "greater_than_equal":
            message = f"This must be {context['ge']} or more."
        case "less_than_equal":
            message = f"This must be {context['le']} or less."
    return FieldFault(field, _CODES.get(kind, kind), message)


def _unknown_field(name: str) -> FieldFault:
    shown = shown_name(name)
    near = difflib.get_close_matches(name[:64].lower(), _NAMES, n=1)
    hint = f" Did you mean {near[0]}?" if near else "" if shown else " Does the content type fit the body?"
    return FieldFault(shown, "unknown_field", f"There is no such field.{hint}")
