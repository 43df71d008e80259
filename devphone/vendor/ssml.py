"""The SSML of a `talk` (docs/vonage.md §2.1): which texts it is, what of one is heard, and what is wrong with it."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers import expat

_BEGINNING: Final = re.compile(r"\s*<speak(?![\w:.-])")
"""Not `<speaker>`, which is read out as it stands."""
_TAG: Final = re.compile(r"""<(?:"[^"<]*"|'[^'<]*'|[^"'<>])*>""")


def is_ssml(text: str) -> bool:
    """Tell whether a text begins as SSML."""
    return _BEGINNING.match(text) is not None


def without_tags(text: str, instead: str = "") -> str:
    """Return a text with something instead of each tag if it is SSML, else as it is."""
    return _TAG.sub(instead, text) if is_ssml(text) else text


def ssml_fault(text: str) -> str | None:
    """Return what is wrong with a text that begins as SSML; None if it is one whole `<speak>`, and escaped."""
    try:
        # No text that begins with an element can declare entities, which could grow without bound.
        expat.ParserCreate().Parse(text, True)
    except expat.ExpatError as error:
        return str(error)
    # XML takes a bare > as well, Vonage's documentation does not.
    return "> is not escaped" if ">" in _TAG.sub("", text) else None
