"""`POST /call/{tid}/erase`: what the record holds of persons is gone, from the store's files too."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.service.test_sweep import swept
from tests.world import World, bearer
from ttsprompt.domain.events import CallEnded, EndStatus
from ttsprompt.ports import CallbackResponse

PERSONAL = {"to": "447970513607", "callback": "https://receiver.example.com/of/alice", "reference": "for alice"}


def ask(world: World, tid: str, method: str = "POST", path: str = "/erase") -> TestResponse:
    return world.client.open(f"/call/{tid}{path}", method=method, headers=bearer(world.clock))


def view(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.json is not None
    return dict(response.json)


def code(response: TestResponse) -> tuple[int, str]:
    assert response.json is not None
    return response.status_code, response.json["code"]


@pytest.fixture
def settled(world: World) -> str:
    tid = world.place(**PERSONAL)
    for step in (
        lambda: world.event("answered"),
        lambda: world.enter("1111"),
        lambda: world.enter("1111", "1234"),
        lambda: world.event("completed", duration="7", price="0.01", disconnected_by="user"),
    ):
        world.clock.advance(7)
        step()
    world.clock.advance(7)
    return tid


def test_outcome_and_times_stay_and_nothing_of_anybody(world: World, settled: str) -> None:
    before = view(ask(world, settled, "GET", ""))
    body = view(ask(world, settled))

    kept = ("tid", "state", "status", "reason", "attempts", "answered_by", "sip_code", "duration", "price", "delivery")
    assert {name: body[name] for name in kept} == {name: before[name] for name in kept}
    assert (body["to"], body["reference"]) == (None, None)
    *others, erased = ((line["at"], line["event"]) for line in body["timeline"])
    assert others == [(line["at"], line["event"]) for line in before["timeline"]]
    assert len({at for at, _ in others}) == 5
    assert erased == ("2026-01-01T12:00:35.000Z", "erased")
    assert {frozenset(line) for line in body["timeline"]} == {frozenset({"at", "event"})}
    assert view(ask(world, settled, "GET", "")) == body


def remnants(folder: Path) -> Iterator[str]:
    """Yield what the files of the store still hold."""
    content = b"".join(file.read_bytes() for file in folder.iterdir() if file.name.startswith("calls.db"))
    sought = (*PERSONAL.values(), "receiver.example.com", "alice", "pin_matched&", "judged")
    yield from (text for text in sought if text.encode() in content)


def test_nothing_is_left_in_the_files_either(world: World, settled: str, tmp_path: Path) -> None:
    assert "alice" in set(remnants(tmp_path))
    ask(world, settled)

    assert list(remnants(tmp_path)) == []


def test_nothing_is_left_in_the_files_while_others_read_and_write(
    world: World, settled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_on() -> None:
        with closing(sqlite3.connect(tmp_path / "calls.db")) as connection:
            for _ in range(200):
                connection.execute("SELECT count(*) FROM calls").fetchone()

    scrub = world.store.scrub

    def scrub_while_another_writes(**options: Any) -> None:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE calls SET version = version")
        ends = threading.Timer(0.2, writer.execute, ("COMMIT",))
        ends.start()
        try:
            scrub(**options)
        finally:
            ends.join()

    monkeypatch.setattr(world.store, "scrub", scrub_while_another_writes)
    with (
        closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None, check_same_thread=False)) as writer,
        ThreadPoolExecutor(2) as pool,
    ):
        reading = [pool.submit(read_on) for _ in range(2)]
        assert ask(world, settled).status_code == 200
        assert list(remnants(tmp_path)) == []
        for one in reading:
            one.result()


def test_a_reader_that_stays_keeps_the_erasure_from_being_confirmed(world: World, settled: str, tmp_path: Path) -> None:
    """It sees the old pages. The record is erased, so the same request may simply come again."""
    with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT document FROM calls").fetchall()
        assert code(ask(world, settled)) == (503, "store_unavailable")
        reader.execute("COMMIT")

    assert view(ask(world, settled))["to"] is None
    assert list(remnants(tmp_path)) == []


def test_what_is_not_settled_cannot_be_erased(world: World) -> None:
    tid = world.place(**PERSONAL)
    assert code(ask(world, tid)) == (409, "not_settled")
    world.enter("1234")
    assert code(ask(world, tid)) == (409, "not_settled")

    assert world.call(tid).to == PERSONAL["to"]


def test_erasing_twice_changes_nothing(world: World, settled: str) -> None:
    first = view(ask(world, settled))
    world.clock.advance(60)

    assert view(ask(world, settled)) == first


def test_what_was_not_delivered_never_is(world: World) -> None:
    world.sender.responses = [CallbackResponse(http_status=500)]
    tid = world.place(**PERSONAL)
    world.event("busy")
    body = view(ask(world, tid))
    world.clock.advance(10_000)

    assert (body["delivery"]["state"], body["delivery"]["next_at"]) == ("undeliverable", None)
    assert swept(world) == {}
    assert code(ask(world, tid, "POST", "/redeliver")) == (409, "no_callback")
    assert len(world.sender.sent) == 1


@pytest.mark.parametrize("status", [200, 500])
def test_a_try_that_is_under_way_leaves_nothing_behind(world: World, status: int, tmp_path: Path) -> None:
    tid = world.place(**PERSONAL)
    world.sender.responses = [CallbackResponse(http_status=status)]
    world.sender.meanwhile = lambda: view(ask(world, tid))
    world.event("busy")

    assert view(ask(world, tid, "GET", ""))["delivery"] == {"state": "undeliverable", "next_at": None, "tries": []}
    assert swept(world) == {}
    assert len(world.sender.sent) == 1


def test_late_webhooks_of_an_erased_call_are_known_and_bring_nothing_back(
    world: World, settled: str, tmp_path: Path
) -> None:
    ask(world, settled)

    for status in ("answered", "human", "machine", "busy", "completed"):
        assert world.event(status, to=PERSONAL["to"]).status_code == 204
    assert world.key("1234").json == []
    assert list(remnants(tmp_path)) == []


def test_an_erased_call_is_its_applications_alone(world: World, settled: str) -> None:
    ask(world, settled)
    other = bearer(world.clock, application_id="00000000-0000-4000-8000-000000000000")
    world.voice.ending = CallEnded(EndStatus.BUSY)
    world.clock.advance(61)

    assert world.client.get(f"/call/{settled}", headers=other).status_code == 404
    assert view(ask(world, settled, "GET", ""))["reason"] == "pin_matched"


def test_a_repeat_under_the_key_of_an_erased_call_dials_nobody(world: World) -> None:
    headers = bearer(world.clock) | {"Idempotency-Key": "order-7"}
    first = world.post_call(headers, **PERSONAL)
    world.event("busy")
    ask(world, (first.json or {})["tid"])

    assert code(world.post_call(headers, **PERSONAL)) == (409, "idempotency_conflict")
    assert len(world.voice.orders) == 1
