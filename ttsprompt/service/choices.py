"""The operator's choices that use cases follow: plain data, as the settings hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class AnswerMode(StrEnum):
    """Where the first NCCO comes from: sent along when the call is placed, or fetched from us by Vonage."""

    INLINE = "inline"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class NumberLimit:
    """At most `most` calls to one number for one application within `window`."""

    most: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """The operator's lists; None allows all. Countries are ISO 3166 codes, so that +1 is told apart.

    `refused_types` are libphonenumber's, in lower case; `refused_numbers` are E.164 digits.
    """

    applications: frozenset[str] | None = None
    countries: frozenset[str] | None = None
    refused_types: frozenset[str] = frozenset()
    refused_numbers: frozenset[str] = field(default=frozenset(), repr=False)
    limit: NumberLimit | None = None
