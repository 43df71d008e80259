"""A text that is spoken: what of it is heard, whether it is SSML, and whether that is well formed.

Vonage reads a text as SSML when it is one well-formed `<speak>` (docs/vonage.md §2.1); any other is read out as it
stands.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

INVISIBLE: Final = (
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Characters that show, and say, nothing: Unicode's Default_Ignorable_Code_Point, separators, the blank of Braille."""

_BLANK: Final = r"[ \t\r\n\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
_BEGINNING: Final = re.compile(rf"(?:{_BLANK}|{INVISIBLE})*")
_INVISIBLE: Final = re.compile(INVISIBLE)
_MARKUP: Final = re.compile(r"<(\?xml|!|speak)", re.ASCII | re.IGNORECASE)
_SSML_TAG: Final = re.compile(
    r"<\s*/?\s*(speak|break|emphasis|lang|phoneme|prosody|say-as|p|s|sub|audio|mark|voice|desc|lexicon|token|w|[a-z]+:[a-z-]+)"
    r"(\s[^<>]*)?/?>",
    re.IGNORECASE,
)
"""Vonage's tags, those of SSML 1.1 that it does not know, and other vendors'."""

_ENTITY: Final = re.compile(r"&(amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_TOLD_HOW: Final = re.compile(r"<(say-as|sub|phoneme)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_DIGITS_IN_A_ROW: Final = re.compile(r"(?<!\d[.,])\d{3,}")
"""Not those of 1,000: that is meant as one number."""


def strip_invisible(text: str) -> str:
    """Return a text without blanks and invisible characters at its ends: U+FEFF before `<speak>` would be read out."""
    text = text[_end_of_beginning(text) :]
    return text[: len(text) - _end_of_beginning(text[::-1])]


def means_ssml(text: str) -> bool:
    """Tell whether a text begins like markup, so that it was not meant to be read out as it stands."""
    return _MARKUP.match(text) is not None


def ssml_fault(text: str) -> str | None:
    """Return what is wrong with an SSML text, and where; None when it is one well-formed `<speak>`."""
    speech = _parse(text)
    if speech.fault is None and speech.root != "speak":
        hint = "; write it in lower case" if speech.root.lower() == "speak" else ""
        return f"the text must be inside one <speak> element{hint} (line 1, column 1)."
    return speech.fault


def says_something(text: str) -> bool:
    """Tell whether there is anything to say: a letter or a digit of any script, the tags of SSML aside."""
    heard = "".join(_parse(text).heard) if means_ssml(text) else _SSML_TAG.sub("", text)
    return any(unicodedata.category(char)[0] in "LN" for char in _INVISIBLE.sub("", heard))


def has_stray_ssml(text: str) -> bool:
    """Tell whether a text that is not SSML holds tags or entities of it, which would be read out."""
    return not means_ssml(text) and (_SSML_TAG.search(text) or _ENTITY.search(text)) is not None


def has_digits_in_a_row(text: str) -> bool:
    """Tell whether digits stand together that a voice reads as one number, unless SSML says how to read them."""
    if means_ssml(text):
        text = _TOLD_HOW.sub(" ", text)
    return _DIGITS_IN_A_ROW.search(_SSML_TAG.sub(" ", text)) is not None


def _end_of_beginning(text: str) -> int:
    """Return where the visible begins; a search for the end from the left would take the square of a text's length."""
    found = _BEGINNING.match(text)
    return found.end() if found else 0


@dataclass(slots=True)
class _Speech:
    """What a parser found: the name of the outermost element, what is heard, what is wrong."""

    root: str = ""
    heard: list[str] = field(default_factory=list)
    fault: str | None = None


def _parse(text: str) -> _Speech:
    """Read a text as XML.

    Declarations are refused before anything is parsed: no voice needs them, and entities can grow without bound. Lone
    surrogates, which no UTF-8 has, are refused with the other control characters before a text comes here.
    """
    speech = _Speech()
    extra = re.search(r"<[!?]", text)
    if extra is not None:
        where = extra.start() + 1
        speech.fault = f"comments, declarations and instructions are not read; leave out the one at character {where}."
        return speech

    def start(name: str, attributes: dict[str, str]) -> None:
        speech.root = speech.root or name
        # What `sub` and `phoneme` are to be read as (https://www.w3.org/TR/speech-synthesis11/#S3.1.10).
        speech.heard += (attributes.get("alias", ""), attributes.get("ph", ""))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.CharacterDataHandler = speech.heard.append
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        if what == expat.errors.XML_ERROR_INVALID_TOKEN:
            what = "a character may not stand here; & is written &amp; and < is written &lt;"
        speech.fault = f"{what} (line {error.lineno}, column {error.offset + 1})."
    return speech
