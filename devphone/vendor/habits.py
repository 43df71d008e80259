"""Switches for what Vonage leaves open: the reference marks these facts uncertain, and a service copes with both."""

from __future__ import annotations

from enum import StrEnum


class Habit(StrEnum):
    """One way Vonage may behave; a phone without the habit behaves the other way."""

    HASH_IN_DIGITS = "hash-in-digits"
    """The `#` that submits an entry is among its digits (docs/vonage.md §2.2)."""
    TIME_OUT_FROM_SPEECH = "time-out-from-speech"
    """Under bargeIn, `timeOut` counts from the start of the speech, not from its end (§2.1)."""
    PARTIAL_DIGITS = "partial-digits"
    """A callee who hangs up while keying: what was keyed is reported, then `completed` (§3.2)."""
    LATE_PARTIAL_DIGITS = "late-partial-digits"
    """As before, but `completed` comes first."""
    NULL_DIGITS = "null-digits"
    """Nothing keyed is `"digits": null` instead of an empty string (§3.2)."""
    NO_DIGITS = "no-digits"
    """Nothing keyed means no `digits` at all (§3.2)."""
    PLAIN_UUIDS = "plain-uuids"
    """Webhooks carry a call's uuid without dashes, the REST API with them (§1.3)."""
    SWAPPED_NUMBERS = "swapped-numbers"
    """The input webhook's `to` and `from` are the other way round (§3.1)."""
    NO_COMPLETED = "no-completed"
    """No `completed` follows the ending of a call that nobody answered (§3.3)."""
    LATE_RINGING = "late-ringing"
    """`started` and `ringing` arrive after the event that follows them (§3.3)."""
    EARLY_PUT_400 = "early-put-400"
    """PUT answers 400 in the first two seconds of a call (§1.5)."""
    RETRY_AFTER = "retry-after"
    """429 says in `Retry-After` how long to wait (§1.4)."""
