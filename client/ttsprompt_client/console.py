"""Where a command writes: results on stdout, what happens meanwhile on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ttsprompt_client.words import plain


@dataclass(frozen=True, slots=True)
class Console:
    """Never fails: that nobody reads any more changes nothing of what came of a call."""

    as_json: bool
    is_quiet: bool = False

    def result(self, value: Mapping[str, Any], text: str | None = None) -> None:
        """Write a result: one line of JSON; or `text`, if there is one and JSON was not asked for."""
        as_text = text is not None and not self.as_json
        _write(sys.stdout, plain(text) if as_text and text is not None else json.dumps(value))

    def say(self, text: str) -> None:
        """Tell what happens."""
        if not self.is_quiet:
            _write(sys.stderr, plain(text))

    def complain(self, text: str) -> None:
        """Tell what went wrong."""
        _write(sys.stderr, f"ttsprompt: {plain(text)}")


def _write(out: TextIO | None, text: str) -> None:
    if out is None:  # it was closed when the process began
        return
    encoding = out.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=out, flush=True)
    except OSError:
        # Closed by whoever read it. What is still buffered would be tried again, and complained of, at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
