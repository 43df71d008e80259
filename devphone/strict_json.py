"""JSON as RFC 8259 has it, and in UTF-8: what Python takes beyond that would come back as a fault much later."""

from __future__ import annotations

import json
from typing import Any


def loads(content: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is none, is not in UTF-8 or begins with a byte order mark, is nested too deeply, or holds half a
            surrogate pair, which UTF-8 cannot carry.
    """
    try:
        # Given bytes, the library would guess at UTF-16 and UTF-32 too.
        value = json.loads(content.decode(), parse_constant=_refuse)
        # Escapes may spell what no encoder can write.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
