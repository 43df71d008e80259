"""Whose turn it is: what hosts bear, and who holds how many of the sweep's threads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.builders import NOW
from tests.fakes import FakeClock
from tests.histories import ev, live
from ttsprompt.domain.model import Call, CallbackTarget
from ttsprompt.ports import Stored
from ttsprompt.service import agenda as module
from ttsprompt.service.agenda import MOST_TRIES, Agenda, Item
from ttsprompt.stores.sqlite import open_sqlite

SETTLED, OVERDUE = live([ev("busy")]), live([])

Open = Callable[..., Agenda]


@pytest.fixture
def agenda_of(tmp_path: Path) -> Open:
    def open_agenda(
        *due: tuple[str, str], threads: int = 64, overdue: Collection[int] = (), apart_s: float = 1
    ) -> Agenda:
        """Return an agenda with these calls, each an application and a callback URL, the oldest first.

        Those of the numbers in `overdue` have not settled yet.
        """
        store, _ = open_sqlite(f"sqlite:///{tmp_path}/calls.db")
        for number, (application, url) in enumerate(due):
            call = OVERDUE if number in overdue else SETTLED
            call = replace(call, tid=f"t-{number}", application_id=application, callback=CallbackTarget(url))
            store.create(
                replace(call, due_at=NOW + timedelta(seconds=number * apart_s), expire_at=NOW + timedelta(days=99))
            )
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


def tids(items: list[Item]) -> list[int]:
    return [int(item.due.tid.removeprefix("t-")) for item in items]


def settle(agenda: Agenda, item: Item) -> bool:
    """Have a call settle, and tell whether it may be tried at once."""
    stored = item.due.stored
    assert stored is not None
    call: Call = stored.call
    settled = replace(SETTLED, tid=call.tid, application_id=call.application_id, callback=call.callback)
    return agenda.enter(item, Stored(settled, stored.version, stored.document))


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


def test_half_of_an_odd_number_of_tries_is_rounded_down(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 10)
    first, second = taken(agenda)
    finish(agenda, [first], success=True)
    finish(agenda, [second], success=False)

    assert len(taken(agenda)) == 1


def test_a_place_at_the_host_is_free_before_the_try_is_recorded(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 10)
    first, second = taken(agenda)

    agenda.tried(first, success=True)
    assert len(taken(agenda)) == 2
    agenda.done(first)
    assert taken(agenda) == []
    agenda.tried(second, success=False)
    agenda.done(second)
    assert taken(agenda) == []


@pytest.mark.parametrize("hog", ["https://dead{}.example/", "https://dead.example:{}/"], ids=["names", "ports"])
@pytest.mark.parametrize(("threads", "half"), [(8, 4), (7, 3)])
def test_an_application_holds_half_of_the_threads_while_another_waits(
    agenda_of: Open, hog: str, threads: int, half: int
) -> None:
    calls = [("hog", hog.format(number + 1)) for number in range(40)] + [("b", "https://well.example/")] * 3
    agenda = agenda_of(*calls, threads=threads)

    running = taken(agenda)

    # The third of `b` waits for its host, and nobody else gets the threads meanwhile.
    assert len([one for one in places(running) if "dead" in one]) == half
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


def test_an_application_that_has_its_half_keeps_no_other_waiting_behind_its_calls(agenda_of: Open) -> None:
    hog = [("hog", f"https://dead{number}.example/") for number in range(40)]
    calls = [*hog, ("hog", "https://well.example/"), ("b", "https://well.example/")]

    assert tids(taken(agenda_of(*calls, threads=8), 5)) == [0, 1, 2, 3, 41]


def test_a_call_that_needs_no_host_comes_when_it_is_older_than_the_one_whose_machine_has_least(agenda_of: Open) -> None:
    two, another = [("a", "https://one.example/")] * 2, ("a", "https://two.example/")

    assert tids(taken(agenda_of(*two, ("a", "https://x.example/"), another, overdue={2}))) == [0, 2, 3, 1]


def test_an_older_call_that_has_a_place_comes_before_one_that_needs_no_host(agenda_of: Open) -> None:
    assert tids(taken(agenda_of(*[("a", "https://one.example/")] * 2, ("a", "https://x.example/"), overdue={2}))) == [
        0,
        1,
        2,
    ]


def test_nor_does_it_where_they_are_still_to_be_settled(agenda_of: Open) -> None:
    calls = [*[("hog", f"https://dead{number}.example/") for number in range(40)], ("hog", "https://a.example/")]

    agenda = agenda_of(*calls, ("b", "https://b.example/"), threads=8, overdue={40, 41})

    assert tids(taken(agenda, 5)) == [0, 1, 2, 3, 41]


@pytest.mark.parametrize("applications", [1, 8])
def test_what_is_held_is_bounded_whoever_it_is_of(
    agenda_of: Open, monkeypatch: pytest.MonkeyPatch, applications: int
) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 10)
    monkeypatch.setattr(module, "MAX_QUEUED", 30)
    agenda = agenda_of(*[(f"a-{number % applications}", "https://dead.example/") for number in range(100)])
    held = []
    while not agenda._all_read:
        with agenda._changed:
            agenda._read_on()
        held.append(agenda._queued)

    assert len(held) == 10
    assert max(held) <= 30
    assert agenda._queued + sum(agenda._let_go.values()) == 100


def test_who_has_most_waiting_gives_the_room(agenda_of: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 10)
    monkeypatch.setattr(module, "MAX_QUEUED", 30)
    calls = [("b", "https://dead.example/")] * 5 + [("hog", "https://dead.example/")] * 95
    agenda = agenda_of(*calls)
    while not agenda._all_read:
        with agenda._changed:
            agenda._read_on()

    assert agenda._waiting["b"] == 5


def test_who_waits_on_a_page_that_was_not_read_counts_too(agenda_of: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 5)
    calls = [("hog", f"https://dead{number}.example/") for number in range(40)] + [("b", "https://well.example/")]
    agenda = agenda_of(*calls, threads=8)

    running = places(taken(agenda, 5))

    assert running[4] == "https://well.example/"


@pytest.mark.parametrize("overdue", [(), range(5)], ids=["to be tried", "to be settled"])
@pytest.mark.parametrize(
    ("number", "most", "fifth"),
    [
        pytest.param(5, 6, 5, id="as far as there is room"),
        pytest.param(10, 10, 4, id="and no further"),
    ],
)
def test_for_who_may_wait_pages_are_read_while_there_is_room(
    agenda_of: Open,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    most: int,
    fifth: int,
    overdue: Collection[int],
) -> None:
    """One application holds its half of the threads; another's only call is on a page to come."""
    monkeypatch.setattr(module, "PAGE_SIZE", 5)
    monkeypatch.setattr(module, "MAX_QUEUED", most)
    calls = [("hog", f"https://dead{other}.example/") for other in range(20)]
    calls.insert(number, ("b", "https://well.example/"))
    agenda = agenda_of(*calls, threads=8, overdue=overdue)

    assert tids(taken(agenda, 5)) == [0, 1, 2, 3, fifth]


