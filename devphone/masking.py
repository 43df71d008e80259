"""What an onlooker must not see: what was keyed, PINs, private keys, and the tokens in webhook URLs."""

from __future__ import annotations

import re
from typing import Any, Final

SECRETS: Final = frozenset(
    {"pin_code", "reject_code", "digits", "keys", "private_key", "authorization", "dtmfanswer", "extension"}
)
MOST_DOTS: Final = 20
_TOKEN: Final = re.compile(r"\b(token=)[^&\s\"]*")


def masked(keys: str) -> str:
    """Return typed keys so that a looker-on learns nothing but how many."""
    return "•" * min(len(keys), MOST_DOTS) or "nothing"


def shown(value: Any) -> Any:
    """Return a JSON value with its secrets masked, however deep they are."""
    if isinstance(value, dict):
        return {name: _dotted(inner) if name.lower() in SECRETS else shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return _TOKEN.sub(r"\1…", value) if isinstance(value, str) else value


def _dotted(value: Any) -> Any:
    return value if value is None or value == "" else masked(str(value))
