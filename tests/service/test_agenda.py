"""Whose turn it is: what hosts bear, and who holds how many of the sweep's threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import NOW
from tests.fakes import FakeClock
from tests.histories import ev, live
from ttsprompt.domain.model import CallbackTarget
from ttsprompt.service import agenda as module
from ttsprompt.service.agenda import MOST_TRIES, Agenda, Item
from ttsprompt.stores.sqlite import open_sqlite

SETTLED = live([ev("busy")])

Open = Callable[..., Agenda]


@pytest.fixture
def agenda_of(tmp_path: Path) -> Open:
    def open_agenda(*due: tuple[str, str], threads: int = 64) -> Agenda:
        """Return an agenda with these calls, each an application and a callback URL, the oldest first."""
        store, _ = open_sqlite(f"sqlite:///{tmp_path}/calls.db")
        for number, (application, url) in enumerate(due):
            call = replace(SETTLED, tid=f"t-{number}", application_id=application, callback=CallbackTarget(url))
            store.create(replace(call, due_at=NOW + timedelta(seconds=number), expire_at=NOW + timedelta(days=99)))
        agenda = Agenda(store, FakeClock(NOW + timedelta(days=1)), threads)
        agenda.read_page()
        return agenda

    return open_agenda


def taken(agenda: Agenda, most: int = 1000) -> list[Item]:
    """Take all that may be taken now."""
    items: list[Item] = []
    while len(items) < most and (agenda._next_lane() is not None or not agenda._all_read):
        item = agenda.take()
        assert item is not None
        items.append(item)
    return items


def finish(agenda: Agenda, items: list[Item], *, success: bool) -> None:
    for item in items:
        agenda.tried(item, success=success)
        agenda.done(item)


def places(items: list[Item]) -> list[str]:
    calls = [item.due.stored.call for item in items if item.due.stored]
    return [call.callback.url for call in calls if call.callback]


def test_a_host_that_is_well_gets_one_more_try_at_once_for_each_success(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://well.example/")] * 400)

    sizes = []
    while running := taken(agenda):
        sizes.append(len(running))
        finish(agenda, running, success=True)

    assert sizes[:4] == [2, 4, 8, 16]
    assert set(sizes[4:-1]) == {MOST_TRIES}
    assert sum(sizes) == 400


def test_a_host_that_fails_gets_half_as_many_for_each_failure_and_never_none(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 100)
    for _ in range(3):
        finish(agenda, taken(agenda), success=True)

    sizes = []
    for _ in range(4):
        running = taken(agenda)
        sizes.append(len(running))
        finish(agenda, running[:1], success=False)
        for item in running[1:]:
            agenda.done(item)

    assert sizes == [16, 8, 4, 2]
    assert len(taken(agenda)) == 1


def test_a_place_at_the_host_is_free_before_the_try_is_recorded(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 10)
    first, _ = taken(agenda)

    agenda.tried(first, success=False)
    assert taken(agenda) == []
    agenda.done(first)
    assert taken(agenda) == []


@pytest.mark.parametrize("hog", ["https://dead{}.example/", "https://dead.example:{}/"], ids=["names", "ports"])
def test_an_application_holds_half_of_the_threads_while_another_waits(agenda_of: Open, hog: str) -> None:
    calls = [("hog", hog.format(number + 1)) for number in range(40)] + [("b", "https://well.example/")] * 3
    agenda = agenda_of(*calls, threads=8)

    running = taken(agenda)

    # The third of `b` waits for its host, and nobody else gets the threads meanwhile.
    assert len([one for one in places(running) if "dead" in one]) == 4
    assert len([one for one in places(running) if "well" in one]) == 2
    finish(agenda, [one for one in running if "well" in places([one])[0]], success=True)
    running = taken(agenda)
    assert places(running)[0] == "https://well.example/"
    # Now nobody else waits.
    assert all("dead" in one for one in places(running[1:]))
    assert len(running) > 1


def test_a_machine_holds_half_of_the_threads_on_all_its_ports_together(agenda_of: Open) -> None:
    calls = [("a", f"https://dead.example:{number + 1}/") for number in range(150)]
    agenda = agenda_of(*calls, *[("a", "https://well.example/")] * 3, threads=32)

    running = places(taken(agenda))

    # The third that is well waits for its host.
    assert len([one for one in running if "dead" in one]) == 16
    assert len([one for one in running if "well" in one]) == 2


def test_who_waits_on_a_page_that_was_not_read_counts_too(agenda_of: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 5)
    calls = [("hog", f"https://dead{number}.example/") for number in range(40)] + [("b", "https://well.example/")]
    agenda = agenda_of(*calls, threads=8)

    running = places(taken(agenda, 5))

    assert running[4] == "https://well.example/"


def test_a_server_on_another_port_does_not_pay_for_its_neighbour(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 5, *[("a", "https://host.example:8443/")] * 5)

    assert sorted(places(taken(agenda))) == ["https://host.example/"] * 2 + ["https://host.example:8443/"] * 2


@pytest.mark.parametrize("spelt", ["https://HOST.example/", "https://host.example.:443/b", "https://host.example:/"])
def test_a_host_is_the_same_however_it_is_spelt(agenda_of: Open, spelt: str) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 2, *[("a", spelt)] * 2)

    assert len(taken(agenda)) == 2
