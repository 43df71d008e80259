"""Who answers at which number."""

from __future__ import annotations

from dataclasses import dataclass, field

from devphone.callee.numbers import Vendor, reserved
from devphone.callee.script import Callee


@dataclass(slots=True, eq=False)
class Directory:
    """A script of a number's own comes first, then the test numbers; `everybody` is the callee at any other."""

    everybody: Callee = field(default_factory=Callee)
    scripts: dict[str, Callee] = field(default_factory=dict)

    def callee(self, number: str) -> Callee:
        """Return who is phoned at a number."""
        test_number = reserved(number)
        default = self.everybody if test_number is None else test_number.callee
        return self.scripts.get(number, default)

    def vendor(self, number: str) -> Vendor:
        """Return what Vonage does with a call to a number."""
        test_number = None if number in self.scripts else reserved(number)
        return Vendor.ACCEPTS if test_number is None else test_number.vendor
