"""The caller's credential."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """The caller's Vonage application token: for this request only, never stored, never logged."""

    application_id: str
    token: str = field(repr=False)
