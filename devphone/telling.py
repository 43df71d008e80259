"""How a happening is told to people: in words, on a line, with what was sent behind it. Secrets are masked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from devphone import happenings as h
from devphone.masking import masked, shown

FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Told:
    """`facts` fit on its line; `result` is what came of it, in a word; `took_s` by the clock on the wall."""

    words: str
    facts: list[str]
    result: int | str | None = None
    is_fault: bool = False
    took_s: float | None = None
    bodies: dict[str, Any] = field(default_factory=dict)


def tell(happening: h.Happening) -> Told:
    """Return how a happening is told."""
    return _told(happening.words, **_parts(happening))


def _told(
    words: str,
    facts: list[str] | None = None,
    result: int | str | None = None,
    *,
    is_fault: bool | None = None,
    took_s: float | None = None,
    **bodies: Any,
) -> Told:
    known = {name: shown(value) for name, value in bodies.items() if value is not None}
    is_error = isinstance(result, int) and result >= FIRST_ERROR
    return Told(words, facts or [], result, is_error if is_fault is None else is_fault, took_s, known)


def _parts(happening: h.Happening) -> dict[str, Any]:  # noqa: C901, PLR0911 - a case for each kind
    match happening:
        case h.RequestPosted(number=number, url=url, body=body):
            return {"facts": _to(number), "URL": url, "Body": body}
        case h.RequestAnswered(code=code, status=status, seconds=seconds, body=body):
            return {"facts": [code] if code else [], "result": status, "took_s": seconds, "Answer": body}
        case h.CallRequested(number=number, status=status):
            parts = {"facts": _to(number), "result": status or "no answer", "is_fault": not happening.is_placed}
            return parts | {"Body": happening.order, "Faults": happening.faults or None}
        case h.Spoken(text=text):
            return {"facts": [f"“{text}”"]}
        case h.Keyed(keys=keys) | h.ExtensionKeyed(keys=keys):
            return {"facts": [masked(keys)]}
        case h.HangUpRequested(status=status):
            return {"result": status}
        case h.CallEnded(status=status, by=by):
            return {"facts": [f"by {by}"] if by else [], "result": status}
        case h.NccoRefused(faults=faults):
            return {"is_fault": True, "Faults": faults}
        case h.WebhookSent():
            return _webhook(happening)
        case h.CallbackReceived():
            return _callback(happening)
        case h.Swept(counts=counts, status=status, seconds=seconds):
            facts = [f"{count} {name}" for name, count in counts.items() if count]
            return {"facts": facts or ["nothing was due"], "result": status, "took_s": seconds, "Counts": counts}
        case _:
            return {}


def _webhook(sent: h.WebhookSent) -> dict[str, Any]:
    facts = [_route(sent.url)]
    if sent.sends > 1:
        facts.append(f"sent {sent.sends} times")
    if sent.fault is not None and sent.status is not None:
        facts.append(sent.fault)
    return {
        "facts": facts,
        "result": sent.status or sent.fault,
        "is_fault": sent.fault is not None or sent.status is None or sent.status >= FIRST_ERROR,
        "took_s": sent.seconds,
        "URL": sent.url,
        "Body": sent.body,
        "Answer": sent.reply,
    }


def _callback(received: h.CallbackReceived) -> dict[str, Any]:
    said = [str(received.fields[name]) for name in ("status", "reason") if name in received.fields]
    return {
        "facts": [received.method, *said, verdict(received.verified)],
        "result": received.answer,
        "is_fault": received.verified is False or not received.is_taken,
        "URL": received.url,
        "Headers": received.headers,
        "Signature": verdict(received.verified),
        "Fields": received.fields,
    }


def verdict(verified: bool | None) -> str:  # noqa: FBT001 - one of three
    """Return what is to be said of a callback's signature."""
    return {True: "signature verified", False: "signature WRONG", None: "signature not checked"}[verified]


def _to(number: str | None) -> list[str]:
    return [f"to {number}"] if number else []


def _route(url: str) -> str:
    """Return where a webhook goes, without the base URL's path, the call's id and the token."""
    parts = urlsplit(url)
    step = parse_qs(parts.query).get("step")
    return "/" + parts.path.strip("/").split("/")[-2:][0] + (f" step {step[0]}" if step else "")
