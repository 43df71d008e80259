"""Plays NCCOs to the callee: speech and keys with their timing (vonage-voice §2)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from devphone.callee import Callee, Entry
from devphone.habits import Habit
from devphone.pace import Pace
from devphone.reporter import Reporter
from devphone.speech import speech_s
from devphone.webhooks import Reply

LATE_S: Final = 1.0
"""How long after `completed` late digits come."""


class HungUp(Exception):  # noqa: N818 - not an error: it is how a call ends
    """The call is over; `by` is user or platform."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


@dataclass(slots=True, eq=False)
class Player:
    """Plays the NCCOs of one call. Reports that outlive the call become tasks of `tasks`."""

    callee: Callee
    pace: Pace
    reporter: Reporter
    tasks: asyncio.TaskGroup
    habits: Collection[Habit] = frozenset()
    _questions: int = 0

    async def play(self, ncco: list[dict[str, Any]]) -> None:
        """Play an NCCO and those that follow it, to the end.

        Raises:
            HungUp: the callee hung up, or the service answered with what is no NCCO.
        """
        while ncco:
            ncco = await self._play(ncco)

    async def _play(self, ncco: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Play an NCCO up to its first input; return what comes next."""
        barge_in, speaking_s = False, 0.0
        for position, action in enumerate(ncco):
            if action["action"] == "input":
                keys, timed_out = await self._listen(action, speaking_s)
                reply = await self.reporter.keys(action, keys, timed_out=timed_out)
                return self._next(reply, ncco[position + 1 :])
            self.reporter.note("vonage", "says", text=action["text"])
            # Once on, it stays on until the input, which listens from the first word.
            barge_in = barge_in or action.get("bargeIn") is True
            if barge_in:
                speaking_s += speech_s(action)
            else:
                await self.pace.sleep(speech_s(action))
        return []

    async def _listen(self, action: dict[str, Any], speaking_s: float) -> tuple[str, bool]:
        """Return the keys of one question, and whether the timer ended it. The first `speaking_s` are speech."""
        dtmf = action.get("dtmf", {})
        most, patience_s = int(dtmf.get("maxDigits", 4)), float(dtmf.get("timeOut", 3))
        entry = self.callee.entry(self._questions)
        self._questions += 1
        begins_s = self.callee.think_s + (0 if self.callee.interrupts else speaking_s)
        given_up_s = patience_s + (0 if Habit.TIME_OUT_FROM_SPEECH in self.habits else speaking_s)
        if begins_s > given_up_s or entry == Entry():
            await self.pace.sleep(given_up_s)
            self.reporter.note("callee", "keys nothing")
            return "", True
        await self.pace.sleep(begins_s)
        keys = ""
        for key in entry.keys:
            await self.pace.sleep(self.callee.key_s)
            submits = key == "#" and dtmf.get("submitOnHash") is True
            if not submits or Habit.HASH_IN_DIGITS in self.habits:
                keys += key
            if submits or len(keys) == most:
                self.reporter.note("callee", "keys", keys=keys)
                if entry.hangs_up:
                    # The keys and the ending race each other to the service.
                    self._report_later(action, keys)
                    self._leave()
                return keys, False
        if keys:
            self.reporter.note("callee", "keys", keys=keys)
        if entry.hangs_up:
            await self._hang_up_within(action, keys)
        await self.pace.sleep(patience_s)
        return keys, True

    async def _hang_up_within(self, action: dict[str, Any], keys: str) -> None:
        """Hang up in the middle of an entry."""
        if Habit.PARTIAL_DIGITS in self.habits:
            await self.reporter.keys(action, keys, timed_out=False)
        elif Habit.LATE_PARTIAL_DIGITS in self.habits:
            self._report_later(action, keys, after_the_end=True)
        self._leave()

    def _leave(self) -> None:
        self.reporter.note("callee", "hangs up")
        raise HungUp("user")

    def _report_later(self, action: dict[str, Any], keys: str, *, after_the_end: bool = False) -> None:
        async def report() -> None:
            if after_the_end:
                await self.reporter.ended.wait()
                await self.pace.sleep(LATE_S)
            await self.reporter.keys(action, keys, timed_out=False)

        self.tasks.create_task(report())

    def _next(self, reply: Reply, rest: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what follows an input: the service's NCCO, or what is left of the old one (vonage-voice §3.4)."""
        if reply.status is None or not 200 <= reply.status <= 299 or not reply.body:  # noqa: PLR2004 - success
            return rest
        ncco = self.reporter.ncco(reply)
        if ncco is None:
            raise HungUp("platform")
        return ncco
