"""What happened, in words for people. Texts from outside never steer the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ttsprompt_client.errors import Fault, RefusedError
from ttsprompt_client.fields import FIELDS
from ttsprompt_client.outcome import Call, Outcome
from ttsprompt_client.transport import faults_of

_JUDGED: Final = {
    "right": "right",
    "wrong": "wrong",
    "silence": "nothing keyed",
    "rejected": "the reject code",
    "replay": "wants to hear it again",
}
_EVENTS: Final = {
    "created": "recorded",
    "placed": "rings",
    "vendor_unclear": "Vonage gave no clear answer; the phone may be ringing",
    "answered": "answered",
    "human": "a person answered",
    "machine": "a machine answered",
    "expired": "given up: Vonage never told how it ended",
}
_REASONS: Final = {
    "pin_matched": "the right PIN was keyed",
    "wrong_pin": "no entry was right",
    "no_input": "nothing was keyed",
    "hung_up": "the callee hung up",
    "callee_rejected": "the callee keyed the reject code",
    "busy": "busy",
    "no_answer": "nobody answered",
    "rejected": "the callee's phone turned the call away",
    "unreachable": "the phone cannot be reached",
    "machine": "a machine answered",
    "cancelled": "cancelled",
    "vendor_error": "Vonage ended the call, or failed",
    "expired": "Vonage never told how it ended",
}
_OPTIONS: Final = {field.name: field.option for field in FIELDS}


def plain(text: str) -> str:
    """Return text without control characters."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def event(line: Mapping[str, Any]) -> str | None:
    """Return a line of the timeline in words; None if it is no news to people."""
    name = str(line.get("event"))
    if name == "entry":
        return f"entry {line.get('step')} {_JUDGED.get(str(line.get('judged')), line.get('judged'))}"
    if name == "ended":
        return f"ended ({line.get('status')})"
    # The outcome is told once, at the end; what happens after it is the callback's.
    return None if name in {"decided", "supplemented", "redelivery"} else _EVENTS.get(name, name)


def outcome(result: Outcome) -> str:
    """Return an outcome in words."""
    why = _REASONS.get(result.reason or "", result.reason or "no reason given")
    return f"{result.status}: {why}"


def refused(error: RefusedError) -> str:
    """Return why the service refused, with the option at each fault."""
    later = "" if error.retry_after_s is None else f" Try again in {error.retry_after_s:.0f} s."
    return f"{error.detail}{later}{_at_options(error.faults)}"


def warnings(answer: Mapping[str, Any]) -> str:
    """Return what a dry run warns of, each on a line of its own."""
    return _at_options(faults_of(answer.get("warnings")))


def _at_options(faults: Iterable[Fault]) -> str:
    return "".join(f"\n  {_OPTIONS.get(fault.field, fault.field)}: {fault.message}" for fault in faults)


class Narrator:
    """Tells what is new in a call each time it is looked at."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told = 0

    def __call__(self, call: Call) -> None:
        """Tell the lines of the timeline that were not told yet."""
        for line in call.timeline[self._told :]:
            text = event(line)
            if text is not None:
                self._say(text)
        self._told = max(self._told, len(call.timeline))
