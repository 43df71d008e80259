"""The bodies of HTTP as types. mypy holds the code to them, and the API's description is made from them.

Only the description needs this module at run time (it brings pydantic). Later versions may answer more fields.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ttsprompt import __version__
from ttsprompt.call_request import CallRequest
from ttsprompt.domain.model import AnsweredBy, DeliveryState, State
from ttsprompt.domain.ncco import Ncco
from ttsprompt.domain.verdict import Reason, Status
from ttsprompt.service.calls import Standing
from ttsprompt.web.tids import TID

EXAMPLE_TID: Final = "6a2827c9-4c68-46fc-b179-115f055dc0eb"
TOKEN: Final = "Ra4Pdb6pBZi8QbvVp9lXnJmmUdCsYQqvZuQY8tC4Sxk"  # noqa: S105 - an example


def _like(example: Any, description: str | None = None, **schema: Any) -> Any:
    return Field(description=description, examples=[example], json_schema_extra=schema)


Tid = Annotated[str, _like(EXAMPLE_TID, pattern=f"^{TID.pattern.replace('A-F', '')}$")]
Digits = Annotated[str, _like("447970513607", pattern="^[0-9]{7,15}$")]
Time = Annotated[str, _like("2026-11-23T09:00:00.000Z", format="date-time")]
Count = Annotated[int, Field(ge=0)]
Judged = Annotated[Count, _like(2, "Entries judged, the right one and a rejection included.")]
Seconds = Annotated[Count, _like(12, "Seconds, as Vonage says.")]
Price = Annotated[str, _like("0.00284000", "EUR, a decimal number as Vonage says.")]
By = Annotated[
    AnsweredBy,
    _like(
        "human",
        "Who picked up, as far as is known: `human` once a key was pressed or Vonage heard a person, else `machine` "
        "once it heard one.",
    ),
]
SipCode = Annotated[int, Field(ge=100, le=699), _like(486, "SIP's status of the end, as the carrier says.")]
Yours = Annotated[str, _like("incident 4711", "What the request said.")]
Ended = Annotated[
    Status,
    _like(
        "ok",
        "`ok`: the right PIN was keyed. `failed`: the call was completed without it. `error`: the call was not "
        "completed. Only `ok` says that the right person picked up.",
    ),
]
Why = Annotated[Reason, _like("pin_matched", "Why; each belongs to one status.")]


class Fault(TypedDict):
    """One broken rule of one field."""

    field: Annotated[str, _like("pin_code", "The field.")]
    code: Annotated[str, _like("invalid_pin", "Stable, for programs.")]
    message: Annotated[str, _like("This must consist of the digits 0 to 9.", "For people; never quotes the value.")]


class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: Annotated[
        str,
        _like(
            "urn:ttsprompt:problem:invalid_fields",
            "The same in all deployments. What follows the last colon is the `code`, a heading of docs/errors.md.",
            format="uri",
        ),
    ]
    title: Annotated[str, _like("Some fields were not accepted", "The kind of error: the same each time.")]
    status: Annotated[int, _like(422)]
    detail: Annotated[
        str, _like("pin_code: This must consist of the digits 0 to 9.", "What is wrong with this very request.")
    ]
    code: Annotated[str, _like("invalid_fields", "Stable, for programs. A later version may have more.")]
    errors: list[Fault]
    tid: NotRequired[Annotated[Tid, Field(description="The call, where there is one: its phone may be ringing.")]]


class Placement(TypedDict):
    """The call that was placed."""

    tid: Tid


class DryRun(TypedDict):
    """What a request would come to."""

    request: Annotated[
        dict[str, Any],
        _like({"to": "447970513607", "pin_code": "hidden"}, "The request as it is understood; secrets are hidden."),
    ]
    ncco: Annotated[Ncco, _like([{"action": "talk", "text": "Enter your PIN, please.", "bargeIn": True}])]
    length_timer: Annotated[Count, _like(250, "Seconds after which Vonage would hang up.")]
    stale_after: Annotated[float, _like(128.5, "Seconds after which an unanswered call would be given up.")]
    warnings: list[Fault]
    credential: NotRequired[
        Annotated[Standing, _like("accepted", "What Vonage says of the credential, where there is one.")]
    ]


class TimelineEntry(TypedDict):
    """Something that happened. Further details depend on the event."""

    at: Time
    event: Annotated[str, _like("created")]


class DeliveryAttempt(TypedDict):
    """One try to deliver the callback."""

    at: Time
    http_status: Annotated[int | None, _like(204)]
    fault: Annotated[str | None, _like(None)]


class Delivery(TypedDict):
    """The callback's progress."""

    state: Annotated[DeliveryState, _like("delivered")]
    next_at: Annotated[Time | None, _like(None)]
    tries: Annotated[list[DeliveryAttempt], Field(max_length=50, description="The last 50.")]


class Call(TypedDict):
    """A call as it stands."""

    tid: Tid
    to: Annotated[Digits | None, Field(description="Null once the call was erased.")]
    state: Annotated[State, _like("ended")]
    status: Ended | None
    reason: Why | None
    attempts: Judged
    answered_by: By | None
    sip_code: SipCode | None
    duration: Seconds | None
    price: Price | None
    reference: Yours | None
    timeline: list[TimelineEntry]
    delivery: Delivery


class Outcome(TypedDict):
    """What the callback says: as JSON, or the same as texts in a form or query."""

    to: Digits
    tid: Tid
    status: Ended
    reason: Why
    attempts: Judged
    answered_by: NotRequired[By]
    duration: NotRequired[Seconds]
    price: NotRequired[Price]
    reference: NotRequired[Yours]


class About(TypedDict):
    """What runs here."""

    name: Annotated[Literal["ttsprompt"], _like("ttsprompt")]
    version: Annotated[str, _like(__version__)]
    commit: NotRequired[Annotated[str, _like("1f3c9a2b7d04", pattern="^[0-9a-f]{7,40}$")]]
    documentation: Annotated[str, _like("https://calls.example.com/openapi.json", format="uri")]
    callback_public_keys: Annotated[list[str], _like(["whpk_oPz4XWmA1Kk7c2bMoNLQdUlPBBQ0GfWhmf0CgMJSYyE="])]


class KeyedDigits(TypedDict, total=False):
    """Keys of the callee, as Vonage sends them."""

    digits: Annotated[str | None, _like("1234")]


class Keys(TypedDict, total=False):
    """What Vonage says of keys. Missing: silence. A string in old applications."""

    dtmf: KeyedDigits | Annotated[str, _like("1234")] | None


class Event(TypedDict, total=False):
    """What Vonage says of a call; `answered`, `human`, `machine` and the endings matter."""

    status: Annotated[Any, _like("answered")]


BODIES: Final[dict[str, Any]] = {
    "CallRequest": CallRequest,
    "Placement": Placement,
    "DryRun": DryRun,
    "Call": Call,
    "Outcome": Outcome,
    "Problem": Problem,
    "About": About,
    "Keys": Keys,
    "Event": Event,
    "Ncco": Annotated[Ncco, _like([{"action": "talk", "text": "Enter your PIN, please.", "bargeIn": True}])],
    "Document": Annotated[dict[str, Any], _like({"openapi": "3.1.0"})],
}
"""By the names that the table of routes uses."""
