"""How the stores go about it: which small steps they take, in the time that is left, and how long they pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOW, a_call
from tests.records import document_of
from ttsprompt.domain.call import Transition
from ttsprompt.domain.model import Call
from ttsprompt.errors import CallExistsError, StoreUnavailableError
from ttsprompt.ports import DueCall
from ttsprompt.stores import compare_and_set
from ttsprompt.stores.codec import Document
from ttsprompt.stores.compare_and_set import LONGEST_PAUSE_S, CompareAndSetCalls, CompareAndSetQuota, Record
from ttsprompt.stores.sqlite import SqliteRecords
from ttsprompt.stores.sqlite_file import SqliteFile

TID = a_call().tid
STEP_S = 0.25
TIMEOUT_S = 2.0
WINDOW = timedelta(seconds=600)

Change = Callable[[Call], Transition]


@dataclass
class Steps:
    """The steps of a database that takes `STEP_S` for each, the seconds that each was given, and the pauses between."""

    records: SqliteRecords
    taken: list[tuple[str, float]] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    now: float = 1000.0
    pause_s: float = 0.125
    fails: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        step = getattr(self.records, name)

        def timed(*args: Any) -> Any:
            self.taken.append((name, args[-1]))
            self.now += STEP_S
            return None if name in self.fails else step(*args[:-1], 10.0)

        return timed

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += seconds

    @staticmethod
    def uniform(low: float, high: float) -> float:
        """Return the longest of the pauses that may be drawn."""
        assert low == 0
        return high

    def forget(self) -> None:
        self.taken.clear()


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(f"{tmp_path}/calls.db")


def watched(records: SqliteRecords, monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps(records)
    monkeypatch.setattr(compare_and_set, "time", steps)
    monkeypatch.setattr(compare_and_set, "random", steps)
    return steps


@pytest.fixture
def steps(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> Steps:
    return watched(SqliteRecords(file, "calls", "tid"), monkeypatch)


@pytest.fixture
def calls(steps: Steps) -> CompareAndSetCalls:
    return CompareAndSetCalls(steps)


def noting(event: str) -> Change:
    return lambda call: Transition(call.noted(NOW, event))


def test_what_takes_one_step_gives_it_all_the_time(steps: Steps, calls: CompareAndSetCalls) -> None:
    stored = calls.create(a_call(), timeout_s=TIMEOUT_S)
    calls.get(TID, timeout_s=TIMEOUT_S)
    calls.due(NOW, 1, timeout_s=TIMEOUT_S)
    calls.scan(1, timeout_s=TIMEOUT_S)
    calls.quarantine(DueCall(TID, NOW, None, stored.version), NOW, timeout_s=TIMEOUT_S)
    calls.purge(NOW, timeout_s=TIMEOUT_S)
    calls.scrub(timeout_s=TIMEOUT_S)

    assert steps.taken == [
        (name, TIMEOUT_S) for name in ("insert", "read", "due", "scan", "postpone", "purge", "scrub")
    ]


def test_each_further_step_gets_the_time_that_is_left(steps: Steps, calls: CompareAndSetCalls) -> None:
    calls.create(a_call())
    steps.forget()
    with pytest.raises(CallExistsError):
        calls.create(a_call(), timeout_s=2.0)
    calls.update(TID, noting("mine"), timeout_s=3.0)
    calls.delete(TID, lambda _: True, timeout_s=4.0)

    assert steps.taken == [
        *(("insert", 2.0), ("read", 1.75)),
        *(("read", 3.0), ("swap", 2.75)),
        *(("read", 4.0), ("remove", 3.75)),
    ]


def test_each_further_step_of_a_limit_does_too(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = watched(SqliteRecords(file, "quota", "key"), monkeypatch)
    quota = CompareAndSetQuota(steps)
    for holder in ("first", "second"):
        quota.acquire("key", holder, now=NOW, window=WINDOW, most=2, timeout_s=2.0)
    quota.release("key", "first", timeout_s=3.0)

    assert steps.taken == [
        *(("read", 2.0), ("insert", 1.75)),
        *(("read", 2.0), ("swap", 1.75)),
        *(("read", 3.0), ("swap", 2.75)),
    ]


def test_what_was_just_written_is_changed_again_and_deleted_without_a_read(
    steps: Steps, calls: CompareAndSetCalls
) -> None:
    created = calls.create(a_call())
    updated = calls.update(TID, noting("mine"), expected=created).stored
    calls.delete(TID, lambda _: True, expected=updated)

    assert [name for name, _ in steps.taken] == ["insert", "swap", "remove"]


def test_a_record_is_replaced_as_it_was_read(
    steps: Steps, calls: CompareAndSetCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Firestore's client is told which fields are gone: those of `before`."""
    calls.create(a_call())
    read = steps.records.read(TID, 10)
    given: list[object] = []
    swap = SqliteRecords.swap

    def noted(records: SqliteRecords, before: Record, document: Document, timeout_s: float) -> object | None:
        given.append(before)
        return swap(records, before, document, timeout_s)

    monkeypatch.setattr(SqliteRecords, "swap", noted)
    calls.update(TID, noting("mine"))

    assert given == [read]


