"""The timeline on a terminal: aligned, in colour where that helps, secrets masked."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

from devphone.happenings import CallbackReceived, Happening
from devphone.telling import tell, verdict

_COLOURS: Final = {"service": "34", "vonage": "35", "callee": "32", "you": "36"}
WIDEST_FACT: Final = 70


class Screen:
    """Prints lines as they happen."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._colours = self._out.isatty() and "NO_COLOR" not in os.environ
        self._done = -1

    def show(self, happening: Happening) -> None:
        """Print what happened."""
        told = tell(happening)
        parts = [told.words, *(_short(fact) for fact in told.facts)]
        if told.result is not None:
            parts.append(f"→ {told.result}")
        faults = [f"\n{'':22}{fault}" for fault in told.bodies.get("Faults", [])]
        self.say(happening.at_s, happening.from_, "".join([" ".join(parts), *faults]))

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

    def callback(self, callback: CallbackReceived) -> None:
        """Print a callback."""
        self.title("The callback that was received")
        self.pairs(callback.fields)
        self.pair("webhook-id", callback.id)
        self.pair(*verdict(callback.verified).split(" ", 1))

    def _print(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding), file=self._out, flush=True)

    def colour(self, text: str, code: str) -> str:
        """Return `text` in a colour, if this terminal shows any."""
        return f"\033[{code}m{text}\033[0m" if self._colours else text


def _plain(text: str) -> str:
    """Return text without control characters: what others send must not steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def _short(text: str) -> str:
    return text if len(text) <= WIDEST_FACT else f"{text[: WIDEST_FACT - 3]}…"
