"""A line of the timeline as the page shows it: between whom, in words, with its body; secrets masked."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from devphone.masking import shown
from devphone.pace import Pace, iso
from devphone.timeline import Line

_TOWARDS: Final = {
    "posts a request": "service",
    "answers you": "you",
    "asks for a call": "vonage",
    "asks for a call, in vain": "vonage",
    "asks to hang up": "vonage",
    "asks to hang up too early": "vonage",
    "fetches the first NCCO": "service",
    "reports the keys": "service",
    "reports an error": "service",
    "calls back": "you",
    "rings": "callee",
    "says": "callee",
    "sweeps": "service",
}


def page_line(number: int, line: Line, key: str | None, pace: Pace) -> dict[str, Any]:
    """Return a line as JSON; `key` is the call it is about."""
    data = shown(line.data)
    towards = _TOWARDS.get(line.what) or ("service" if line.what.startswith("reports ") else None)
    status = data.get("answer", data.get("status"))
    return {
        "line": number,
        "at": iso(pace.at(line.at_s)),
        "at_s": round(line.at_s, 2),
        "who": line.who,
        "towards": towards,
        "what": line.what,
        "key": key,
        "detail": _detail(data),
        "status": status,
        "is_fault": _is_fault(status, data),
        "seconds": data.get("seconds"),
        "bodies": [{"name": name, "value": data[field]} for field, name in _BODIES.items() if field in data],
    }


_BODIES: Final = {
    "url": "URL",
    "body": "Body",
    "fields": "Fields",
    "reply": "Answer",
    "counts": "Counts",
    "faults": "Faults",
}


def _detail(data: dict[str, Any]) -> str:
    """Return the part of the data that fits on the line itself."""
    parts = [str(data[name]) for name in ("to", "method", "keys", "code") if name in data]
    if "text" in data:
        parts.append(f"“{data['text']}”")
    if "url" in data and "/callback" not in data["url"]:
        parts.append(_route(data["url"]))
    if "by" in data:
        parts.append(f"by {data['by']}")
    if "fields" in data:
        parts += [str(data["fields"][name]) for name in ("status", "reason") if name in data["fields"]]
        parts.append(
            {True: "signature verified", False: "signature wrong", None: "signature not checked"}[data["verified"]]
        )
    if "counts" in data:
        parts.append(
            ", ".join(f"{count} {name}" for name, count in data["counts"].items() if count) or "nothing was due"
        )
    if data.get("sends", 1) > 1:
        parts.append(f"sent {data['sends']} times")
    if "fault" in data:
        parts.append(data["fault"])
    return " · ".join(parts)


def _route(url: str) -> str:
    """Return where a webhook goes, without the call's id and token."""
    parts = urlsplit(url)
    step = next((f" step {value[5:]}" for value in parts.query.split("&") if value.startswith("step=")), "")
    return "/" + parts.path.strip("/").partition("/")[0] + step


def _is_fault(status: Any, data: dict[str, Any]) -> bool:
    if data.get("verified") is False or "faults" in data or data.get("fault") is not None:
        return True
    return isinstance(status, int) and status >= 400  # noqa: PLR2004 - the first status of errors
