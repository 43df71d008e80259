"""The three settings, from options or the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ttsprompt_client.client import Client
from ttsprompt_client.errors import UsageError

NAMES: Final = {
    "url": "TTSPROMPT_URL",
    "application_id": "VONAGE_APPLICATION_ID",
    "private_key": "VONAGE_PRIVATE_KEY",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set, an option before the environment; None if neither is. Blanks around a value are no part of it."""

    url: str | None
    application_id: str | None
    private_key: str | None = field(repr=False)

    def missing(self) -> list[str]:
        """Return the environment's names of what is not set."""
        return [variable for name, variable in NAMES.items() if getattr(self, name) is None]

    def client(self, *, without_credential: bool = False) -> Client:
        """Return the client that the settings make.

        Raises:
            UsageError: one is missing, or makes no sense.
        """
        needed = {NAMES["url"]} if without_credential else set(NAMES.values())
        missing = [name for name in self.missing() if name in needed]
        if missing or self.url is None:
            raise UsageError(f"Not set: {', '.join(missing)}. Set it in the environment, or give the option.")
        return Client(self.url, self.application_id, self.private_key)


def shown_variable(name: str) -> str:
    """Return the name of an environment variable as it may be shown: what cannot be one is likely its value."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII) else "What cannot be a variable"


def read_settings(options: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """Return the settings; an empty value counts as none."""
    values = {name: options.get(name) or environment.get(variable) for name, variable in NAMES.items()}
    return Settings(**{name: (value or "").strip() or None for name, value in values.items()})
