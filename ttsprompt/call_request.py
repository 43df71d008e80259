"""The body of `POST /call`: what each field means, what it may be, and every fault of a body at once.

OpenAPI's `CallRequest` and the table in docs/api.md are made from this model. Codes of the faults:

    required                absent or empty
    unknown_field           no field of this name
    repeated                given more than once (found by whoever reads the body)
    wrong_type              a string, whole number or truth value was wanted
    too_short, too_long     length in characters; a text that says nothing is too short
    out_of_range            a whole number outside its limits
    invalid_choice          not one of the words allowed
    invalid_text            control characters
    invalid_ssml            begins like markup but is no well-formed `<speak>`
    invalid_number          not a possible number in libphonenumber's own E.164 form
    same_number             `from` is `to`
    invalid_pin             other than the digits 0 to 9
    invalid_extension       other than the keys of a telephone and `p`
    prefix_of_pin           `reject_code` begins like `pin_code`, or the reverse
    invalid_language        not a BCP-47 tag
    invalid_application_id  not a UUID
    invalid_url             not an acceptable callback URL
    reserved_query_name     the callback's own query uses a name of the payload
    private_address         the callback is not public
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ttsprompt.domain import timing
from ttsprompt.domain.model import CallbackFormat, CallbackMethod, CallbackTarget, Prompts
from ttsprompt.errors import FieldFault, InvalidFieldsError, shown_name
from ttsprompt.field_types import (
    FAULT,
    NOT_TRUTH,
    NOT_WHOLE,
    SECRET,
    ApplicationId,
    CallbackUrl,
    Detection,
    Extension,
    Format,
    Language,
    Method,
    Number,
    Pin,
    PrivateKey,
    Reference,
    RejectCode,
    Style,
    Text,
    Truth,
    Whole,
    fault,
)

MAX_NAMED: Final = 20
"""Unknown fields that are named."""

_CREDENTIAL_FIELDS: Final = ("private_key", "app_id")
_NOT_OF_THE_CALL: Final = {*_CREDENTIAL_FIELDS, "dry_run"}
_CALLBACK_OPTIONS: Final = ("callback_method", "callback_format")
_SCHEMA: Final[dict[str, Any]] = {
    "additionalProperties": False,
    "dependentSchemas": {
        name: {"required": ["callback"], "properties": {"callback": {"type": "string"}}} for name in _CALLBACK_OPTIONS
    },
}


class CallRequest(BaseModel):
    """One request for a call. Unknown fields are refused; an empty optional field counts as absent."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, json_schema_extra=_SCHEMA)

    to: Number = Field(
        description="Number to call, E.164: country code first, no trunk `0`. `+`, blanks, `-`, `.`, `(` and `)` are "
        "dropped.",
        examples=["447970513607"],
    )
    from_: Number = Field(
        alias="from",
        description="Your Vonage number, shown as the caller. Not the same as `to`.",
        examples=["447520616161"],
    )
    text: Text = Field(
        description="What is spoken first; it must say something. What begins like markup must be SSML: one "
        "well-formed `<speak>` element. Blanks and invisible characters at the ends of a text are dropped.",
        examples=["This is the on-call desk. Enter your PIN, please."],
    )
    pin_code: Annotated[Pin, SECRET] = Field(
        description="The digits that the callee has to key. They are never stored, logged or returned.",
        examples=["1234"],
    )
    callback: CallbackUrl | None = Field(
        default=None,
        description="Where the outcome goes: a public `http(s)` URL without user info, fragment, or a query name of "
        "the payload. Its own query is kept. Without it the outcome is fetched: `GET /call/{tid}?wait=50`.",
        examples=["https://example.com/callback"],
    )
    callback_method: Method = Field(
        default=CallbackMethod.POST,
        description="How the outcome is sent: `POST` or `GET`, in any case.",
        examples=["POST"],
    )
    callback_format: Format = Field(
        default=CallbackFormat.FORM,
        description="The encoding of a POST callback: `form` or `json`.",
        examples=["json"],
    )
    bye_text: Text | None = Field(
        default=None,
        description="Spoken after the right PIN; without it the call ends in silence.",
        examples=["Thank you, goodbye."],
    )
    failed_text: Text | None = Field(
        default=None,
        description="Spoken after a wrong PIN while tries are left; without it `text` is spoken again.",
        examples=["That was not right. Please try again."],
    )
    silence_text: Text | None = Field(
        default=None,
        description="Spoken after an entry without a key while tries are left; without it `text` is spoken again. "
        "Nobody who said nothing hears that it was wrong.",
        examples=["Are you there? Please enter your PIN."],
    )
    attempts: Whole = Field(
        default=3,
        ge=1,
        le=10,
        description="How many entries the callee has.",
        examples=[3],
    )
    reject_code: Annotated[RejectCode | None, SECRET] = Field(
        default=None,
        description="Digits to key for a callee who did not ask for this call. This and `pin_code` must not begin with "
        "each other.",
        examples=["9"],
    )
    language: Language = Field(
        default="en-US",
        description="A BCP-47 tag that Vonage has a voice for.",
        examples=["en-GB"],
    )
    style: Style | None = Field(
        default=None,
        description="Vonage's voice style for the language.",
        examples=[2],
    )
    premium: Truth | None = Field(
        default=None,
        description="Vonage's premium voice.",
        examples=[True],
    )
    input_timeout: Whole = Field(
        default=timing.MAX_INPUT_TIMEOUT_S,
        ge=1,
        le=timing.MAX_INPUT_TIMEOUT_S,
        description="Seconds to wait for the first and each further key.",
        examples=[10],
    )
    ringing_timeout: Whole = Field(
        default=45,
        ge=10,
        le=120,
        description="Seconds that the phone may ring.",
        examples=[45],
    )
    machine_detection: Detection | None = Field(
        default=None,
        description="What Vonage does when a machine answers. `hangup` ends the call and `continue` speaks on; with "
        "both, a person hears nothing for up to 5 s, until Vonage has made up its mind. `notice` speaks at once and "
        "only tells `answered_by`; Vonage charges for it. Without it, machines are not looked for.",
        examples=["hangup"],
    )
    extension: Extension | None = Field(
        default=None,
        description="Keys that Vonage sends when the call is answered, before anything is spoken: the digits, `*` and "
        "`#`, and `p`, a pause of half a second.",
        examples=["pp204#"],
    )
    reference: Reference | None = Field(
        default=None,
        description="Yours; it is echoed in the callback.",
        examples=["incident 4711"],
    )
    dry_run: Truth = Field(
        default=False,
        description="`true`: phone nobody and store nothing; show what would happen. Needs no credential; one that is "
        "there is shown to Vonage.",
        examples=[False],
    )
    private_key: Annotated[PrivateKey | None, SECRET] = Field(
        default=None,
        description="The Vonage application's private key as PEM text, also with literal `\\n`, instead of a token. "
        "Not looked at beside a header with a token.",
        examples=["-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----\n"],
    )
    app_id: ApplicationId | None = Field(
        default=None,
        description="The Vonage application's id, to go with `private_key`.",
        examples=["684027bc-a2e7-48b1-b4bd-adc02324e09c"],
    )

    @field_validator("from_")
    @classmethod
    def _not_the_callee(cls, number: str, info: ValidationInfo) -> str:
        if number == info.data.get("to"):
            raise fault("same_number", "This must not be the number that is called.")
        return number

    @field_validator("reject_code")
    @classmethod
    def _tells_apart(cls, code: str | None, info: ValidationInfo) -> str | None:
        pin = info.data.get("pin_code")
        if code is not None and pin is not None and (pin.startswith(code) or code.startswith(pin)):
            raise fault("prefix_of_pin", "This and pin_code must not begin with each other.")
        return code

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Show numbers and choices alone: any text may be confidential."""
        shown = ((name, getattr(self, name)) for name in type(self).model_fields)
        return ((name, value) for name, value in shown if type(value) is not str)

    @property
    def max_digits(self) -> int:
        """How many keys a question takes at most."""
        return max(len(self.pin_code), len(self.reject_code or ""))

    def prompts(self) -> Prompts:
        """Return what the callee is to hear."""
        return Prompts(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Prompts)})

    def target(self) -> CallbackTarget | None:
        """Return where the outcome goes, None if it is fetched."""
        if self.callback is None:
            return None
        return CallbackTarget(self.callback, self.callback_method, self.callback_format)

    def normalised(self) -> dict[str, Any]:
        """Return the fields as they are understood, PIN included, credential not."""
        return self.model_dump(mode="json", by_alias=True, exclude=_NOT_OF_THE_CALL)

    def given(self) -> dict[str, Any]:
        """Return the same without the fields that are at their default: equal for equal requests in every version."""
        return self.model_dump(mode="json", by_alias=True, exclude=_NOT_OF_THE_CALL, exclude_defaults=True)


FIELDS: Final = {field.alias or name: field for name, field in CallRequest.model_fields.items()}
"""The fields by their public names."""

SECRET_FIELDS: Final = frozenset(
    name
    for name, field in FIELDS.items()
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("writeOnly")
)


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
    for unknown in _unknown_fields([name for name in fields if name not in FIELDS]):
        found.setdefault(unknown.field, unknown)
    values = {name: value for name, value in fields.items() if name in FIELDS and value not in (None, "")}
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
        for details in error.errors(include_url=False, include_input=False):
            broken = _field_fault(str(details["loc"][0]), details["type"], details["msg"], details.get("ctx", {}))
            found.setdefault(broken.field, broken)
    if "callback" not in values and any(name in values for name in _CALLBACK_OPTIONS):
        message = "callback_method and callback_format need a URL here: they say how it is called."
        found.setdefault("callback", FieldFault("callback", "required", message))
    if found:
        raise InvalidFieldsError(list(found.values()))
    return request


LIBRARY_FAULTS: Final = {
    "missing": ("required", "This field is required."),
    "string_too_short": ("too_short", "This must have at least {min_length} characters."),
    "string_too_long": ("too_long", "This must have at most {max_length} characters."),
    "greater_than_equal": ("out_of_range", "This must be {ge} or more."),
    "less_than_equal": ("out_of_range", "This must be {le} or less."),
    "int_type": NOT_WHOLE,
    "int_parsing": NOT_WHOLE,
    "int_parsing_size": NOT_WHOLE,
    "int_from_float": NOT_WHOLE,
    "finite_number": NOT_WHOLE,
    "bool_type": NOT_TRUTH,
    "bool_parsing": NOT_TRUTH,
    "string_type": ("wrong_type", "This must be text; in JSON, a string in double quotes."),
    "string_unicode": ("wrong_type", "This must be text of Unicode characters."),
}
"""The library's name for a fault → our code and message. A test holds it against all that this model can raise."""


def _field_fault(field: str, kind: str, message: str, context: Mapping[str, Any]) -> FieldFault:
    if kind == FAULT:
        return FieldFault(field, context["code"], message)
    code, template = LIBRARY_FAULTS[kind]
    return FieldFault(field, code, template.format_map(context))


def _unknown_fields(names: Sequence[str]) -> list[FieldFault]:
    """Name the first of what there is no such field of, and count the rest: 64 KiB hold thousands."""
    faults = [_unknown_field(name) for name in names[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        message = f"There are {len(names) - MAX_NAMED} more fields that do not exist."
        faults = [*(fault for fault in faults if fault.field), FieldFault("", "unknown_field", message)]
    return faults


def _unknown_field(name: str) -> FieldFault:
    shown = shown_name(name)
    near = difflib.get_close_matches(name[:64].lower(), tuple(FIELDS), n=1)
    hint = f" Did you mean {near[0]}?" if near else "" if shown else " Does the content type fit the body?"
    return FieldFault(shown, "unknown_field", f"There is no such field.{hint}")
