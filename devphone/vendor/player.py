"""Plays NCCOs to the callee: speech and keys with their timing (docs/vonage.md §2)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final

from devphone.callee.person import Person
from devphone.callee.scene import Question, Scene
from devphone.callee.script import Callee, Entry
from devphone.happenings import CalleeHungUp, Keyed, Spoken
from devphone.pace import Pace
from devphone.vendor.habits import Habit
from devphone.vendor.reporter import Reporter
from devphone.vendor.speech import speech_s, spoken
from devphone.vendor.webhooks import Reply

LATE_S: Final = 1.0
"""How long after `completed` late digits come."""


class HungUp(Exception):  # noqa: N818 - not an error: it is how a call ends
    """The call is over; `by` is user or platform."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


@dataclass(slots=True, eq=False)
class Player:
    """Plays the NCCOs of one call. Reports that outlive the call become tasks of `tasks`.

    With a `person` their keys are taken, as they come, instead of the callee's script.
    """

    callee: Callee
    pace: Pace
    reporter: Reporter
    tasks: asyncio.TaskGroup
    habits: Collection[Habit] = frozenset()
    person: Person | None = None
    scene: Scene = field(default_factory=Scene)
    _questions: int = 0
    _asking: dict[str, Any] | None = None
    """The input that waits for a person's keys, and below what they have keyed."""
    _keyed: str = ""
    _replacement: list[dict[str, Any]] = field(default_factory=list)
    _is_replaced: asyncio.Event = field(default_factory=asyncio.Event)

    def replace(self, ncco: list[dict[str, Any]]) -> None:
        """Play this NCCO instead of the one that is played or comes next."""
        self._replacement = ncco
        self._is_replaced.set()

    async def play(self, ncco: list[dict[str, Any]]) -> None:
        """Play an NCCO and those that follow it, to the end.

        Raises:
            HungUp: the callee hung up, or the service answered with what is no NCCO.
        """
        while ncco:
            ncco = await self._play_until_replaced(ncco)

    async def _play_until_replaced(self, ncco: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As `_play`, unless another NCCO comes meanwhile."""
        playing, replaced = asyncio.create_task(self._play(ncco)), asyncio.create_task(self._is_replaced.wait())
        try:
            await asyncio.wait({playing, replaced}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                return playing.result()
            playing.cancel()
            await asyncio.wait({playing})
        finally:
            playing.cancel()
            replaced.cancel()
        self._is_replaced.clear()
        self._asking, self._keyed = None, ""
        self.scene.hush(self.pace.seconds())
        return self._replacement

    async def _play(self, ncco: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Play an NCCO up to its first input; return what comes next."""
        barge_in, deaf_s, speaking_s = False, 0.0, 0.0
        for position, action in enumerate(ncco):
            if action["action"] == "input":
                keys, timed_out = await self._listen(action, deaf_s, speaking_s)
                # What is on its way arrives, also when the call ends meanwhile.
                report = self.tasks.create_task(self.reporter.keys(action, keys, timed_out=timed_out))
                return self._next(await asyncio.shield(report), ncco[position + 1 :])
            language = str(action.get("language", "en-US"))
            self.reporter.tell(Spoken, text=action["text"], language=language)
            self.scene.say(spoken(action), language, self.pace.seconds(), speech_s(action))
            # Once on, it stays on until the input, which listens from the first word.
            barge_in = barge_in or action.get("bargeIn") is True
            if barge_in:
                speaking_s += speech_s(action)
            else:
                deaf_s += speech_s(action)
                await self.pace.sleep(speech_s(action))
        return []

    async def _listen(self, action: dict[str, Any], deaf_s: float, speaking_s: float) -> tuple[str, bool]:
        """Return the keys of one question, and whether the timer ended it.

        The speech before it took `deaf_s`, and goes on for the first `speaking_s`.
        """
        dtmf = action.get("dtmf", {})
        most, patience_s = int(dtmf.get("maxDigits", 4)), float(dtmf.get("timeOut", 3))
        given_up_s = patience_s + (0 if Habit.TIME_OUT_FROM_SPEECH in self.habits else speaking_s)
        self.scene.ask(Question(most, dtmf.get("submitOnHash") is True, self.pace.seconds() + given_up_s))
        try:
            if self.person is not None:
                return await self._listen_to(self.person, action, most, patience_s, given_up_s)
            begins_s = self.callee.think_s + (-deaf_s if self.callee.interrupts else speaking_s)
            return await self._play_script(action, most, patience_s, begins_s, given_up_s)
        finally:
            self.scene.close_question()

    async def _play_script(
        self, action: dict[str, Any], most: int, patience_s: float, begins_s: float, given_up_s: float
    ) -> tuple[str, bool]:
        """As `_listen`, with the keys of the callee's script; `begins_s` below 0: they began before the question."""
        entry, pause_s = self.callee.entry(self._questions), self.callee.key_s + min(begins_s, 0)
        self._questions += 1
        while entry.keys and pause_s <= 0:
            # Nobody listened yet (docs/vonage.md §2.1).
            entry, pause_s = replace(entry, keys=entry.keys[1:]), pause_s + self.callee.key_s
        if begins_s > given_up_s or entry == Entry():
            await self.pace.sleep(given_up_s)
            self._tell_keys("")
            return "", True
        await self.pace.sleep(begins_s)
        keys = ""
        for key in entry.keys:
            await self.pace.sleep(pause_s)
            pause_s = self.callee.key_s
            keys, is_complete = self._with(keys, key, action, most)
            self.scene.key(self.pace.seconds(), self.pace.seconds() + patience_s)
            if is_complete:
                self._tell_keys(keys)
                if entry.hangs_up:
                    # The keys and the ending race each other to the service.
                    self._report_later(action, keys)
                    self._leave()
                return keys, False
        if keys:
            self._tell_keys(keys)
        if entry.hangs_up:
            await self._hang_up_within(action, keys)
        await self.pace.sleep(patience_s)
        return keys, True

    async def _listen_to(
        self, person: Person, action: dict[str, Any], most: int, patience_s: float, given_up_s: float
    ) -> tuple[str, bool]:
        """As `_listen`, with the keys of a person; each key starts the timer anew."""
        person.forget()
        self._asking, self._keyed = action, ""
        is_complete, until_s = False, self.pace.seconds() + given_up_s
        while not is_complete:
            key = await person.key((until_s - self.pace.seconds()) / self.pace.speed)
            if key is None:
                break
            self._keyed, is_complete = self._with(self._keyed, key, action, most)
            until_s = self.pace.seconds() + patience_s
            self.scene.key(self.pace.seconds(), until_s)
        self._asking = None
        self._tell_keys(self._keyed)
        return self._keyed, not is_complete

    def _with(self, keys: str, key: str, action: dict[str, Any], most: int) -> tuple[str, bool]:
        """Return an entry with one more key, and whether that completes it."""
        submits = key == "#" and action.get("dtmf", {}).get("submitOnHash") is True
        if not submits or Habit.HASH_IN_DIGITS in self.habits:
            keys += key
        return keys, submits or len(keys) == most

    def _tell_keys(self, keys: str) -> None:
        self.reporter.tell(Keyed, keys=keys)

    async def leave(self) -> None:
        """Have the person hang up, whatever is being played.

        Raises:
            HungUp: always.
        """
        if self._asking is not None:
            if self._keyed:
                self._tell_keys(self._keyed)
            await self._hang_up_within(self._asking, self._keyed)
        self._leave()

    async def _hang_up_within(self, action: dict[str, Any], keys: str) -> None:
        """Hang up in the middle of an entry."""
        if Habit.PARTIAL_DIGITS in self.habits:
            await self.reporter.keys(action, keys, timed_out=False)
        elif Habit.LATE_PARTIAL_DIGITS in self.habits:
            self._report_later(action, keys, after_the_end=True)
        self._leave()

    def _leave(self) -> None:
        self.reporter.tell(CalleeHungUp)
        raise HungUp("user")

    def _report_later(self, action: dict[str, Any], keys: str, *, after_the_end: bool = False) -> None:
        async def report() -> None:
            if after_the_end:
                await self.reporter.ended.wait()
                await self.pace.sleep(LATE_S)
            await self.reporter.keys(action, keys, timed_out=False)

        self.tasks.create_task(report())

    def _next(self, reply: Reply, rest: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what follows an input: the service's NCCO, or what is left of the old one (docs/vonage.md §3.4)."""
        if not reply.brings_something:
            return rest
        ncco = self.reporter.ncco(reply)
        if ncco is None:
            raise HungUp("platform")
        return ncco
