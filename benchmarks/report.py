"""The figures, as a table for people and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MANY: Final = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One target: pairs of what the floor and the service came to, measured in turn.

    With `at_most` the ratio must not be above the bar (times, memory), else not below (rates). No bar: reported only.
    """

    name: str
    unit: str
    floor: tuple[float, ...]
    ours: tuple[float, ...]
    bar: float | None
    at_most: bool = True
    compared_with: str = "floor"

    @property
    def ratios(self) -> list[float]:
        """The ratio of each pair: the machine was the same within it."""
        return [ours / floor for ours, floor in zip(self.ours, self.floor, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.bar is None:
            return None
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar

    def as_dict(self) -> dict[str, object]:
        """Return the row as JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "compared_with": self.compared_with,
            "floor": list(self.floor),
            "ours": list(self.ours),
            "ratio": round(self.ratio, 3),
            "ratios": [round(ratio, 3) for ratio in self.ratios],
            "bar": self.bar,
            "bar_is": "at most" if self.at_most else "at least",
            "met": self.is_met,
        }


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text."""
    lines = [f"{'':46} {'floor':>10} {'ours':>10} {'unit':6} {'ratio':>6}  {'spread':13} {'target':9}"]
    for row in rows:
        bar = "" if row.bar is None else f"{'≤' if row.at_most else '≥'} {row.bar:g}"
        verdict = {True: "met", False: "MISSED", None: ""}[row.is_met]
        spread = f"{min(row.ratios):.2f}-{max(row.ratios):.2f}"
        floor, ours = (_figure(statistics.median(values)) for values in (row.floor, row.ours))
        lines.append(
            f"{row.name:46} {floor:>10} {ours:>10} {row.unit:6} {row.ratio:6.2f}  {spread:13} {bar:9} {verdict}"
        )
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= MANY else f"{value:.3g}"
