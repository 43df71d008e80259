"""The body of `POST /call`, validated. Every fault is reported at once, by field, and never quotes a value.

Codes of the faults: `required`, `unknown_field`, `repeated`, `wrong_type`, `too_short`, `too_long`, `out_of_range`,
`invalid_choice`, `invalid_text`, `invalid_number`, `same_number`, `invalid_pin`, `prefix_of_pin`, `invalid_language`,
`invalid_application_id`, `invalid_url`, `reserved_query_name`, `private_address`.
"""

from __future__ import annotations

import difflib
import re
import uuid
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

from ttsprompt.callback_url import check_callback_url
from ttsprompt.domain.model import CallbackFormat, CallbackMethod, MachineDetection
from ttsprompt.errors import FieldFault, InvalidFieldsError

MAX_TEXT: Final = 1500
"""Vonage's limit for one `talk` (vonage-voice §2.1)."""

_CREDENTIAL_FIELDS: Final = ("private_key", "app_id")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{3,4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{2,8})*", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]*", re.ASCII)


def _fault(code: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(code, message)


def _spoken(text: str) -> str:
    if not text.strip():
        raise _fault("too_short", "This must say something.")
    return _clean(text)


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
    try:
        uuid.UUID(text)
    except ValueError:
        raise _fault("invalid_application_id", "This must be the UUID of a Vonage application.") from None
    return text


def _callback(text: str, info: ValidationInfo) -> str:
    check_callback_url(text, allow_private=bool(info.context and info.context["allow_private_callbacks"]), fault=_fault)
    return text


def _choice(choices: type[StrEnum], *, any_case: bool = False) -> BeforeValidator:
    """Read one of a few words; in strict mode the library itself would not take a string for it."""

    def read(value: object) -> StrEnum:
        word = value.upper() if any_case and isinstance(value, str) else value
        if not isinstance(word, str) or word not in list(choices):
            raise _fault("invalid_choice", f"This must be {' or '.join(choices)}.")
        return choices(word)

    return BeforeValidator(read)


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(_spoken)]
Number = Annotated[str, AfterValidator(_number)]
Pin = Annotated[str, StringConstraints(min_length=1, max_length=20), AfterValidator(_pin)]
RejectCode = Annotated[str, StringConstraints(min_length=1, max_length=4), AfterValidator(_pin)]
Method = Annotated[CallbackMethod, _choice(CallbackMethod, any_case=True)]
Format = Annotated[CallbackFormat, _choice(CallbackFormat)]
Detection = Annotated[MachineDetection, _choice(MachineDetection)]


class CallRequest(BaseModel):
    """One request for a call (design §3.1). Times are in seconds, numbers are digits only."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, hide_input_in_errors=True)

    to: Number = Field(repr=False)
    from_: Number = Field(alias="from", repr=False)
    text: Text = Field(repr=False)
    pin_code: Pin = Field(repr=False)
    callback: Annotated[str, AfterValidator(_callback)] = Field(repr=False)
    callback_method: Method = CallbackMethod.POST
    bye_text: Text | None = Field(default=None, repr=False)
    failed_text: Text | None = Field(default=None, repr=False)
    attempts: int = Field(default=3, ge=1, le=10)
    reject_code: RejectCode | None = Field(default=None, repr=False)
    language: Annotated[str, AfterValidator(_language)] = "en-US"
    style: int | None = Field(default=None, ge=0, le=999)
    premium: bool | None = None
    input_timeout: int = Field(default=10, ge=1, le=10)
    ringing_timeout: int = Field(default=45, ge=10, le=120)
    machine_detection: Detection | None = None
    callback_format: Format = CallbackFormat.FORM
    reference: Annotated[str, StringConstraints(max_length=255), AfterValidator(_clean)] | None = None
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
        return self.model_dump(mode="json", by_alias=True, exclude=set(_CREDENTIAL_FIELDS))


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
    values = {name: value for name, value in fields.items() if not _is_empty(value)}
    if credentials_in_body:
        missing = [name for name in _CREDENTIAL_FIELDS if name not in values]
        found |= {name: FieldFault(name, "required", "This field is required.") for name in missing}
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
    "string_type": "a string",
    "string_unicode": "a string of Unicode characters",
}
_NAMES: Final = tuple(field.alias or name for name, field in CallRequest.model_fields.items())


def _field_faults(error: ValidationError) -> list[FieldFault]:
    details = error.errors(include_url=False, include_input=False)
    return [
        _field_fault(str(d["loc"][0]) if d["loc"] else "body", d["type"], d["msg"], d.get("ctx", {})) for d in details
    ]


def _field_fault(field: str, kind: str, message: str, context: Mapping[str, Any]) -> FieldFault:
    if kind == "extra_forbidden":
        return _unknown_field(field)
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
    shown = "".join(c for c in name if c.isprintable())[:64]
    near = difflib.get_close_matches(name[:64], _NAMES, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return FieldFault(shown, "unknown_field", f"There is no such field.{hint}")
