"""`MAX_CALLS_PER_NUMBER`: counted before dialling, given back when nobody was dialled."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.world import World, bearer, fields_logged, make_world
from ttsprompt.errors import StoreUnavailableError, VendorRefusedError, VendorUnclearError
from ttsprompt.service.admission import Admission
from ttsprompt.service.sweep import Sweep


@pytest.fixture
def limited(tmp_path: Path) -> World:
    return make_world(tmp_path, MAX_CALLS_PER_NUMBER="2/600s")


def statuses(world: World, count: int, **fields: str) -> list[int]:
    return [
        world.client.post("/call", json=_body(fields), headers=bearer(world.clock)).status_code for _ in range(count)
    ]


def _body(fields: dict[str, str]) -> dict[str, str]:
    from tests.world import REQUEST  # noqa: PLC0415 - to keep the helper in one place

    return REQUEST | fields


def test_the_number_is_called_so_often_and_no_more(limited: World) -> None:
    assert statuses(limited, 3) == [200, 200, 429]
    assert len(limited.voice.orders) == 2
    response = limited.post_call()
    assert response.json is not None
    assert (response.json["code"], response.headers["Retry-After"]) == ("too_many_calls", "600")
    assert statuses(limited, 1, to="447970513608") == [200]
    limited.clock.advance(600)
    assert statuses(limited, 1) == [200]


@pytest.mark.parametrize(("later_s", "retry_after"), [(0.5, "600"), (1, "599"), (598.9, "2"), (599, "1"), (599.9, "1")])
def test_whoever_comes_again_when_told_is_not_too_early(limited: World, later_s: float, retry_after: str) -> None:
    statuses(limited, 2)
    limited.clock.advance(later_s)
    response = limited.post_call()

    assert (response.status_code, response.headers["Retry-After"]) == (429, retry_after)
    limited.clock.advance(int(retry_after))
    assert statuses(limited, 1) == [200]


def test_applications_are_counted_apart(limited: World) -> None:
    statuses(limited, 2)
    other = bearer(limited.clock, application_id=str(uuid.uuid4()))

    assert limited.post_call(other).status_code == 200


def test_a_refused_call_does_not_count_and_an_unclear_one_does(limited: World) -> None:
    limited.voice.error = VendorRefusedError("no", vendor_status=400)
    assert statuses(limited, 3) == [422, 422, 422]
    limited.voice.error = VendorUnclearError("?")
    assert statuses(limited, 3) == [504, 504, 429]


def test_a_refused_call_gives_its_place_back_before_the_next_with_its_key_may_take_it(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(limited.clock) | {"Idempotency-Key": "k"}
    delete = type(limited.store).delete

    def delete_and_be_asked_again(*args: Any, **options: Any) -> bool:
        deleted = delete(*args, **options)
        limited.voice.error = None
        assert limited.post_call(headers).status_code == 200
        return deleted

    monkeypatch.setattr(type(limited.store), "delete", delete_and_be_asked_again)
    limited.voice.error = VendorRefusedError("no", vendor_status=400)

    assert limited.post_call(headers).status_code == 422
    assert statuses(limited, 2) == [200, 429]


def test_a_place_that_cannot_be_given_back_is_logged_and_the_record_goes_all_the_same(
    limited: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(Admission, "release", down)
    limited.voice.error = VendorRefusedError("no", vendor_status=400)

    assert statuses(limited, 1) == [422]
    assert [line["code"] for line in fields_logged(caplog, "quota_not_released")] == ["store_unavailable"]
    assert limited.records() == []


def test_a_place_that_could_not_be_given_back_is_taken_anew_by_the_same_key(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a call would be counted from a time at which nobody was called, and so two would fit into one window."""

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    headers = {"Idempotency-Key": "k"}
    limited.voice.error = VendorRefusedError("no", vendor_status=400)
    with monkeypatch.context() as patch:
        patch.setattr(Admission, "release", down)
        assert limited.post_call(bearer(limited.clock) | headers).status_code == 422
    limited.voice.error = None
    limited.clock.advance(599)
    assert limited.post_call(bearer(limited.clock) | headers).status_code == 200
    limited.clock.advance(2)

    assert statuses(limited, 2) == [200, 429]


def test_a_sweep_deletes_what_was_counted_when_its_window_is_over(limited: World, tmp_path: Path) -> None:
    statuses(limited, 2)
    limited.clock.advance(601)
    deliveries = limited.app.webhooks.deliveries
    Sweep(store=limited.store, deliveries=deliveries, clock=limited.clock, policy=deliveries.policy, threads=1).run()

    with closing(sqlite3.connect(tmp_path / "calls.db")) as connection:
        assert connection.execute("SELECT * FROM quota").fetchall() == []


def test_a_replay_does_not_count(limited: World) -> None:
    headers = bearer(limited.clock) | {"Idempotency-Key": "k"}
    for _ in range(5):
        assert limited.post_call(headers).status_code == 200
    assert statuses(limited, 2) == [200, 429]


def test_what_is_over_the_limit_leaves_no_record(limited: World) -> None:
    statuses(limited, 4)

    assert len(limited.records()) == 2


def test_it_is_exact_under_sixty_four_parallel_requests(limited: World) -> None:
    results: list[int] = []
    barrier = threading.Barrier(64)

    def work() -> None:
        barrier.wait()
        results.extend(statuses(limited, 1))

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(limited.voice.orders) == 2
    assert results.count(200) == 2
    assert set(results) <= {200, 429, 503}
