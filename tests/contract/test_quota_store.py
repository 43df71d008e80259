"""At most so many places for each key, exactly, over every store."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from devphone.processes.emulator import Emulator
from tests.builders import NOW
from tests.contract.conftest import firestore_store
from ttsprompt.ports import QuotaStore
from ttsprompt.stores.firestore_quota import quota_beside
from ttsprompt.stores.sqlite import SqliteCallStore

WINDOW = timedelta(seconds=600)


@pytest.fixture(params=["sqlite", "firestore"])
def places(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuotaStore]:
    if request.param == "sqlite":
        yield SqliteCallStore(str(tmp_path / "calls.db"))
        return
    emulator: Emulator = request.getfixturevalue("emulator")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    collection = f"calls-{uuid.uuid4().hex}"
    yield quota_beside(firestore_store(collection), collection)


def take(places: QuotaStore, holder: str, *, at: datetime = NOW, key: str = "k") -> datetime | None:
    return places.acquire(key, holder, now=at, window=WINDOW, most=3)


def test_places_are_taken_until_none_is_left(places: QuotaStore) -> None:
    assert [take(places, str(number)) for number in range(4)] == [None, None, None, NOW + WINDOW]


def test_each_key_has_its_own(places: QuotaStore) -> None:
    for number in range(4):
        take(places, str(number))

    assert take(places, "0", key="other") is None


def test_a_place_is_free_again_when_its_window_is_over(places: QuotaStore) -> None:
    for seconds in (0, 100, 200):
        take(places, str(seconds), at=NOW + timedelta(seconds=seconds))

    assert take(places, "x", at=NOW + WINDOW - timedelta(microseconds=1)) == NOW + WINDOW
    assert take(places, "x", at=NOW + WINDOW) is None
    assert take(places, "y", at=NOW + WINDOW) == NOW + WINDOW + timedelta(seconds=100)


def test_whoever_holds_a_place_keeps_it(places: QuotaStore) -> None:
    for number in range(3):
        take(places, str(number))

    assert take(places, "1") is None


def test_a_place_given_back_is_free(places: QuotaStore) -> None:
    for number in range(3):
        take(places, str(number))
    places.release("k", "1")
    places.release("k", "never taken")

    assert take(places, "x") is None
    assert take(places, "y") == NOW + WINDOW


def test_of_sixty_four_at_once_exactly_as_many_as_allowed_get_a_place(places: QuotaStore) -> None:
    results: list[datetime | None] = []
    barrier = threading.Barrier(64)

    def work(number: int) -> None:
        barrier.wait()
        results.append(take(places, str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 64
    assert results.count(None) == 3
