"""`GET /call/{tid}?wait=`: the outcome for whoever has no public URL."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.service.test_sweep import swept
from tests.world import World, bearer, make_world
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.domain.model import Phase
from ttsprompt.errors import StoreUnavailableError, UnauthenticatedError, VendorUnreachableError


def wait(world: World, tid: str, seconds: object = 50) -> TestResponse:
    return world.client.get(f"/call/{tid}?wait={seconds}", headers=bearer(world.clock))


def view(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.json is not None
    return dict(response.json)


def fetched(world: World, **fields: Any) -> str:
    return world.place(callback=..., callback_method=..., **fields)


def test_the_outcome_of_a_call_without_a_callback_is_fetched(world: World) -> None:
    tid = fetched(world)
    world.event("answered")
    world.enter("1234")
    world.clock.on_sleep = lambda: world.event("completed", duration="5", disconnected_by="platform")
    body = view(wait(world, tid))

    assert (body["status"], body["reason"], body["attempts"]) == ("ok", "pin_matched", 1)
    assert body["delivery"] == {"state": "none", "next_at": None, "tries": []}
    assert world.sender.sent == []
    assert world.records() == []


def test_it_is_told_at_most_a_second_after_the_settlement(world: World) -> None:
    tid = fetched(world)
    world.clock.on_sleep = lambda: world.event("busy")
    began = world.clock.monotonic()
    body = view(wait(world, tid))

    assert body["reason"] == "busy"
    assert world.clock.monotonic() - began == 1


@pytest.mark.parametrize("seconds", [1, 7, 50])
def test_after_so_long_it_is_told_how_the_call_stands(world: World, seconds: int) -> None:
    tid = fetched(world)
    began = world.clock.monotonic()
    response = wait(world, tid, seconds)

    assert (view(response)["status"], "Retry-After" in response.headers) == (None, False)
    assert world.clock.monotonic() - began == seconds


@pytest.mark.parametrize("query", ["", "?wait=0"])
def test_without_a_wish_to_wait_nobody_waits(world: World, query: str) -> None:
    tid = fetched(world)
    view(world.client.get(f"/call/{tid}{query}", headers=bearer(world.clock)))

    assert world.clock.slept == []


def test_a_settled_call_is_told_at_once(world: World) -> None:
    tid = fetched(world)
    world.event("busy")

    assert view(wait(world, tid))["reason"] == "busy"
    assert world.clock.slept == []


def test_waiting_costs_a_read_a_second_and_one_question_at_vonage(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid = fetched(world)
    reads: list[float] = []
    get = world.store.get

    def counted(tid: str, **options: Any) -> Any:
        reads.append(world.clock.monotonic())
        return get(tid, **options)

    monkeypatch.setattr(world.store, "get", counted)
    began = world.clock.monotonic()
    wait(world, tid, 10)

    assert [at - began for at in reads] == list(range(11))
    assert len(world.voice.looked_up) == 1


def test_a_store_that_does_not_answer_for_a_while_ends_no_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tid = fetched(world)
    get = world.store.get

    def down() -> None:
        monkeypatch.setattr(world.store, "get", failing)

    def failing(tid: str, **options: Any) -> Any:
        monkeypatch.setattr(world.store, "get", get)
        world.event("busy")
        raise StoreUnavailableError

    world.clock.on_sleep = down
    assert view(wait(world, tid))["reason"] == "busy"
    assert world.clock.slept == [1, 1]


@pytest.mark.parametrize("given", ["51", "-1", "1.5", "a", "", "1&wait=2", "１", "999999999999"])
def test_what_is_no_time_to_wait_is_refused(world: World, given: str) -> None:
    response = wait(world, fetched(world), given)

    assert response.status_code == 400
    assert (response.json or {})["code"] == "malformed"
    assert world.clock.slept == []


@pytest.mark.parametrize(
    ("fault", "status"), [(UnauthenticatedError("no"), 401), (VendorUnreachableError("no answer"), 503)]
)
def test_a_token_that_vonage_does_not_accept_waits_for_nothing(world: World, fault: Exception, status: int) -> None:
    tid = fetched(world)
    world.voice.ending = fault

    assert wait(world, tid).status_code == status
    assert world.client.get(f"/call/{tid}?wait=50").status_code == 401
    assert world.clock.slept == []


@pytest.mark.parametrize(("threads", "places"), [("1", 0), ("2", 1), ("8", 4), ("9", 4)])
def test_at_most_half_of_the_threads_wait_and_the_next_is_answered_at_once(
    tmp_path: Path, threads: str, places: int
) -> None:
    world = make_world(tmp_path, THREADS=threads)
    tid = fetched(world)
    waiting, over = threading.Semaphore(0), threading.Event()

    def sleep(seconds: float) -> None:
        waiting.release()
        over.wait(30)
        world.clock.advance(seconds)

    world.clock.sleep = sleep  # type: ignore[method-assign]  # real threads wait here
    answers: list[TestResponse] = []
    waiters = [threading.Thread(target=lambda: answers.append(wait(world, tid, 1))) for _ in range(places)]
    for waiter in waiters:
        waiter.start()
        assert waiting.acquire(timeout=30)
    turned_away = wait(world, tid, 1)
    at_once = world.client.get(f"/call/{tid}", headers=bearer(world.clock))
    over.set()
    for waiter in waiters:
        waiter.join()

    assert view(turned_away)["status"] is None
    assert turned_away.headers["Retry-After"] == "1"
    assert (view(at_once)["status"], "Retry-After" in at_once.headers) == (None, False)
    assert [response.headers.get("Retry-After") for response in answers] == [None] * places
    assert ("Retry-After" in wait(world, tid, 1).headers) is (places == 0)


def test_a_settled_call_is_told_without_a_place_to_wait(tmp_path: Path) -> None:
    world = make_world(tmp_path, THREADS="2")
    tid = fetched(world)
    world.event("busy")
    with world.app.callers().placed_calls.waiting_room.place() as is_free:
        assert is_free
        response = wait(world, tid)

    assert (view(response)["reason"], "Retry-After" in response.headers) == ("busy", False)


def test_a_call_without_a_callback_that_is_heard_of_no_more_is_settled_by_the_sweep(world: World) -> None:
    tid = fetched(world)
    world.clock.advance(1000)

    assert swept(world) == {"expired": 1}
    assert view(wait(world, tid))["reason"] == "expired"
    assert swept(world) == {}


def test_a_call_without_a_callback_that_a_lookup_finds_ended_is_settled(world: World) -> None:
    tid = fetched(world)
    world.voice.ending = CallEnded(EndStatus.BUSY)

    assert view(wait(world, tid))["reason"] == "busy"
    assert world.call(tid).phase is Phase.SETTLED
    assert world.records() == []
