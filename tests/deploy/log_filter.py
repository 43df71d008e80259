"""The part of Cloud Logging's query language that our filters use, to hold them against real log lines.

`field="text"`, `field=("a" OR "b")`, `field=~"regex"`, `severity>=ERROR`, joined by AND or a line's end, by OR, which
binds closer, and in parentheses; NOT binds closest (https://cloud.google.com/logging/docs/view/logging-query-language).
"""

from __future__ import annotations

import re
from typing import Any, Final

SEVERITIES: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_COMPARISON: Final = re.compile(r'([\w./]+)\s*(=~|>=|=)\s*(\("[^)]*\)|"(?:[^"\\]|\\.)*"|\w+)')


def matches(query: str, entry: dict[str, Any]) -> bool:
    """Tell whether a log entry is one that a filter asks for.

    Raises:
        ValueError: the filter uses what is not known here.
    """
    reader = _Reader(query, entry)
    good = reader.all_of()
    if reader.rest:
        raise ValueError(reader.rest)
    return good


class _Reader:
    """Reads a filter from left to right."""

    def __init__(self, query: str, entry: dict[str, Any]) -> None:
        self.rest = query.strip()
        self._entry = entry

    def _take(self, word: str) -> bool:
        found = re.match(word, self.rest)
        if found:
            self.rest = self.rest[found.end() :].strip()
        return found is not None

    def all_of(self) -> bool:
        good = self._any_of()
        while self.rest and not self.rest.startswith(")"):
            self._take(r"AND\b")
            good = self._any_of() and good
        return good

    def _any_of(self) -> bool:
        good = self._one()
        while self._take(r"OR\b"):
            good = self._one() or good
        return good

    def _one(self) -> bool:
        if self._take(r"NOT\b"):
            return not self._one()
        if self._take(r"\("):
            good = self.all_of()
            if not self._take(r"\)"):
                raise ValueError(self.rest)
            return good
        found = _COMPARISON.match(self.rest)
        if found is None:
            raise ValueError(self.rest)
        self.rest = self.rest[found.end() :].strip()
        return _holds(found[2], _field(self._entry, found[1]), found[3])


def _field(entry: dict[str, Any], path: str) -> Any:
    value: Any = entry
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _holds(operator: str, value: Any, wanted: str) -> bool:
    if operator == ">=":
        return SEVERITIES.index(value) >= SEVERITIES.index(wanted)
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', wanted)
    if operator == "=~":
        return value is not None and re.search(words[0], value) is not None
    return value in words


def entry_of(line: dict[str, Any], service: str) -> dict[str, Any]:
    """Return a line on stdout as Cloud Logging keeps it: known fields are lifted, the rest is the payload."""
    lifted = {"severity", "time", "logging.googleapis.com/trace"}
    return {
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "logName": "projects/my-project/logs/run.googleapis.com%2Fstdout",
        "severity": line["severity"],
        "jsonPayload": {name: value for name, value in line.items() if name not in lifted},
    }
