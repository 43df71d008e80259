"""Logs: JSON lines on stdout under Cloud Logging's field names, with secrets and numbers taken out.

A log event is a constant word with fields (`call_placed tid=…`). What libraries log goes the same way, so that
nothing reaches stdout without redaction.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from flask import Request

from ttsprompt import __version__

_trace: ContextVar[str | None] = ContextVar("trace", default=None)

_GAP: Final = r"(?:[ \u00a0()./-]|%20){0,3}"
_NUMBER: Final = re.compile(
    r"(?:(?<![\w.-])|(?<=%2B)|(?<=%20))"
    r"(?!(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]\.[0-9]+(?![0-9.])|(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.]))"
    rf"(?:\+\(?[0-9](?:{_GAP}[0-9]){{6,19}}(?![0-9])|\(?[0-9](?:{_GAP}[0-9]){{6,19}}(?![\w-]))",
    re.IGNORECASE,
)
"""A telephone number, also with blanks and punctuation; no piece of a UUID or hash, no fraction, address or date."""

_REDACTIONS: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"-----BEGIN [^-]*-----.*?(-----END [^-]*-----|\Z)", re.DOTALL), "[key]"),
    (re.compile(r"\beyJ[\w-]*(\.[\w-]*)*"), "[jwt]"),
    (re.compile(r"(?i)\b(bearer)\s+[^\s\"',]+"), r"\1 [token]"),
    (
        re.compile(r"(?i)\b(token|dtmf|digits|pin_code|private_key|reject_code)(\"?'?\s*[=:]\s*\"?'?)[^\s&\"',}]+"),
        r"\1\2[hidden]",
    ),
    (re.compile(r"\bwh(?:sec|sk)_[\w+/=]+"), "[signing key]"),
    (_NUMBER, lambda match: f"[number …{re.sub('[^0-9]', '', match[0])[-2:]}]"),
)

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_CLOUD_TRACE: Final = re.compile(r"([0-9a-f]{32})(/.*)?", re.ASCII)

QUIET_LIBRARIES: Final = ("urllib3", "requests", "google", "grpc", "werkzeug", "gunicorn", "vonage", "asyncio")
"""Their DEBUG and INFO lines hold URLs and headers."""


def redact(text: str) -> str:
    """Return `text` without tokens, keys, digits that were typed, and telephone numbers."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


class JsonLines(logging.Formatter):
    """One JSON object a line, as Cloud Logging reads it (https://cloud.google.com/logging/docs/structured-logging)."""

    def __init__(self, project: str | None) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, Any] = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "message": redact(record.getMessage()),
            "logger": record.name,
            "version": __version__,
        }
        for name, value in getattr(record, "fields", {}).items():
            if value is not None:
                line[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        trace = _trace.get()
        if trace is not None and self._project is not None:
            line["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{trace}"
        return json.dumps(line, default=lambda value: redact(str(value)))


def configure_logging(level: str, project: str | None, stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (stdout) as redacted JSON lines. May be called again."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines(project))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def enter_request(request: Request) -> None:
    """Remember the request's trace id, so that Cloud Logging shows its lines together."""
    found = _TRACEPARENT.fullmatch(request.headers.get("traceparent", "")) or _CLOUD_TRACE.fullmatch(
        request.headers.get("X-Cloud-Trace-Context", "")
    )
    _trace.set(found.group(1) if found else None)
