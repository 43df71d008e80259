"""Whom the operator lets call, and where to. Anybody may reach a public function, and a call costs money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ttsprompt.errors import (
    ApplicationNotAllowedError,
    CountryNotAllowedError,
    FieldFault,
    NumberNotAllowedError,
    TtsPromptError,
)

INTERNATIONAL: Final = "001"
"""libphonenumber's region of numbers that belong to no country: satellite and other global networks."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The operator's lists; None allows all. Countries are ISO 3166 codes, so that +1 is told apart."""

    applications: frozenset[str] | None = None
    countries: frozenset[str] | None = None

    def check_application(self, application_id: str) -> None:
        """Refuse an application that is not on the list.

        Raises:
            ApplicationNotAllowedError: it is not.
        """
        if self.applications is not None and application_id.lower() not in self.applications:
            raise ApplicationNotAllowedError

    def check_number(self, number: str) -> None:
        """Refuse a number that is dear by its kind, or whose country is not on the list.

        Raises:
            NumberNotAllowedError, CountryNotAllowedError: it is.
        """
        error = self._objection(number)
        if error is not None:
            raise error

    def warnings(self, number: str) -> list[FieldFault]:
        """Return the same as what a dry run says of it."""
        error = self._objection(number)
        return [] if error is None else [FieldFault("to", error.code, error.detail)]

    def _objection(self, number: str) -> TtsPromptError | None:
        import phonenumbers  # noqa: PLC0415 - slow, and no webhook needs it

        parsed = phonenumbers.parse(f"+{number}")
        region = phonenumbers.region_code_for_number(parsed)
        refused = {
            phonenumbers.PhoneNumberType.PREMIUM_RATE,
            phonenumbers.PhoneNumberType.SHARED_COST,
            phonenumbers.PhoneNumberType.UAN,
        }
        if region == INTERNATIONAL or phonenumbers.number_type(parsed) in refused:
            return NumberNotAllowedError()
        if self.countries is not None and region not in self.countries:
            return CountryNotAllowedError()
        return None
