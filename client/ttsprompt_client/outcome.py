"""What comes of a call, as a value: from `GET /call/{tid}` or from a callback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, cast, get_args

Status = Literal["ok", "failed", "error"]

STATUSES: Final = get_args(Status)
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended; it never changes. Only `ok` says that the right person picked up.

    Attributes:
        attempts: entries judged, the right one and a rejection included.
        duration: seconds; `price`: EUR; both when Vonage has told them.
        answered_by: `human` or `machine`, when known.
        to: the number called, digits only; None once it has been erased.
    """

    tid: str
    status: Status
    reason: str | None = None
    to: str | None = None
    attempts: int | None = None
    answered_by: str | None = None
    sip_code: int | None = None
    duration: int | None = None
    price: str | None = None
    reference: str | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the right PIN was keyed."""
        return self.status == "ok"

    def as_json(self) -> dict[str, Any]:
        """Return what is known, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_outcome(fields: Mapping[str, Any]) -> Outcome:
    """Return the outcome that fields of a callback or a call say; numbers may be texts, unknown fields are ignored.

    Raises:
        ValueError: they say none; the message says why.
    """
    tid, status = fields.get("tid"), fields.get("status")
    if not isinstance(tid, str) or not UUID.fullmatch(tid):
        raise ValueError("it has no tid")
    if status not in STATUSES:
        raise ValueError("its status is none of ok, failed and error")
    return Outcome(
        tid=tid,
        status=cast("Status", status),
        reason=_text(fields, "reason"),
        to=_text(fields, "to"),
        attempts=_number(fields, "attempts"),
        answered_by=_text(fields, "answered_by"),
        sip_code=_number(fields, "sip_code"),
        duration=_number(fields, "duration"),
        price=_text(fields, "price"),
        reference=_text(fields, "reference"),
    )


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else str(value)


def _number(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value), re.ASCII):
        raise ValueError(f"its {name} is not a whole number")
    return int(value)


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it stands; `body` is the service's whole answer, and holds whatever is not named here."""

    tid: str
    state: str
    outcome: Outcome | None
    timeline: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any]

    @property
    def is_settled(self) -> bool:
        """Whether the outcome is decided and the call is over."""
        return self.outcome is not None and self.state == "ended"


def read_call(body: Mapping[str, Any]) -> Call:
    """Return the call that an answer of the service shows.

    Raises:
        ValueError: it shows none.
    """
    tid, state, timeline = body.get("tid"), body.get("state"), body.get("timeline")
    if not isinstance(tid, str) or not isinstance(state, str):
        raise ValueError("it has no tid or state")  # noqa: TRY004 - as every other fault of what came
    lines = timeline if isinstance(timeline, list) else []
    outcome = None if body.get("status") is None else read_outcome(body)
    return Call(tid, state, outcome, tuple(line for line in lines if isinstance(line, dict)), body)


@dataclass(frozen=True, slots=True)
class Placement:
    """The call that a request led to; `replayed` if an earlier request under the same key had placed it."""

    tid: str
    idempotency_key: str
    replayed: bool = False
