"""Callers' JSON, read strictly; a mistake is told in words, with its place, and never quoted."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from ttsprompt.errors import MalformedRequestError, shown_name

_ENDS_EARLY: Final = "it ends too early"
_MISTAKES: Final = tuple(
    (re.compile(before + r"\Z", re.DOTALL), re.compile(at, re.DOTALL), what)
    for before, at, what in (
        (r"", r"\s*\Z", _ENDS_EARLY),
        (r",\s*", r"[}\]]", "leave out the comma before the closing bracket"),
        (r"", r",\s*[}\]]", "leave out the comma before the closing bracket"),
        (r"", r"'", "names and texts stand in double quotes, not in single ones"),
        (r"", "[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]", 'names and texts stand in plain double quotes (")'),
        (r"", r"//|/\*|#", "JSON has no comments"),
        (r"", r"(True|False|None)\b", "true, false and null are written in small letters"),
        (r"", r"\+[0-9]", "a telephone number stands in double quotes"),
        (r"[:,\[]\s*0", r"[0-9]", "a number that begins with 0, such as a PIN, stands in double quotes"),
        (r"[0-9]\s*", r"[0-9 ().-]", "a telephone number stands in double quotes"),
        (r"[{,]\s*", r"[^\W\d]", "names stand in double quotes"),
        (r":\s*", r"[,}\]]", "a value is missing"),
        (r":\s*", r"[^\W\d]|[$%]", "texts stand in double quotes"),
        (r",\s*", r",", "there is a comma too many"),
        (r"", r";", "fields are parted by commas, not by semicolons"),
        (r"", r"=", "a colon stands between a name and its value"),
    )
)
"""(what stands before the place, what stands there, what to say); the first that fits."""

_LIBRARY: Final = (
    ("Invalid control character", "write a line break in a text as \\n, and no other control character"),
    ("Invalid \\", "write a backslash in a text as \\\\"),
    ("Unterminated string", "a text that begins here has no closing quote"),
    ("Extra data", "something follows after the end of the object"),
    ("Expecting ',' delimiter", 'a comma is missing, or a quote inside a text is not written as \\"'),
    ("Expecting ':' delimiter", "a colon is missing"),
)
"""(how the library's message begins, what to say)."""


def read_json_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Duplicate names and NaN are refused: nobody can tell what was meant (RFC 8259 §4).

    Raises:
        MalformedRequestError: it is not JSON, or not an object.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(body[: error.start].decode("utf-8-sig"))
        raise MalformedRequestError(
            f"The body is not UTF-8: some bytes are of another encoding, such as Latin-1 ({place})."
        ) from None
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise MalformedRequestError(_syntax_fault(text, error)) from None
    except ValueError:
        raise MalformedRequestError("The body is not valid JSON: a number has thousands of digits.") from None
    except RecursionError:
        raise MalformedRequestError("The body is not valid JSON: it is nested too deeply.") from None
    if not isinstance(value, dict):
        raise MalformedRequestError('The body must be a JSON object: {"to": "...", ...}.')
    return value


def _syntax_fault(text: str, error: json.JSONDecodeError) -> str:
    if re.match(r"\s*[\w.%-]+=", text):
        return "The body looks like a form but was sent as JSON: add Content-Type: application/x-www-form-urlencoded."
    begin = max(0, error.pos - 200)
    before, at = text[begin : error.pos], text[error.pos : error.pos + 200]
    what = next((what for was, there, what in _MISTAKES if was.search(before) and there.match(at)), None)
    library = next((what for start, what in _LIBRARY if error.msg.startswith(start)), None)
    if library is not None and (what is None or error.msg.startswith(("Invalid", "Extra"))):
        what = library
    return f"The body is not valid JSON: {what or 'a value is expected'} ({_place(text[: error.pos])})."


def _place(before: str) -> str:
    line = before.count("\n") + 1
    return f"line {line}, column {len(before) - (before.rfind(chr(10)) + 1) + 1}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        name = shown_name(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
        raise MalformedRequestError(f"The body gives a field more than once{f': {name}' if name else ''}.")
    return values


def _refuse_constant(_name: str) -> NoReturn:
    raise MalformedRequestError("The body is not valid JSON: NaN and Infinity are not numbers in JSON.")
