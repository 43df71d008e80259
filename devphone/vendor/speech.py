"""How long a talk takes."""

from __future__ import annotations

import re
from typing import Any, Final

from devphone.vendor.ssml import is_ssml, without_tags

CHARACTERS_PER_SECOND: Final = 14
FOREVER_S: Final = 86400.0
"""No call lasts longer (docs/vonage.md §1.1)."""

_BREAK: Final = re.compile(r"<break\b[^>]*\btime\s*=\s*[\"']([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)[\"']", re.ASCII)


def spoken(talk: dict[str, Any]) -> str:
    """Return the words of a `talk`, without SSML."""
    text: str = talk["text"]
    return " ".join(without_tags(text, " ").split()) if is_ssml(text) else text


def speech_s(talk: dict[str, Any]) -> float:
    """Return the telephone seconds of a `talk` with its breaks and loops; `loop` 0 is forever."""
    text: str = talk["text"]
    once = 0.0
    if is_ssml(text):
        once = sum(float(n) / (1000 if unit == "ms" else 1) for n, unit in _BREAK.findall(text))
    once += len(without_tags(text)) / CHARACTERS_PER_SECOND
    loops = talk.get("loop", 1)
    return FOREVER_S if loops == 0 else min(once * loops, FOREVER_S)
