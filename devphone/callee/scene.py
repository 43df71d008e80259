"""What an onlooker sees and hears of one call at this moment. All times are telephone seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Question:
    """An open question: so many keys at most, until then. `keyed`: how many there are; never which."""

    most: int
    submits_on_hash: bool
    until_s: float
    keyed: int = 0


@dataclass(slots=True, eq=False)
class Scene:
    """Ringing, what is being said, and the open question. `changed` is told of every change."""

    changed: Callable[[], None] = lambda: None
    rings_until_s: float = 0
    answered_s: float | None = None
    ended_s: float | None = None
    caption: str = ""
    language: str = "en-US"
    captions: int = 0
    """How many captions there were: the same words said again are another."""
    speaks_until_s: float = 0
    question: Question | None = field(default=None)

    def ring(self, until_s: float) -> None:
        """The telephone rings."""
        self.rings_until_s = until_s
        self.changed()

    def answer(self, at_s: float) -> None:
        """Somebody picks up."""
        self.answered_s = at_s
        self.changed()

    def say(self, text: str, language: str, at_s: float, lasts_s: float) -> None:
        """Something is said, after what is still being said."""
        goes_on = at_s < self.speaks_until_s
        self.caption = f"{self.caption} {text}" if goes_on else text
        self.speaks_until_s = (self.speaks_until_s if goes_on else at_s) + lasts_s
        self.language = language
        self.captions += 1
        self.changed()

    def ask(self, question: Question) -> None:
        """Keys are waited for."""
        self.question = question
        self.changed()

    def key(self, at_s: float, until_s: float) -> None:
        """A key is pressed, which ends the speech; the next one is waited for."""
        self.speaks_until_s = min(self.speaks_until_s, at_s)
        if self.question is not None:
            self.question.keyed += 1
            self.question.until_s = until_s
        self.changed()

    def hush(self, at_s: float) -> None:
        """The speech breaks off."""
        self.speaks_until_s = min(self.speaks_until_s, at_s)
        self.changed()

    def close_question(self) -> None:
        """No more keys are waited for."""
        self.question = None
        self.changed()

    def end(self, at_s: float) -> None:
        """The call is over."""
        self.ended_s = at_s
        self.question = None
        self.speaks_until_s = min(self.speaks_until_s, at_s)
        self.changed()
