"""What happens on the phone: a type for each kind, which knows from whom to whom it goes and how to say it.

The terminal, the page, `load`, `call` and tests all read these; nobody compares sentences.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

CREATED: Final = 201


class Party(StrEnum):
    """Who takes part."""

    YOU = "you"
    """Whoever asks the service for calls, and is called back."""
    SERVICE = "service"
    VONAGE = "vonage"
    CALLEE = "callee"
    SCHEDULER = "scheduler"


class Happening(BaseModel):
    """One thing that happened, at `at_s` telephone seconds; `call` is Vonage's uuid, `tid` the service's id."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, alias_generator=lambda name: name.rstrip("_"))

    says: ClassVar[str]
    at_s: float
    from_: Party
    to: Party
    call: str | None = None
    tid: str | None = None

    @property
    def key(self) -> str | None:
        """What tells its call from others: the tid, or Vonage's uuid for a call of another program."""
        return self.tid or self.call

    @property
    def words(self) -> str:
        """What `from_` does, in words."""
        return self.says

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON, with its words."""
        return {**self.model_dump(mode="json", by_alias=True), "words": self.words}


class RequestPosted(Happening):
    """`POST /call`, from the page."""

    kind: Literal["request_posted"] = "request_posted"
    says = "posts a request"
    from_: Party = Party.YOU
    to: Party = Party.SERVICE
    url: str
    number: str
    body: Any


class RequestAnswered(Happening):
    """What the service says to it."""

    kind: Literal["request_answered"] = "request_answered"
    says = "answers you"
    from_: Party = Party.SERVICE
    to: Party = Party.YOU
    number: str
    status: int
    seconds: float
    code: str | None = None
    body: Any


class CallRequested(Happening):
    """`POST /v1/calls`; `status` is Vonage's answer, None where there is none. `faults`: the rules it breaks."""

    kind: Literal["call_requested"] = "call_requested"
    says = "asks for a call"
    from_: Party = Party.SERVICE
    to: Party = Party.VONAGE
    number: str | None = None
    status: int | None
    order: Any = None
    faults: list[str] = []

    @property
    def is_placed(self) -> bool:
        """Whether somebody is phoned."""
        return self.status == CREATED


class HangUpRequested(Happening):
    """`PUT /v1/calls/{uuid}` with `hangup`."""

    kind: Literal["hang_up_requested"] = "hang_up_requested"
    says = "asks to hang up"
    from_: Party = Party.SERVICE
    to: Party = Party.VONAGE
    status: int


class CallRang(Happening):
    """The callee's telephone begins to ring."""

    kind: Literal["call_rang"] = "call_rang"
    says = "rings"
    from_: Party = Party.VONAGE
    to: Party = Party.CALLEE


class PickedUp(Happening):
    """The callee answers."""

    kind: Literal["picked_up"] = "picked_up"
    says = "picks up"
    from_: Party = Party.CALLEE
    to: Party = Party.VONAGE


class ExtensionKeyed(Happening):
    """Vonage keys what the request has as `dtmfAnswer`, right after the pick-up."""

    kind: Literal["extension_keyed"] = "extension_keyed"
    says = "keys the extension"
    from_: Party = Party.VONAGE
    to: Party = Party.CALLEE
    keys: str


class CallRejected(Happening):
    """The callee refuses the call that rings."""

    kind: Literal["call_rejected"] = "call_rejected"
    says = "rejects the call"
    from_: Party = Party.CALLEE
    to: Party = Party.VONAGE


class CalleeHungUp(Happening):
    """The callee ends the call."""

    kind: Literal["callee_hung_up"] = "callee_hung_up"
    says = "hangs up"
    from_: Party = Party.CALLEE
    to: Party = Party.VONAGE


class Spoken(Happening):
    """A `talk` begins."""

    kind: Literal["spoken"] = "spoken"
    says = "says"
    from_: Party = Party.VONAGE
    to: Party = Party.CALLEE
    text: str
    language: str


class Keyed(Happening):
    """An entry ends; `keys` is empty when the callee keyed nothing."""

    kind: Literal["keyed"] = "keyed"
    says = "keys"
    from_: Party = Party.CALLEE
    to: Party = Party.VONAGE
    keys: str


class CallEnded(Happening):
    """The call is over for Vonage, with its last status; `by`: user or platform, None when nobody had answered."""

    kind: Literal["call_ended"] = "call_ended"
    says = "ends the call"
    from_: Party = Party.VONAGE
    to: Party = Party.CALLEE
    status: str
    by: str | None


class NccoRefused(Happening):
    """What the service sent as an NCCO is none, or answers an event that takes none."""

    kind: Literal["ncco_refused"] = "ncco_refused"
    says = "refuses the NCCO"
    from_: Party = Party.VONAGE
    to: Party = Party.SERVICE
    faults: list[str]


class WebhookSent(Happening):
    """One of Vonage's webhooks with its answer; `event` is what an event tells, an error event's is None."""

    kind: Literal["webhook_sent"] = "webhook_sent"
    from_: Party = Party.VONAGE
    to: Party = Party.SERVICE
    webhook: Literal["answer", "input", "event"]
    event: str | None = None
    url: str
    body: dict[str, Any]
    status: int | None
    fault: str | None = None
    sends: int
    seconds: float | None = None
    reply: Any = None

    @property
    def words(self) -> str:
        """`reports answered` and the like."""
        if self.webhook == "event":
            return f"reports {self.event or 'an error'}"
        return "reports the keys" if self.webhook == "input" else "fetches the first NCCO"


class CallbackReceived(Happening):
    """A callback of the service, and the status it was answered with.

    `verified`: whether the signature was right, None when the receiver has no key. `sha256` tells payloads apart.
    """

    kind: Literal["callback_received"] = "callback_received"
    says = "calls back"
    from_: Party = Party.SERVICE
    to: Party = Party.YOU
    method: str
    url: str
    headers: dict[str, str]
    body: str
    fields: dict[str, Any]
    id: str | None
    verified: bool | None
    answer: int
    sha256: str

    @property
    def is_taken(self) -> bool:
        """Whether it need not come again."""
        return self.answer < 300  # noqa: PLR2004 - success


class Swept(Happening):
    """The scheduled function has run, for whoever asked; `counts` is its answer."""

    kind: Literal["swept"] = "swept"
    says = "sweeps"
    from_: Party = Party.SCHEDULER
    to: Party = Party.SERVICE
    status: int
    counts: dict[str, int]
    seconds: float


AnyHappening = Annotated[
    RequestPosted
    | RequestAnswered
    | CallRequested
    | HangUpRequested
    | CallRang
    | PickedUp
    | ExtensionKeyed
    | CallRejected
    | CalleeHungUp
    | Spoken
    | Keyed
    | CallEnded
    | NccoRefused
    | WebhookSent
    | CallbackReceived
    | Swept,
    Field(discriminator="kind"),
]
HAPPENING: Final[TypeAdapter[Happening]] = TypeAdapter(AnyHappening)
"""Reads a happening from its JSON, which may tell more; raises `ValueError` for what is none."""
