"""The part of Cloud Logging's query language that our filters use, to hold them against real log lines.

`field="text"`, `field=("a" OR "b")`, `field=~"regex"`, `severity>=ERROR`, joined by AND or by a line's end
(https://cloud.google.com/logging/docs/view/logging-query-language).
"""

from __future__ import annotations

import re
from typing import Any, Final

SEVERITIES: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_COMPARISON: Final = re.compile(
    r'\s*([\w./]+)\s*(=~|>=|=)\s*(\([^)]*\)|"(?:[^"\\]|\\.)*"|\w+)\s*(?:AND\b|$|\n|(?=[\w.]+\s*(?:=~|>=|=)))'
)


def matches(query: str, entry: dict[str, Any]) -> bool:
    """Tell whether a log entry is one that a filter asks for.

    Raises:
        ValueError: the filter uses what is not known here.
    """
    position, good = 0, True
    query = query.strip()
    while position < len(query):
        found = _COMPARISON.match(query, position)
        if found is None:
            raise ValueError(query[position:])
        good = good and _holds(found[2], _field(entry, found[1]), found[3])
        position = found.end()
    return good


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
