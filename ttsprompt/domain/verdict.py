"""How a call is judged: the outcome, its reason, and what one entry on the keypad counts as."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ttsprompt.domain.events import CallEnded, EndStatus

MAX_REPLAYS: Final = 3
"""How often a callee may ask with `*` to hear the text again without spending a try."""


class Status(StrEnum):
    """The outcome, in the tutorial's words."""

    OK = "ok"
    FAILED = "failed"
    ERROR = "error"


class Reason(StrEnum):
    """Why the outcome is what it is."""

    PIN_MATCHED = "pin_matched"
    WRONG_PIN = "wrong_pin"
    NO_INPUT = "no_input"
    HUNG_UP = "hung_up"
    CALLEE_REJECTED = "callee_rejected"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    MACHINE = "machine"
    CANCELLED = "cancelled"
    VENDOR_ERROR = "vendor_error"
    EXPIRED = "expired"

    @property
    def status(self) -> Status:
        """The outcome this reason belongs to; every reason belongs to exactly one."""
        return _STATUS_OF[self]


_STATUS_OF: Final = {
    Reason.PIN_MATCHED: Status.OK,
    Reason.WRONG_PIN: Status.FAILED,
    Reason.NO_INPUT: Status.FAILED,
    Reason.HUNG_UP: Status.FAILED,
    Reason.CALLEE_REJECTED: Status.FAILED,
    Reason.BUSY: Status.ERROR,
    Reason.NO_ANSWER: Status.ERROR,
    Reason.REJECTED: Status.ERROR,
    Reason.UNREACHABLE: Status.ERROR,
    Reason.MACHINE: Status.ERROR,
    Reason.CANCELLED: Status.ERROR,
    Reason.VENDOR_ERROR: Status.ERROR,
    Reason.EXPIRED: Status.ERROR,
}


class Entry(StrEnum):
    """What the answer to one question was judged to be. The keys themselves are kept nowhere."""

    RIGHT = "right"
    WRONG = "wrong"
    SILENCE = "silence"
    REJECTED = "rejected"
    REPLAY = "replay"


_UNANSWERED: Final[dict[tuple[EndStatus, str | None], Reason]] = {
    (EndStatus.BUSY, None): Reason.BUSY,
    (EndStatus.CANCELLED, None): Reason.CANCELLED,
    (EndStatus.FAILED, "internal_error"): Reason.VENDOR_ERROR,
    (EndStatus.FAILED, None): Reason.UNREACHABLE,
    (EndStatus.REJECTED, None): Reason.REJECTED,
    (EndStatus.UNANSWERED, "unavailable"): Reason.UNREACHABLE,
}
"""Status and detail → reason of a call that nobody answered; None is any detail, and no_answer all the rest."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The PIN and the reject code as keyed hashes. The key is the webhook token, which only Vonage's URLs hold."""

    pin_mac: str
    reject_mac: str | None


def keyed_mac(token: str, keys: str) -> str:
    """Return HMAC-SHA-256 of `keys` under `token`, in hex. Any text is accepted, as keys come from outside."""
    return hmac.new(token.encode(), keys.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def judge_entry(keys: str, token: str, secrets: Secrets, earlier: Sequence[Entry]) -> Entry:
    """Judge the answer to one question.

    One trailing `#` is dropped: whether Vonage strips it is not documented (docs/vonage.md §2.2).
    """
    keys = keys.removesuffix("#")
    if "*" in keys:
        return Entry.REPLAY if list(earlier).count(Entry.REPLAY) < MAX_REPLAYS else Entry.WRONG
    mac = keyed_mac(token, keys)
    if secrets.reject_mac is not None and hmac.compare_digest(mac, secrets.reject_mac):
        return Entry.REJECTED
    if hmac.compare_digest(mac, secrets.pin_mac):
        return Entry.RIGHT
    return Entry.SILENCE if keys == "" else Entry.WRONG


def attempts_used(entries: Sequence[Entry]) -> int:
    """Count the judged entries; asking to hear the text again is not one."""
    return sum(entry is not Entry.REPLAY for entry in entries)


def reason_of_entries(entries: Sequence[Entry], attempts_allowed: int) -> Reason | None:
    """Return what the entries so far decide, or None while a try is left."""
    if Entry.RIGHT in entries:
        return Reason.PIN_MATCHED
    if Entry.REJECTED in entries:
        return Reason.CALLEE_REJECTED
    if attempts_used(entries) < attempts_allowed:
        return None
    return Reason.WRONG_PIN if Entry.WRONG in entries else Reason.NO_INPUT


def reason_unanswered(ending: CallEnded) -> Reason:
    """Return why a call ended that nobody answered (statuses and details: docs/vonage.md §3.3)."""
    by_detail = _UNANSWERED.get((ending.status, ending.detail))
    return by_detail or _UNANSWERED.get((ending.status, None), Reason.NO_ANSWER)


def reason_cut_off(disconnected_by: str | None) -> Reason:
    """Return why an answered call ended with its question open (`disconnected_by`: docs/vonage.md §3.3)."""
    return Reason.VENDOR_ERROR if disconnected_by == "platform" else Reason.HUNG_UP
