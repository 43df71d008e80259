"""Vonage's rules for requests and NCCOs (docs/vonage.md §1.1, §2), as strict as Vonage, with better explanations.

Each rule that is broken becomes a `Fault`: where (a JSON pointer), which rule, and what Vonage would do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from devphone.vendor.ssml import is_ssml, ssml_fault, without_tags

REFUSED: Final = "Vonage answers 400 and places no call."
DROPPED: Final = "Vonage sends an error event and drops the call."

MAX_TALK: Final = 1500
MAX_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule."""

    pointer: str
    rule: str
    consequence: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.rule} {self.consequence}"


@dataclass(frozen=True, slots=True)
class _Key:
    """What the value of one key must be."""

    rule: str
    holds: Callable[[Any], bool]
    required: bool = False


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _url(value: Any) -> bool:
    if not isinstance(value, str) or re.search(r"\s", value):
        return False
    try:
        url = urlsplit(value)
        port_fits = url.port != 0
    except ValueError:
        return False
    return port_fits and url.scheme in {"http", "https"} and bool(url.hostname)


def _one_url(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and _url(value[0])


def _number(value: Any) -> bool:
    """Take E.164: no country's code begins with 0, which 00 and a national number do."""
    return isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{6,14}", value) is not None


def _one_object(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)


def _spoken(value: Any) -> bool:
    text = without_tags(value) if isinstance(value, str) else ""
    return text.strip() != "" and len(text) <= MAX_TALK


def _level(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1 <= value <= 1


ONE_URL: Final = "must be an array with one URL string, not a bare string."

_CALL: Final = {
    "to": _Key('must be an array with one {"type": "phone", "number": …}.', _one_object, required=True),
    "from": _Key('must be {"type": "phone", "number": …}.', lambda value: isinstance(value, dict)),
    "random_from_number": _Key("must be true or false.", _flag),
    "ncco": _Key("must be an array of actions.", lambda value: isinstance(value, list)),
    "answer_url": _Key(ONE_URL, _one_url),
    "answer_method": _Key("must be GET or POST.", _one_of("GET", "POST")),
    "event_url": _Key(ONE_URL, _one_url, required=True),
    "event_method": _Key("must be GET or POST.", _one_of("GET", "POST")),
    "machine_detection": _Key("must be continue or hangup.", _one_of("continue", "hangup")),
    "advanced_machine_detection": _Key("must be an object.", lambda value: isinstance(value, dict)),
    "length_timer": _Key("must be an integer from 1 to 86400.", _whole(1, 86400)),
    "ringing_timer": _Key("must be an integer from 1 to 120.", _whole(1, 120)),
}

_ADVANCED: Final = {
    "behavior": _Key("must be continue or hangup.", _one_of("continue", "hangup")),
    "mode": _Key("must be detect, detect_beep or default.", _one_of("detect", "detect_beep", "default")),
    "beep_timeout": _Key("must be an integer from 45 to 120 (seconds).", _whole(45, 120)),
}

_CALLER: Final = {
    "type": _Key("must be phone; this phone is one.", _one_of("phone"), required=True),
    "number": _Key("must be a string of 7 to 15 digits: E.164 without +, 00 or spaces.", _number, required=True),
}

_CALLED: Final = _CALLER | {
    "dtmfAnswer": _Key("must be of 0-9 * # p.", lambda v: _text(v) and re.fullmatch(r"[0-9*#p]+", v) is not None),
}

_TALK: Final = {
    "action": _Key("", lambda _: True),
    "text": _Key(
        f"must say something in at most {MAX_TALK} characters, not counting SSML tags.", _spoken, required=True
    ),
    "bargeIn": _Key("must be true or false.", _flag),
    "loop": _Key("must be an integer of 0 or more.", _whole(0, 10**6)),
    "level": _Key("must be a number from -1 to 1.", _level),
    "language": _Key("must be a BCP-47 tag.", lambda v: _text(v) and re.fullmatch(r"[A-Za-z0-9-]+", v) is not None),
    "style": _Key("must be an integer of 0 or more.", _whole(0, 10**6)),
    "premium": _Key("must be true or false.", _flag),
}

_INPUT: Final = {
    "action": _Key("", lambda _: True),
    "type": _Key('must be ["dtmf"]; it has been required since 2021.', lambda v: v == ["dtmf"], required=True),
    "dtmf": _Key("must be an object.", lambda v: isinstance(v, dict)),
    "eventUrl": _Key(ONE_URL, _one_url),
    "eventMethod": _Key("must be POST or GET.", _one_of("POST", "GET")),
}

_DTMF: Final = {
    "maxDigits": _Key("must be an integer from 1 to 20.", _whole(1, 20)),
    "timeOut": _Key("must be an integer from 1 to 10 (seconds).", _whole(1, 10)),
    "submitOnHash": _Key("must be true or false.", _flag),
}

_NOT_PLAYED: Final = frozenset({"stream", "record", "connect", "conversation", "notify", "wait", "transfer", "pay"})


def check_call(body: Any) -> list[Fault]:
    """Return what is wrong with the body of `POST /v1/calls`."""
    if not isinstance(body, dict):
        return [Fault("", "must be a JSON object.", REFUSED)]
    faults = list(_check_object(body, _CALL, "", REFUSED))
    if _one_object(body.get("to")):
        faults += _check_object(body["to"][0], _CALLED, "/to/0", REFUSED)
    if isinstance(body.get("from"), dict):
        faults += _check_object(body["from"], _CALLER, "/from", REFUSED)
    if isinstance(body.get("advanced_machine_detection"), dict):
        pointer = "/advanced_machine_detection"
        faults += _check_object(body["advanced_machine_detection"], _ADVANCED, pointer, REFUSED)
    if ("ncco" in body) == ("answer_url" in body):
        faults.append(Fault("/ncco", "exactly one of ncco and answer_url must be given.", REFUSED))
    if ("from" in body) == (body.get("random_from_number") is True):
        faults.append(Fault("/from", "exactly one of from and random_from_number: true must be given.", REFUSED))
    if isinstance(body.get("ncco"), list):
        faults += check_ncco(body["ncco"], "/ncco", REFUSED)
    return faults


def check_ncco(ncco: Any, pointer: str = "", consequence: str = DROPPED) -> list[Fault]:
    """Return what is wrong with an NCCO."""
    if not isinstance(ncco, list):
        return [Fault(pointer, "an NCCO must be a JSON array of actions.", consequence)]
    faults: list[Fault] = []
    for position, action in enumerate(ncco):
        faults += _check_action(action, f"{pointer}/{position}", consequence)
    return faults + list(_check_barge_in(ncco, pointer, consequence))


def _check_action(action: Any, pointer: str, consequence: str) -> Iterator[Fault]:
    kind = action.get("action") if isinstance(action, dict) else None
    if kind == "talk":
        yield from _check_object(action, _TALK, pointer, consequence)
        text = action.get("text")
        wrong = ssml_fault(text) if isinstance(text, str) and is_ssml(text) else None
        if wrong is not None:
            rule = f"begins as SSML, which must be one well-formed <speak>…</speak> with & < > escaped: {wrong}."
            yield Fault(f"{pointer}/text", rule, consequence)
    elif kind == "input":
        yield from _check_object(action, _INPUT, pointer, consequence)
        if isinstance(action.get("dtmf"), dict):
            yield from _check_object(action["dtmf"], _DTMF, f"{pointer}/dtmf", consequence)
    elif isinstance(kind, str) and kind in _NOT_PLAYED:
        yield Fault(
            f"{pointer}/action", f"{kind} is Vonage's, but this phone plays talk and input.", "Nothing is played."
        )
    else:
        yield Fault(f"{pointer}/action", "must be an action that Vonage knows.", consequence)


def _check_barge_in(ncco: list[Any], pointer: str, consequence: str) -> Iterator[Fault]:
    """With bargeIn, the next action that is not speech must be an input; it stays on until then.

    docs/vonage.md §2.1.
    """
    open_at: int | None = None
    for position, action in enumerate(ncco):
        kind = action.get("action") if isinstance(action, dict) else None
        if kind == "talk":
            open_at = position if action.get("bargeIn") is True and open_at is None else open_at
        elif kind == "input":
            open_at = None
        elif open_at is not None:
            break
    if open_at is not None:
        yield Fault(f"{pointer}/{open_at}/bargeIn", "must be followed by an input.", consequence)


def _check_object(value: dict[str, Any], keys: dict[str, _Key], pointer: str, consequence: str) -> Iterator[Fault]:
    for name, key in keys.items():
        if name not in value:
            if key.required:
                yield Fault(f"{pointer}/{name}", f"is missing; it {key.rule}", consequence)
        elif not key.holds(value[name]):
            yield Fault(f"{pointer}/{name}", key.rule, consequence)
    for name in value:
        if name not in keys:
            # RFC 6901 escapes these two; and a name that is a mistake may be long.
            escaped = name.replace("~", "~0").replace("/", "~1")[:MAX_NAME]
            rule = f"is not a key that Vonage knows here{_did_you_mean(name, keys)}."
            yield Fault(f"{pointer}/{escaped}", rule, consequence)


def _did_you_mean(name: str, keys: dict[str, _Key]) -> str:
    """Return a hint for the commonest slip: camelCase against snake_case."""
    known = {key.lower().replace("_", ""): key for key in keys}
    meant = known.get(name.lower().replace("_", ""))
    return f"; it is spelled {meant}" if meant else ""