@pytest.mark.parametrize(
    ("hosts", "order"), [("aab", [0, 2, 1]), ("abab", [0, 1, 2, 3]), ("aabcbc", [0, 2, 3, 1, 4, 5])]
)
def test_the_machine_that_holds_the_fewest_threads_comes_next_then_the_oldest_call(
    agenda_of: Open, hosts: str, order: list[int]
) -> None:
    agenda = agenda_of(*[("a", f"https://{host}.example/") for host in hosts])

    assert tids(taken(agenda)) == order


def test_calls_to_be_settled_and_calls_to_be_tried_come_by_age(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", f"https://{host}.example/") for host in "abcde"], overdue=(1, 3))

    assert tids(taken(agenda)) == [0, 1, 2, 3, 4]


def test_calls_of_several_hosts_that_are_due_at_the_same_moment_are_all_taken(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", f"https://{host}.example/") for host in "abcabc"], apart_s=0)

    assert tids(taken(agenda)) == [0, 1, 2, 3, 4, 5]


def test_a_server_on_another_port_does_not_pay_for_its_neighbour(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 5, *[("a", "https://host.example:8443/")] * 5)

    assert sorted(places(taken(agenda))) == ["https://host.example/"] * 2 + ["https://host.example:8443/"] * 2


@pytest.mark.parametrize("spelt", ["https://HOST.example/", "https://host.example.:443/b", "https://host.example:/"])
def test_a_host_is_the_same_however_it_is_spelt(agenda_of: Open, spelt: str) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 2, *[("a", spelt)] * 2)

    assert len(taken(agenda)) == 2


def test_calls_that_settle_and_find_no_place_wait_and_are_told_apart_at_the_end(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://host.example/")] * 7, overdue=range(5))
    assert agenda.left() == (7, 0)
    running = taken(agenda)

    assert tids(running) == [0, 1, 2, 3, 4, 5, 6]
    finish(agenda, running[5:], success=False)
    assert [settle(agenda, item) for item in running[:5]] == [True, False, False, False, False]
    assert agenda.left() == (0, 4)


def test_of_a_call_that_settled_and_was_tried_its_application_holds_no_thread_any_more(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", "https://a.example/")] * 4, ("b", "https://b.example/"), threads=4, overdue=(0, 1))
    for item in taken(agenda, 2):
        assert settle(agenda, item)
        finish(agenda, [item], success=True)

    assert tids(taken(agenda, 3)) == [2, 4, 3]


def test_an_application_that_is_alone_has_all_threads_for_what_settles_too(agenda_of: Open) -> None:
    agenda = agenda_of(*[("a", f"https://host{number}.example/") for number in range(4)], threads=4, overdue=range(4))

    assert [settle(agenda, item) for item in taken(agenda)] == [True] * 4


def tried_in_the_end(agenda: Agenda) -> list[int]:
    """Take and finish until the sweep is over; return what was tried, in this order."""
    found: list[int] = []
    while items := taken(agenda):
        found += tids(items)
        finish(agenda, items, success=False)
    assert agenda.take() is None
    return found


@pytest.mark.parametrize(
    ("hosts", "page", "most", "order", "let_go"),
    [
        pytest.param("aaaaaaaaaaaaab", 3, 6, [0, 1, 13, 2, 3, 4, 12], 7, id="no more than is needed"),
        pytest.param("aaaaaaaab", 4, 10, [0, 1, 8, 2, 3, 4, 5, 6, 7], 0, id="none when there is room to the last"),
        pytest.param("aaaab", 4, 4, [0, 1, 4, 2], 1, id="all but the oldest"),
        pytest.param("aaabbbcccd", 3, 3, [0, 1, 3, 4, 6, 7, 9, 2, 5, 8], 0, id="never the oldest"),
    ],
)
def test_to_read_on_the_longest_lane_lets_go_of_its_newest(
    agenda_of: Open, monkeypatch: pytest.MonkeyPatch, hosts: str, page: int, most: int, order: list[int], let_go: int
) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", page)
    monkeypatch.setattr(module, "MAX_QUEUED", most)
    agenda = agenda_of(*[("a", f"https://{host}.example/") for host in hosts])

    assert tried_in_the_end(agenda) == order
    assert agenda.left() == (let_go, 0)


def test_calls_that_settled_and_are_let_go_count_as_such(agenda_of: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_SIZE", 6)
    monkeypatch.setattr(module, "MAX_QUEUED", 7)
    calls = [("a", "https://host.example/")] * 7 + [("b", "https://other.example/")]
    agenda = agenda_of(*calls, overdue=range(6))
    running = taken(agenda, 6)
    assert [settle(agenda, item) for item in running] == [True, True, False, False, False, False]

    # To read on, the three newest of the four that wait are let go.
    assert tids(taken(agenda)) == [7]
    assert agenda.left() == (1, 4)


def test_a_thread_stays_while_another_has_a_call_in_hand_that_may_come_back(
    agenda_of: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It settles, and finds no place at its host."""
    agenda = agenda_of(*[("a", "https://host.example/")] * 3, overdue=range(3))
    items = taken(agenda)
    assert [settle(agenda, item) for item in items[:2]] == [True, True]
    waited: list[float | None] = []

    def meanwhile(timeout: float | None = None) -> bool:
        waited.append(timeout)
        assert not settle(agenda, items[2])
        agenda.done(items[2])
        finish(agenda, items[:1], success=True)
        return True

    monkeypatch.setattr(agenda._changed, "wait", meanwhile)
    item = agenda.take()

    assert item is not None
    assert tids([item]) == [2]
    assert waited == [1]


def test_a_thread_stays_while_another_reads_what_may_be_for_it(
    agenda_of: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    agenda = agenda_of()
    agenda._all_read, agenda._reading = False, True
    waited: list[float | None] = []

    def meanwhile(timeout: float | None = None) -> bool:
        waited.append(timeout)
        agenda._all_read, agenda._reading = True, False
        return True

    monkeypatch.setattr(agenda._changed, "wait", meanwhile)

    assert agenda.take() is None
    assert waited == [1]


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_nobody_holds_more_than_half_of_the_threads_while_others_wait_however_few_there_are(
    agenda_of: Open, threads: int, most: int
) -> None:
    hosts = [("greedy", f"https://host-{number}.example/") for number in range(5)]
    agenda = agenda_of(*hosts, ("other", "https://other.example/"), threads=threads)

    first = taken(agenda, most + 1)

    assert tids(first) == [*range(most), 5]
