"""The operator has many outcomes told again, at most once each a run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.deploy.commands import ROOT
from tests.records import keys_read, rewrite
from tests.world import World, bearer
from ttsprompt.bootstrap import Parts, build_sweep
from ttsprompt.config import load_settings
from ttsprompt.domain.model import Call, Transition
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import CallbackResponse
from ttsprompt.redeliver import main

ENVIRONMENT = {"CALL_STORE": "sqlite:///never-opened.db"}


def given_up(world: World, **fields: str) -> str:
    world.sender.responses = [CallbackResponse(http_status=410)]
    tid = world.place(**fields)
    world.event("busy")
    world.sender.responses = []
    return tid


def redeliver(world: World, *more: str) -> int:
    now = world.clock.now()
    span = ["--since", (now - timedelta(hours=1)).isoformat(), "--until", (now + timedelta(seconds=1)).isoformat()]
    return main([*span, *more], ENVIRONMENT, Parts(store=world.store, clock=world.clock))


def sweep(world: World) -> None:
    world.clock.advance(61)
    build_sweep(load_settings({}), Parts(store=world.store, clock=world.clock, sender=world.sender)).sweep.run()


def counts(printed: str) -> dict[str, int]:
    return {line.split()[0]: int(line.split()[1]) for line in printed.splitlines()[1:]}


def test_what_was_given_up_is_told_again_by_the_sweep_with_the_same_payload(world: World) -> None:
    tid = given_up(world)
    assert redeliver(world) == 0
    sweep(world)

    assert world.call(tid).delivery.state == "delivered"
    assert len(world.sender.sent) == 2
    assert len({(sent.webhook_id, sent.payload) for sent in world.sender.sent}) == 1


def test_it_is_due_at_once_and_nobody_is_said_to_try_it(world: World) -> None:
    tid = given_up(world)
    redeliver(world)

    call = world.store.get(tid).call
    assert (call.due_at, call.delivery.under_way_until) == (world.clock.now(), None)


def test_a_run_that_goes_on_asks_for_nothing_twice(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    run = world.clock.now().isoformat()
    given_up(world)
    redeliver(world, "--run", run)
    world.sender.responses = [CallbackResponse(http_status=410)]
    sweep(world)
    given_up(world)
    world.clock.advance(120)
    capsys.readouterr()
    redeliver(world, "--run", run)
    found = counts(capsys.readouterr().out)

    assert (found["seen"], found["requested"], found["requested_before"]) == (2, 1, 1)


NOTHING = {"seen": 0, "requested": 0, "requested_before": 0, "too_soon": 0, "failed": 0}


def told(world: World, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, int]:
    """Return what a run counted that was not 0, but for the calls it has seen."""
    capsys.readouterr()
    redeliver(world, *arguments)
    return {name: count for name, count in counts(capsys.readouterr().out).items() if count and name != "seen"}


def test_a_run_counts_what_it_has_seen_and_what_became_of_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    redeliver(world)
    assert counts(capsys.readouterr().out) == NOTHING
    broken = [given_up(world), given_up(world)]
    for tid in broken:
        rewrite(world.store, tid, lambda document: document | {"state": "dreaming"})
    given_up(world)
    given_up(world)
    world.place()

    assert redeliver(world) == 0
    assert counts(capsys.readouterr().out) == NOTHING | {"seen": 5, "requested": 2, "unreadable": 2}


@pytest.mark.parametrize(("since_s", "until_s", "found"), [(0, 1, 1), (-1, 0, 0), (1, 2, 0)])
def test_the_span_includes_its_beginning_and_not_its_end(
    world: World, capsys: pytest.CaptureFixture[str], since_s: int, until_s: int, found: int
) -> None:
    given_up(world)
    settled_at = world.clock.now()
    since, until = (settled_at + timedelta(seconds=seconds) for seconds in (since_s, until_s))
    span = ("--since", since.isoformat(), "--until", until.isoformat())

    assert told(world, capsys, *span) == ({"requested": 1} if found else {})


def test_what_was_delivered_is_told_again_only_if_all_are_asked_for(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.place()
    world.event("busy")
    world.clock.advance(60)

    assert told(world, capsys) == {}
    assert told(world, capsys, "--state", "all") == {"requested": 1}


def test_only_the_outcomes_of_the_host_are_told(world: World) -> None:
    ours = given_up(world, callback="https://receiver.example:8443/outcome")
    others = given_up(world, callback="https://other.example/")
    redeliver(world, "--host", "receiver.example")

    assert redeliveries(world, [ours, others]) == [1, 0]


@pytest.mark.parametrize(("failures", "code"), [(4, 0), (5, 1)])
def test_a_page_is_asked_for_five_times_two_seconds_apart(
    world: World, monkeypatch: pytest.MonkeyPatch, failures: int, code: int
) -> None:
    tid = given_up(world)
    scan, limits = world.store.scan, []

    def down_for_a_while(limit: int, *, after: str | None = None) -> object:
        limits.append(limit)
        if len(limits) <= failures:
            raise StoreUnavailableError
        return scan(limit, after=after)

    monkeypatch.setattr(world.store, "scan", down_for_a_while)
    slept = len(world.clock.slept)

    assert redeliver(world) == code
    assert world.clock.slept[slept:] == [2.0] * 4
    assert set(limits) == {100}
    assert redeliveries(world, [tid]) == [1 - code]


def test_a_run_goes_through_all_pages_whatever_fails_on_the_way(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each page but the first is read at the last of its five tries."""
    monkeypatch.setattr("ttsprompt.service.redelivery.PAGE_SIZE", 2)
    tids = [given_up(world) for _ in range(5)]
    scan, tried = world.store.scan, Counter[str | None]()

    def down_for_a_while(limit: int, *, after: str | None) -> object:
        tried[after] += 1
        if after is not None and tried[after] < 5:
            raise StoreUnavailableError
        return scan(limit, after=after)

    monkeypatch.setattr(world.store, "scan", down_for_a_while)
    redeliver(world)

    assert counts(capsys.readouterr().out) == NOTHING | {"seen": 5, "requested": 5}
    assert redeliveries(world, tids) == [1] * 5


