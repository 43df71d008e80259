"""Whom the operator lets call, and where to. Anybody may reach a public function, and a call costs money."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import phonenumbers

from ttsprompt.domain.model import Call
from ttsprompt.errors import (
    ApplicationNotAllowedError,
    CountryNotAllowedError,
    FieldFault,
    NumberNotAllowedError,
    TooManyCallsError,
    TtsPromptError,
)
from ttsprompt.ports import QuotaStore
from ttsprompt.service.choices import AdmissionRules

INTERNATIONAL: Final = "001"
"""libphonenumber's region of numbers that belong to no country: satellite and other global networks."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The operator's rules, applied. What is counted is kept in `quota`."""

    rules: AdmissionRules
    quota: QuotaStore

    @property
    def counts(self) -> bool:
        """Whether calls are counted, so that one request depends on others."""
        return self.rules.limit is not None

    def check_application(self, application_id: str) -> None:
        """Refuse an application that is not on the list.

        Raises:
            ApplicationNotAllowedError: it is not.
        """
        if self.rules.applications is not None and application_id.lower() not in self.rules.applications:
            raise ApplicationNotAllowedError

    def check_number(self, number: str) -> None:
        """Refuse a number that is expensive by its kind, or whose country is not on the list.

        Raises:
            NumberNotAllowedError, CountryNotAllowedError: it is.
        """
        error = self._objection(number)
        if error is not None:
            raise error

    def reserve(self, call: Call, now: datetime, *, timeout_s: float) -> None:
        """Count a call that is about to be dialled.

        Raises:
            TooManyCallsError: the number was called often enough for now.
            StoreUnavailableError: it is not known whether it may be called.
        """
        if self.rules.limit is None:
            return
        window, most = self.rules.limit.window, self.rules.limit.most
        free_at = self.quota.acquire(_key(call), call.tid, now=now, window=window, most=most, timeout_s=timeout_s)
        if free_at is not None:
            raise TooManyCallsError(max(1, math.ceil((free_at - now).total_seconds())))

    def release(self, call: Call, *, timeout_s: float) -> None:
        """Do not count a call that was not dialled after all.

        Raises:
            StoreUnavailableError: it stays counted until its window is over.
        """
        if self.counts:
            self.quota.release(_key(call), call.tid, timeout_s=timeout_s)

    def warnings(self, number: str) -> list[FieldFault]:
        """Return the same as what a dry run says of it."""
        error = self._objection(number)
        return [] if error is None else [FieldFault("to", error.code, error.detail)]

    def _objection(self, number: str) -> TtsPromptError | None:
        parsed = phonenumbers.parse(f"+{number}")
        region = phonenumbers.region_code_for_number(parsed)
        kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(parsed)).lower()
        if region == INTERNATIONAL or kind in self.rules.refused_types:
            return NumberNotAllowedError()
        if self.rules.countries is not None and region not in self.rules.countries:
            return CountryNotAllowedError()
        return None


def _key(call: Call) -> str:
    """Return what the limit is counted by. A hash, as a document's name shows up in many places."""
    return hashlib.sha256(f"{call.application_id}\n{call.to}".encode()).hexdigest()
