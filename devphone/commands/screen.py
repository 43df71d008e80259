"""The timeline on a terminal: aligned, in colour where that helps, secrets masked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

from devphone.masking import masked
from devphone.timeline import Line

_COLOURS: Final = {"service": "34", "vonage": "35", "callee": "32", "you": "36"}


class Screen:
    """Prints lines as they happen."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._colours = self._out.isatty() and "NO_COLOR" not in os.environ
        self._done = -1

    def show(self, line: Line) -> None:
        """Print one line of the timeline."""
        self.say(line.at_s, line.who, f"{line.what}{_details(line)}")

    def say(self, at_s: float, who: str, text: str) -> None:
        """Print what somebody did at a moment."""
        self._print(f"{at_s:7.1f} s  {self.colour(f'{who:8}', _COLOURS.get(who, '0'))}  {_plain(text)}")

    def title(self, text: str) -> None:
        """Print a heading."""
        self._print(f"\n{self.colour(text, '1')}")

    def progress(self, done: int, of: int) -> None:
        """Show how far something has come: a bar on a terminal, else a line."""
        if self._out.isatty():
            bar = "█" * (40 * done // of)
            print(f"\r  {bar:40} {done}/{of}", end="\n" if done >= of else "", file=self._out, flush=True)
        elif done != self._done:
            print(f"  {done}/{of}", file=self._out, flush=True)
        self._done = done

    def pairs(self, facts: Mapping[str, object]) -> None:
        """Print names and their values."""
        for name, value in facts.items():
            self.pair(name, value)

    def pair(self, name: str, value: object) -> None:
        """Print a name and its value."""
        self._print(f"  {name:17} {_plain(str(value))}")

    def failed(self, reason: str) -> int:
        """Print why a command failed; return its exit code."""
        self._print(self.colour(f"\nFailed: {_plain(reason)}", "31"))
        return 1

    def callback(self, data: dict[str, Any]) -> None:
        """Print a callback."""
        self.title("The callback that was received")
        for name, value in data["fields"].items():
            self.pair(name, value)
        self.pair("webhook-id", data["id"])
        self.pair("signature", {True: "verified", False: "WRONG", None: "not checked"}[data["verified"]])

    def _print(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding), file=self._out, flush=True)

    def colour(self, text: str, code: str) -> str:
        """Return `text` in a colour, if this terminal shows any."""
        return f"\033[{code}m{text}\033[0m" if self._colours else text


def _plain(text: str) -> str:
    """Return text without control characters: what others send must not steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def _details(line: Line) -> str:
    """Return the part of a line's data that a person wants, in words."""
    data = line.data
    parts = [f"{count} {name}" for name, count in data.get("counts", {}).items() if count]
    if "to" in data:
        parts.append(f"to {data['to']}")
    if "text" in data:
        parts.append(f"“{_short(data['text'])}”")
    if "keys" in data:
        parts.append(masked(data["keys"]))
    if "url" in data:
        parts.append(_where(data["url"]))
    if "by" in data:
        parts.append(f"({data['by']})")
    if "fault" in data or "status" in data:
        parts.append(f"→ {data.get('status') or data.get('fault')}")
    if data.get("sends", 1) > 1:
        parts.append(f"({data['sends']} sends)")
    parts += [f"\n{'':22}{fault}" for fault in data.get("faults", [])]
    if "fields" in data:
        parts.append(f"{data['method']} status={data['fields'].get('status')}{_verdict(data['verified'])}")
    if "answer" in data:
        parts.append(f"→ {data['answer']}")
    return "".join(f" {part}" for part in parts)


def _where(url: str) -> str:
    """Return a webhook URL without its id and token."""
    parts = urlsplit(url)
    route = parts.path.rstrip("/").split("/")[-2:][0]
    step = re.search(r"[?&]step=(\d+)", url)
    return f"at /{route}" + (f" step {step[1]}" if step else "")


def _short(text: str) -> str:
    return text if len(text) <= 70 else f"{text[:67]}…"  # noqa: PLR2004 - what fits a line


def _verdict(verified: Any) -> str:
    return {True: ", signature verified", False: ", SIGNATURE WRONG", None: ""}[verified]
