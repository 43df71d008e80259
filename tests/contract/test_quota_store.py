"""At most so many places for each key, exactly, over every store."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from tests.builders import NOW
from tests.contract.conftest import PATIENT_S
from ttsprompt.ports import QuotaStore

WINDOW = timedelta(seconds=600)


def take(quota: QuotaStore, holder: str, *, at: datetime = NOW, key: str = "k") -> datetime | None:
    return quota.acquire(key, holder, now=at, window=WINDOW, most=3, timeout_s=PATIENT_S)


def test_places_are_taken_until_none_is_left(quota: QuotaStore) -> None:
    assert [take(quota, str(number)) for number in range(4)] == [None, None, None, NOW + WINDOW]


def test_each_key_has_its_own(quota: QuotaStore) -> None:
    for number in range(4):
        take(quota, str(number))

    assert take(quota, "0", key="other") is None


def test_a_place_is_free_again_when_its_window_is_over(quota: QuotaStore) -> None:
    for seconds in (0, 100, 200):
        take(quota, str(seconds), at=NOW + timedelta(seconds=seconds))

    assert take(quota, "x", at=NOW + WINDOW - timedelta(microseconds=1)) == NOW + WINDOW
    assert take(quota, "x", at=NOW + WINDOW) is None
    assert take(quota, "y", at=NOW + WINDOW) == NOW + WINDOW + timedelta(seconds=100)


def test_a_holder_who_comes_again_holds_from_then_on(quota: QuotaStore) -> None:
    for number in range(3):
        take(quota, str(number))
    later = NOW + WINDOW / 2

    assert take(quota, "1", at=later) is None
    assert [take(quota, holder, at=NOW + WINDOW) for holder in "xyz"] == [None, None, later + WINDOW]


def test_a_place_given_back_is_free(quota: QuotaStore) -> None:
    for number in range(3):
        take(quota, str(number))
    quota.release("k", "1")
    quota.release("k", "never taken")

    assert take(quota, "x") is None
    assert take(quota, "y") == NOW + WINDOW


def test_of_sixty_four_at_once_exactly_as_many_as_allowed_get_a_place(quota: QuotaStore) -> None:
    results: list[datetime | None] = []
    barrier = threading.Barrier(64)

    def work(number: int) -> None:
        barrier.wait()
        results.append(take(quota, str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 64
    assert results.count(None) == 3
