"""The fields of a request for a call: the library's arguments, and the command line's options, are made from this.

What they mean and which values are allowed is the service's to say, and it says all that is wrong in one answer. A test
holds names and types against its OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Required, TypedDict, get_args, get_origin, get_type_hints

from ttsprompt_client.errors import UsageError

CREDENTIAL_FIELDS: Final = frozenset({"private_key", "app_id"})
"""Fields of the service that are never sent from here: the private key does not leave the machine."""


class CallFields(TypedDict, total=False):
    """One request for a call. `from_` is sent as `from`, which is a word of Python's own."""

    to: Required[Annotated[str, "number to call, E.164"]]
    from_: Required[Annotated[str, "your Vonage number, shown as the caller"]]
    text: Required[Annotated[str, "what is spoken first"]]
    pin_code: Required[Annotated[str, "digits that the callee has to key"]]
    callback: Annotated[str, "URL that the outcome is sent to; without it, fetch the outcome"]
    callback_method: Annotated[Literal["GET", "POST"], "how it is sent"]
    callback_format: Annotated[Literal["form", "json"], "what a POST callback carries"]
    bye_text: Annotated[str, "spoken after the right PIN"]
    failed_text: Annotated[str, "spoken after a wrong PIN with tries left; default: the text again"]
    silence_text: Annotated[str, "spoken instead after an entry without a key"]
    attempts: Annotated[int, "entries before the call fails, 1 to 10; default 3"]
    reject_code: Annotated[str, "digits for a callee who did not ask for this call"]
    language: Annotated[str, "BCP-47 tag; default en-US"]
    style: Annotated[int, "Vonage's voice style"]
    premium: Annotated[bool, "Vonage's premium voice"]
    input_timeout: Annotated[int, "seconds to wait for a key, 1 to 10"]
    ringing_timeout: Annotated[int, "seconds that the phone may ring, 10 to 120; default 45"]
    machine_detection: Annotated[Literal["hangup", "continue", "notice"], "what to do when a machine answers"]
    extension: Annotated[str, "keyed after pick-up; p is half a second"]
    reference: Annotated[str, "yours; it comes back with the outcome"]
    dry_run: Annotated[bool, "phone nobody, show what would happen"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as the service names it."""

    name: str
    kind: type[str | int | bool]
    choices: tuple[str, ...]
    required: bool
    help: str

    @property
    def argument(self) -> str:
        """The name in Python."""
        return "from_" if self.name == "from" else self.name

    @property
    def option(self) -> str:
        """The name on the command line."""
        return "--" + self.name.replace("_", "-")


def _field(argument: str, hint: Any) -> Field:
    required = get_origin(hint) is Required
    kind, words = get_args(get_args(hint)[0] if required else hint)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return Field(argument.removesuffix("_"), str if choices else kind, choices, required, words)


FIELDS: Final = tuple(_field(name, hint) for name, hint in get_type_hints(CallFields, include_extras=True).items())
_BY_ARGUMENT: Final = {field.argument: field for field in FIELDS}


def request_body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON body that arguments make; what is None counts as absent.

    Raises:
        UsageError: there is no such field, or its value is of another type than the service takes.
    """
    body = {}
    for argument, value in fields.items():
        field = _BY_ARGUMENT.get(argument)
        if field is None:
            raise UsageError(f"There is no field {argument!r}.")
        if value is None:
            continue
        # `bool` is a kind of `int` in Python, and no number in JSON.
        if type(value) is not field.kind:
            raise UsageError(f"{argument} must be {field.kind.__name__}, not {type(value).__name__}.")
        body[field.name] = value
    return body
