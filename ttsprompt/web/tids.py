"""What a tid looks like."""

from __future__ import annotations

import re
from typing import Final

from ttsprompt.domain.model import UUID
from ttsprompt.errors import CallNotFoundError

TID: Final = re.compile(UUID)
"""In any case, as it is read; we write it in small letters."""

NO_TID: Final = "00000000-0000-0000-0000-000000000000"
"""No call has it: a tid is a UUID with a version (RFC 9562 §4.2)."""


def tid_of(text: str) -> str:
    """Return the tid in a path.

    Raises:
        CallNotFoundError: it is none, so no call has it.
    """
    if not TID.fullmatch(text):
        raise CallNotFoundError
    return text.lower()


def tid_asked_for(text: str) -> str:
    """Return the tid that a caller asks for; if it is none, one that no call has.

    So it goes the way of an unknown one, and who may not ask is told so, not that there is no such call.
    """
    try:
        return tid_of(text)
    except CallNotFoundError:
        return NO_TID