def test_what_a_run_has_read_it_does_not_read_again_to_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tid = given_up(world)
    keys = keys_read(monkeypatch)
    redeliver(world)

    assert keys == []
    assert redeliveries(world, [tid]) == [1]


def test_what_the_store_did_not_take_is_left_for_the_rest_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise StoreUnavailableError

    given_up(world)
    with monkeypatch.context() as patched:
        patched.setattr(type(world.store), "update", fail)
        assert redeliver(world) == 1
    printed = capsys.readouterr()

    assert counts(printed.out) == NOTHING | {"seen": 1, "failed": 1}
    assert "Go on in a minute with --run" in printed.err
    assert told(world, capsys) == {"requested": 1}


def changed_after_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch, tid: str, change: Callable[[Call], Call]
) -> None:
    """Have another writer change a call between a run's reading it and its writing."""
    scan = world.store.scan

    def overtaken(limit: int, *, after: str | None = None) -> object:
        page = scan(limit, after=after)
        monkeypatch.setattr(world.store, "scan", scan)
        world.store.update(tid, lambda call: Transition(change(call)))
        return page

    monkeypatch.setattr(world.store, "scan", overtaken)


def test_a_call_that_another_writer_touched_meanwhile_is_told_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tid = given_up(world)
    changed_after_the_page(world, monkeypatch, tid, lambda call: replace(call, reference="other"))

    assert told(world, capsys) == {"requested": 1}
    assert redeliveries(world, [tid]) == [1]


