"""What a tid looks like."""

from __future__ import annotations

import re
from typing import Final

TID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

NO_TID: Final = "00000000-0000-0000-0000-000000000000"
"""No call has it: tids are UUIDs of a version (RFC 9562 §4.2)."""


def tid_of(text: str) -> str:
    """Return the tid in a path; if it is none, one that no call has.

    So what is no tid goes the way of an unknown one: who may not ask is refused alike, and all the others find nothing.
    """
    return text if TID.fullmatch(text) else NO_TID
