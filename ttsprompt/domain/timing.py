"""How long things take on the phone, in seconds: what we ask Vonage for, and when a call needs attention."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

CHARACTERS_PER_SECOND: Final = 4
"""A slow voice; languages such as Chinese say about this many characters a second, English far more."""

MAX_LENGTH_TIMER_S: Final = 7200
MAX_INPUT_TIMEOUT_S: Final = 10
"""Vonage's longest (docs/vonage.md §2.2)."""

GRACE: Final = timedelta(seconds=3)
"""How long after the end of a call keys may still arrive: Vonage's webhooks are not ordered (docs/vonage.md §3.3)."""

CRASH_NET: Final = timedelta(seconds=15)
"""The first try of the callback is over by then; if its outcome is not stored, the process died."""

SWEEP: Final = timedelta(seconds=60)
"""Within so long after its settlement a sweep has tried, or leaves it: it begins nothing after 45 s, a try takes 15."""

REDELIVERY_PAUSE: Final = timedelta(minutes=1)
"""A redelivery asked for again and again would make this service a weapon against the receiver."""

KEY_S: Final = 0.5
"""A pause `p` of an extension (docs/vonage.md §1.1); a tone takes less."""

ALIVE_MARGIN: Final = timedelta(seconds=60)
DECIDED_MARGIN: Final = timedelta(seconds=30)

_TAG: Final = re.compile(r"<[^>]*>")
_BREAK: Final = re.compile(
    r"<break\b[^>]*\btime\s*=\s*[\"']\s*([0-9]{0,9}\.?[0-9]{1,9})\s*(ms|s)\s*[\"']", re.ASCII | re.IGNORECASE
)


def without_tags(text: str) -> str:
    """Return a text without its tags: what is left is spoken."""
    return _TAG.sub("", text)


def speaking_time_s(text: str) -> float:
    """Return how long `text` takes to speak at most, with the breaks that its SSML states.

    Never more than a call may last: a break of months would put off the sweep beyond the record's own life.
    """
    if not text.lstrip().startswith("<speak"):
        return len(text) / CHARACTERS_PER_SECOND
    breaks = sum(float(n) / (1000 if unit.lower() == "ms" else 1) for n, unit in _BREAK.findall(text))
    return min(len(without_tags(text)) / CHARACTERS_PER_SECOND + breaks, MAX_LENGTH_TIMER_S)


def keying_time_s(extension: str) -> int:
    """Return how long the keys of an extension take at most, pauses included."""
    return math.ceil(len(extension) * KEY_S)


def length_timer_s(
    *,
    text: str,
    bye_text: str | None,
    failed_text: str | None,
    silence_text: str | None,
    attempts: int,
    replays: int,
    input_timeout_s: int,
    extension_s: int,
) -> int:
    """Return the longest an answered call can sensibly take: Vonage hangs up after that.

    Each attempt but the last is followed by `failed_text` or `silence_text`, whichever takes longer. Without a
    `silence_text`, whoever stays silent hears `text` at each of them.
    """
    texts = 1 + replays if silence_text else max(1 + replays, attempts)
    after_an_attempt = max(speaking_time_s(failed_text or text), speaking_time_s(silence_text or ""))
    spoken = (
        extension_s
        + texts * speaking_time_s(text)
        + (attempts - 1) * after_an_attempt
        + speaking_time_s(bye_text or "")
    )
    questions = (attempts + replays) * (input_timeout_s + 5)
    return min(math.ceil(spoken + questions + 60), MAX_LENGTH_TIMER_S)
