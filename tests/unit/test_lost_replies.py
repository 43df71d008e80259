"""A write whose reply is lost was done: the stores find their own `write_id`, and neither fail nor do it twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from tests.builders import NOW, a_call
from ttsprompt.domain.call import Transition
from ttsprompt.errors import CallNotFoundError
from ttsprompt.stores.codec import Document
from ttsprompt.stores.compare_and_set import CompareAndSetCalls, CompareAndSetQuota, Record
from ttsprompt.stores.sqlite import SqliteRecords
from ttsprompt.stores.sqlite_file import SqliteFile

WINDOW = timedelta(seconds=600)

T = TypeVar("T")


class LosingReplies(SqliteRecords):
    """Does what it is asked, and then, while `losing`, does not know whether it did."""

    losing = True
    lost = 0

    def insert(self, key: str, document: Document, timeout_s: float) -> object | None:
        return self._lose(super().insert(key, document, timeout_s), None)

    def swap(self, before: Record, document: Document, timeout_s: float) -> object | None:
        return self._lose(super().swap(before, document, timeout_s), None)

    def remove(self, before: Record, timeout_s: float) -> bool:
        return bool(self._lose(super().remove(before, timeout_s), False))

    def _lose(self, reply: T, unknown: T) -> T:
        if not self.losing or not reply:
            return reply
        self.lost += 1
        return unknown


@pytest.fixture
def records(tmp_path: Path) -> LosingReplies:
    return LosingReplies(SqliteFile(f"{tmp_path}/calls.db"), "calls", "tid")


@pytest.fixture
def places(tmp_path: Path) -> LosingReplies:
    return LosingReplies(SqliteFile(f"{tmp_path}/calls.db"), "quota", "key")


def test_places_are_taken_once_and_given_back(places: LosingReplies) -> None:
    quota = CompareAndSetQuota(places)

    def take(holder: str) -> object:
        return quota.acquire("k", holder, now=NOW, window=WINDOW, most=2)

    assert [take("a"), take("b"), take("c")] == [None, None, NOW + WINDOW]
    quota.release("k", "a")
    assert [take("c"), take("d")] == [None, NOW + WINDOW]
    assert places.lost == 4


def test_a_record_is_made_changed_once_and_deleted(records: LosingReplies) -> None:
    calls, call = CompareAndSetCalls(records), a_call()
    calls.create(call)
    update = calls.update(call.tid, lambda found: Transition(found.noted(NOW, "mine"), settled=True))

    assert update.written
    assert update.transition.settled
    assert [line.event for line in calls.get(call.tid).call.timeline] == ["created", "mine"]
    assert calls.delete(call.tid, lambda _: True)
    with pytest.raises(CallNotFoundError):
        calls.get(call.tid)
    assert records.lost == 3


def test_a_limit_lives_as_long_as_its_window(places: LosingReplies) -> None:
    places.losing = False
    quota = CompareAndSetQuota(places)
    quota.acquire("k", "a", now=NOW, window=WINDOW, most=1)
    places.purge(NOW + WINDOW - timedelta(seconds=1), 1)
    assert quota.acquire("k", "b", now=NOW + WINDOW - timedelta(seconds=1), window=WINDOW, most=1) == NOW + WINDOW
    places.purge(NOW + WINDOW, 1)
    assert places.read("k", 1) is None