def test_a_call_that_is_being_delivered_meanwhile_waits(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tid = given_up(world)
    soon = world.clock.now() + timedelta(seconds=30)

    def under_way(call: Call) -> Call:
        return replace(call, delivery=replace(call.delivery, under_way_until=soon))

    changed_after_the_page(world, monkeypatch, tid, under_way)

    assert told(world, capsys) == {"too_soon": 1}
    assert redeliveries(world, [tid]) == [0]


def test_only_what_is_selected_is_told_and_a_dry_run_changes_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    tid = given_up(world)
    given_up(world, callback="https://other.example/")
    erased = given_up(world)
    world.place()
    assert world.client.post(f"/call/{erased}/erase", headers=bearer(world.clock)).status_code in {200, 204}
    capsys.readouterr()
    redeliver(world, "--host", "EXAMPLE.com", "--dry-run")

    assert counts(capsys.readouterr().out)["would_be_requested"] == 1
    assert world.call(tid).redelivered_at is None


def test_a_store_that_does_not_answer_ends_the_run_which_may_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(type(world.store), "scan", fail)

    assert redeliver(world) == 1
    assert "--run" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--run", "2999-01-01T00:00Z"), ("--host", "a/b"), ("--run", "2026-01-01T00:00")])
def test_what_makes_no_sense_begins_nothing(world: World, more: tuple[str, str]) -> None:
    tid = given_up(world)
    with pytest.raises(SystemExit) as ended:
        redeliver(world, *more)

    assert ended.value.code == 2
    assert redeliveries(world, [tid]) == [0]


def test_the_command_of_the_page_is_understood(world: World) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    commands = [line.split()[3:] for line in page.splitlines() if line.startswith(".venv/bin/python -m ttsprompt.")]

    assert len(commands) == 2
    for arguments in commands:
        assert main(arguments, ENVIRONMENT, Parts(store=world.store, clock=world.clock)) == 0


def redeliveries(world: World, tids: list[str]) -> list[int]:
    return [world.call(tid).redeliveries for tid in tids]


@pytest.mark.parametrize("later", [0, 120], ids=["at the same moment", "two minutes later"])
def test_a_rival_in_the_same_run_that_was_faster_is_noticed_at_the_write(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], later: int
) -> None:
    """Both have read the page before either writes; the slower one's version is out of date, and it looks again."""
    run = world.clock.now().isoformat()
    tid = given_up(world)
    world.clock.advance(60)
    scan = world.store.scan

    def overtaken(limit: int, *, after: str | None = None) -> object:
        page = scan(limit, after=after)
        monkeypatch.setattr(world.store, "scan", scan)
        if page:
            redeliver(world, "--run", run, "--state", "all")
            world.clock.advance(later)
        return page

    monkeypatch.setattr(world.store, "scan", overtaken)
    redeliver(world, "--run", run, "--state", "all")
    found = counts(capsys.readouterr().out.rpartition("run ")[2])

    assert redeliveries(world, [tid]) == [1]
    assert (found["requested"], found["changed_meanwhile"]) == (0, 1)


def test_runs_at_once_ask_for_each_outcome_once(world: World) -> None:
    run = world.clock.now().isoformat()
    tids = [given_up(world) for _ in range(20)]
    world.clock.advance(60)
    threads = [threading.Thread(target=redeliver, args=(world, "--run", run, "--state", "all")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert redeliveries(world, tids) == [1] * 20


def test_a_call_without_a_callback_has_nothing_to_tell(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tid = world.place(callback=..., callback_method=...)
    world.event("busy")
    redeliver(world, "--state", "all")

    assert counts(capsys.readouterr().out)["requested"] == 0
    assert redeliveries(world, [tid]) == [0]


def test_an_outcome_that_was_just_asked_for_waits_its_minute(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    given_up(world)
    world.clock.advance(60)
    redeliver(world, "--state", "all")
    world.clock.advance(30)

    assert told(world, capsys, "--state", "all", "--dry-run") == {"too_soon": 1}
    assert told(world, capsys, "--state", "all") == {"too_soon": 1}
    world.clock.advance(29)
    assert told(world, capsys, "--state", "all") == {"too_soon": 1}
    world.clock.advance(1)
    assert told(world, capsys, "--state", "all") == {"requested": 1}
