"""Whom the operator lets call, and where to. Anybody may reach a public function, and a call costs money."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime

from ttsprompt.domain.model import Call
from ttsprompt.errors import (
    ApplicationNotAllowedError,
    CountryNotAllowedError,
    NumberNotAllowedError,
    TooManyCallsError,
)
from ttsprompt.phone_numbers import INTERNATIONAL, judge
from ttsprompt.ports import QuotaStore
from ttsprompt.service.choices import AdmissionRules


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
        """Refuse a number that is listed, that is expensive by its kind, or whose country is not on the list.

        Surplus digits make no other number of it: a network drops them.

        Raises:
            NumberNotAllowedError, CountryNotAllowedError: it is.
        """
        judged = judge(number)
        if not self.rules.refused_numbers.isdisjoint({number, judged.reached}):
            raise NumberNotAllowedError("The operator has excluded this number.")
        if INTERNATIONAL in judged.regions:
            raise NumberNotAllowedError(
                "It is of a satellite or other network that belongs to no country. Such are never called."
            )
        for kind in sorted(judged.kinds & self.rules.refused_types):
            raise NumberNotAllowedError(f"The operator excludes numbers of this kind: {kind.replace('_', ' ')}.")
        if self.rules.countries is not None and self.rules.countries.isdisjoint(judged.regions):
            raise CountryNotAllowedError

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


def _key(call: Call) -> str:
    """Return what the limit is counted by. A hash, as a document's name shows up in many places.

    Surplus digits make no other number of it: a network drops them.
    """
    return hashlib.sha256(f"{call.application_id}\n{judge(call.to).reached}".encode()).hexdigest()
