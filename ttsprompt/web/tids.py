"""What a tid looks like."""

from __future__ import annotations

import re
from typing import Final

from ttsprompt.errors import CallNotFoundError

TID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def tid_of(text: str) -> str:
    """Return the tid in a path.

    Raises:
        CallNotFoundError: it is none, so no call has it.
    """
    if not TID.fullmatch(text):
        raise CallNotFoundError
    return text