WORK: dict[str, Callable[[CompareAndSetCalls, float], object]] = {
    "swap": lambda calls, timeout_s: calls.update(TID, noting("mine"), timeout_s=timeout_s),
    "remove": lambda calls, timeout_s: calls.delete(TID, lambda _: True, timeout_s=timeout_s),
}


def give_up(steps: Steps, calls: CompareAndSetCalls, step: str, timeout_s: float) -> None:
    """Have a call changed or deleted while this step never takes hold."""
    calls.create(a_call())
    steps.fails = frozenset({step})
    steps.forget()
    with pytest.raises(StoreUnavailableError):
        WORK[step](calls, timeout_s)


@pytest.mark.parametrize("step", WORK)
def test_pauses_grow_to_the_longest_and_no_attempt_begins_after_the_end(
    steps: Steps, calls: CompareAndSetCalls, step: str
) -> None:
    """The clock: an attempt takes 0.5 s, and ends at 0.5, 1.125, 1.875, 2.675 and 3.475 of 3.7 s."""
    give_up(steps, calls, step, 3.7)

    assert steps.paused == [0.125, 0.25, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    assert [name for name, _ in steps.taken] == ["read", step] * 5


@pytest.mark.parametrize(("timeout_s", "attempts"), [(0.5 + 0.125, 1), (0.5 + 0.125 + 2**-10, 2)])
def test_there_is_no_attempt_that_could_not_begin_before_the_end(
    steps: Steps, calls: CompareAndSetCalls, timeout_s: float, attempts: int
) -> None:
    give_up(steps, calls, "swap", timeout_s)

    assert [name for name, _ in steps.taken].count("read") == attempts
    assert len(steps.paused) == attempts - 1


@pytest.mark.parametrize(("timeout_s", "taken"), [(STEP_S, ["read"]), (STEP_S + 2**-10, ["read", "swap"])])
def test_no_step_begins_when_no_time_is_left(
    steps: Steps, calls: CompareAndSetCalls, timeout_s: float, taken: list[str]
) -> None:
    give_up(steps, calls, "swap", timeout_s)

    assert [name for name, _ in steps.taken] == taken


def test_what_a_write_returns_is_what_is_stored(calls: CompareAndSetCalls) -> None:
    created = calls.create(a_call())
    assert (created, created.document) == (calls.get(TID), document_of(calls, TID))
    updated = calls.update(TID, noting("mine")).stored
    assert (updated, updated.document) == (calls.get(TID), document_of(calls, TID))


def test_a_write_that_lands_only_when_it_was_given_up_is_the_one_that_is_returned(
    calls: CompareAndSetCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt works on what was before the first, and meets what the first left."""
    calls.create(a_call())
    swap = SqliteRecords.swap
    on_the_way: list[Any] = []

    def slow(*args: Any) -> object | None:
        if on_the_way:
            swap(*on_the_way.pop())
        else:
            on_the_way.append(args)
        return None

    monkeypatch.setattr(SqliteRecords, "swap", slow)
    runs = iter(("first", "second"))
    update = calls.update(TID, lambda call: Transition(call.noted(NOW, next(runs)), settled=True))

    assert [line.event for line in update.transition.call.timeline] == ["created", "first"]
    assert (update.stored, update.stored.call, update.written) == (calls.get(TID), update.transition.call, True)
    assert update.transition.settled
