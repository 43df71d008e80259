"""What every store promises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOW, a_call
from tests.contract.conftest import PATIENT_S
from tests.records import document_of, keys_read, rewrite
from ttsprompt.domain.call import Transition
from ttsprompt.domain.model import Call, Prompts
from ttsprompt.errors import CallExistsError, CallNotFoundError, CorruptRecordError
from ttsprompt.ports import CallStore

TID = a_call().tid
MOMENT = timedelta(microseconds=1)


def noting(event: str) -> Callable[[Call], Transition]:
    """Return a change that adds a line to the timeline."""
    return lambda call: Transition(call.noted(NOW, event))


def unchanged(call: Call) -> Transition:
    return Transition(call)


def notes(store: CallStore, tid: str = TID) -> list[str]:
    return [line.event for line in store.get(tid).call.timeline]


def test_a_created_call_comes_back_as_it_was(store: CallStore) -> None:
    call = replace(
        a_call(prompts=Prompts(text="Öffnen 🔑 <&> עברית", style=0, premium=False), reference="a/b?c"),
        created_at=NOW + timedelta(microseconds=123456),
    )
    store.create(call)

    assert store.get(TID).call == call


def test_a_taken_tid_is_refused_and_the_first_call_stays(store: CallStore) -> None:
    first = a_call()
    store.create(first)

    with pytest.raises(CallExistsError):
        store.create(a_call(to="447970513608"))
    assert store.get(TID).call == first


def test_of_sixteen_creates_of_one_tid_exactly_one_wins(store: CallStore) -> None:
    results: list[str] = []
    barrier = threading.Barrier(16)

    def create(number: int) -> None:
        barrier.wait()
        try:
            store.create(a_call(reference=str(number)), timeout_s=PATIENT_S)
            results.append(str(number))
        except CallExistsError:
            pass

    in_threads(create, 16)

    assert [store.get(TID).call.reference] == results


def test_an_unknown_call_is_not_found(store: CallStore) -> None:
    with pytest.raises(CallNotFoundError):
        store.get(TID)
    with pytest.raises(CallNotFoundError):
        store.update(TID, unchanged)


def test_an_update_is_stored_and_returned(store: CallStore) -> None:
    store.create(a_call())
    update = store.update(TID, noting("changed"))

    assert update.written is True
    assert store.get(TID).call == update.stored.call == update.transition.call
    assert notes(store) == ["created", "changed"]


def test_a_field_that_became_none_is_gone(store: CallStore) -> None:
    store.create(a_call())
    store.update(TID, lambda call: Transition(replace(call, prompts=None, secrets=None, due_at=None)))
    call = store.get(TID).call

    assert (call.prompts, call.secrets, call.due_at) == (None, None, None)


def test_an_unchanged_call_is_not_written(store: CallStore) -> None:
    store.create(a_call())
    before = store.get(TID).version
    update = store.update(TID, unchanged)

    assert update.transition == Transition(a_call())
    assert update.written is False
    assert store.get(TID).version == before == update.stored.version


def test_an_exception_of_the_change_passes_through_and_nothing_is_written(store: CallStore) -> None:
    store.create(a_call())
    before = store.get(TID).version

    def fail(call: Call) -> Transition:
        raise CallNotFoundError

    with pytest.raises(CallNotFoundError):
        store.update(TID, fail)
    assert store.get(TID).version == before


def test_a_rival_write_makes_the_change_run_again_on_what_the_rival_wrote(store: CallStore) -> None:
    store.create(a_call())
    runs: list[list[str]] = []

    def change(call: Call) -> Transition:
        runs.append([line.event for line in call.timeline])
        if len(runs) == 1:
            store.update(TID, noting("rival"))
        return Transition(call.noted(NOW, "mine"))

    store.update(TID, change)

    assert runs == [["created"], ["created", "rival"]]
    assert notes(store) == ["created", "rival", "mine"]


@pytest.mark.parametrize("writers", [2, 16])
def test_racing_writers_all_get_their_write(store: CallStore, writers: int) -> None:
    store.create(a_call())
    barrier = threading.Barrier(writers)

    def write(number: int) -> None:
        barrier.wait()
        store.update(TID, noting(str(number)), timeout_s=PATIENT_S)

    in_threads(write, writers)

    assert sorted(notes(store)[1:]) == sorted(str(number) for number in range(writers))


def test_what_was_seen_saves_the_read(store: CallStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = store.create(a_call())
    with monkeypatch.context() as patched:
        keys = keys_read(patched, store)
        for number in range(3):
            stored = store.update(TID, noting(str(number)), expected=stored).stored
        assert keys == []
        store.update(TID, unchanged)
        assert keys == [TID]

    assert notes(store) == ["created", "0", "1", "2"]


def test_what_was_seen_and_is_out_of_date_is_read_again(store: CallStore) -> None:
    seen = store.create(a_call())
    store.update(TID, noting("rival"))
    store.update(TID, noting("mine"), expected=seen)

    assert notes(store) == ["created", "rival", "mine"]


def test_what_was_seen_of_a_deleted_and_made_again_call_does_not_count(store: CallStore) -> None:
    seen = store.create(a_call(reference="old"))
    assert store.delete(TID, lambda _: True)
    store.create(a_call(reference="new"))
    store.update(TID, noting("mine"), expected=seen)

    assert store.get(TID).call.reference == "new"


def test_a_call_is_deleted_if_the_condition_holds(store: CallStore) -> None:
    stored = store.create(a_call())

    assert not store.delete(TID, lambda _: False, expected=stored)
    assert notes(store) == ["created"]
    assert store.delete(TID, lambda _: True, expected=stored)
    with pytest.raises(CallNotFoundError):
        store.get(TID)


def test_deleting_what_is_gone_is_done(store: CallStore) -> None:
    assert store.delete(TID, lambda _: True)


def test_the_condition_sees_what_a_rival_wrote(store: CallStore) -> None:
    seen = store.create(a_call())
    store.update(TID, noting("rival"))

    assert not store.delete(TID, lambda call: len(call.timeline) == 1, expected=seen)
    assert notes(store) == ["created", "rival"]


def test_the_condition_sees_the_call_that_was_made_after_what_was_seen_was_deleted(store: CallStore) -> None:
    seen = store.create(a_call(reference="old"))
    assert store.delete(TID, lambda _: True, expected=seen)
    store.create(a_call(reference="new"))

    assert not store.delete(TID, lambda call: call.reference == "old", expected=seen)
    assert store.get(TID).call.reference == "new"


def test_what_is_due_is_put_off_unless_somebody_wrote_it_meanwhile(store: CallStore) -> None:
    store.create(replace(a_call(), due_at=NOW))
    (due,) = store.due(NOW, 10)
    store.update(TID, noting("rival"))
    store.quarantine(due, NOW + MOMENT)
    (again,) = store.due(NOW, 10)
    assert again.due_at == NOW

    store.quarantine(again, NOW + MOMENT)
    assert store.due(NOW, 10) == []
    (late,) = store.due(NOW + MOMENT, 10)
    assert store.delete(TID, lambda _: True)
    store.quarantine(late, NOW)
    assert store.due(NOW + MOMENT, 10) == []


def test_due_are_those_whose_time_has_come_the_oldest_first(store: CallStore) -> None:
    due_at = {"1": NOW, "2": NOW + MOMENT, "3": NOW - MOMENT, "4": None, "5": NOW - timedelta(days=1)}
    for digit, at in due_at.items():
        store.create(replace(a_call(tid=TID[:-1] + digit), due_at=at))

    assert [due.tid[-1] for due in store.due(NOW, 10)] == ["5", "3", "1"]
    assert [due.due_at for due in store.due(NOW, 10)] == [due_at["5"], due_at["3"], due_at["1"]]
    assert [due.tid[-1] for due in store.due(NOW, 2)] == ["5", "3"]


def test_due_pages_go_on_where_the_last_one_ended(store: CallStore) -> None:
    for digit in "0123456":
        store.create(replace(a_call(tid=TID[:-1] + digit), due_at=NOW))
    pages, last = [], None
    while page := store.due(NOW, 3, after=last):
        pages.append([due.tid[-1] for due in page])
        last = page[-1]

    assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_all_calls_are_scanned_in_pages_whatever_their_state_and_readable_or_not(store: CallStore) -> None:
    assert store.scan(10) == []
    calls = [
        replace(a_call(tid=TID[:-1] + digit), due_at=due_at)
        for digit, due_at in zip("31420", (NOW, None, NOW, None, NOW), strict=True)
    ]
    for call in calls:
        store.create(call)
    rewrite(store, TID[:-1] + "1", lambda document: document | {"state": "from another world"})
    pages: list[list[tuple[str, bool]]] = []
    after = None
    while page := store.scan(2, after=after):
        pages.append([(tid[-1], stored is not None) for tid, stored in page])
        after = page[-1][0]

    assert pages == [[("0", True), ("1", False)], [("2", True), ("3", True)], [("4", True)]]


def test_what_was_scanned_may_be_updated_without_another_read(
    store: CallStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(a_call())
    ((tid, stored),) = store.scan(1)
    assert stored is not None
    with monkeypatch.context() as patched:
        keys = keys_read(patched, store)
        store.update(tid, noting("scanned"), expected=stored)
        assert keys == []

    assert (stored.call, notes(store)) == (a_call(), ["created", "scanned"])


def test_what_is_due_comes_with_the_call_and_may_be_updated_without_another_read(
    store: CallStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(replace(a_call(), due_at=NOW))
    (due,) = store.due(NOW, 10)
    assert due.stored is not None
    with monkeypatch.context() as patched:
        keys = keys_read(patched, store)
        store.update(TID, noting("swept"), expected=due.stored)
        assert keys == []

    assert notes(store) == ["created", "swept"]


def test_what_a_later_version_added_survives_an_update_and_what_was_expected_does_too(store: CallStore) -> None:
    """A roll-back runs old code on records that newer code has written."""
    later = {"x": [1, {"at": NOW}], "words": "…"}
    stored = store.create(a_call())
    rewrite(
        store,
        TID,
        lambda document: (
            document
            | {"later": later, "callback": document["callback"] | {"retries": 3}}
            | {"delivery": {"tries": [{"at": NOW, "fault": "refused", "later": 1}]}}
        ),
    )
    first = store.update(TID, noting("mine"), expected=stored).stored
    delivery = replace(first.call.delivery, attempts_made=1)
    store.update(TID, lambda call: Transition(replace(call, delivery=delivery)), expected=first)
    document = document_of(store, TID)

    assert document["later"] == later
    assert document["callback"]["retries"] == 3
    assert document["delivery"] == {
        "attempts_made": 1,
        "tries": [{"at": NOW, "fault": "refused", "later": 1}],
    }
    assert notes(store) == ["created", "mine"]


def test_every_write_has_an_id_of_its_own(store: CallStore) -> None:
    store.create(a_call())
    first = document_of(store, TID)["write_id"]
    store.update(TID, noting("mine"))
    second = document_of(store, TID)["write_id"]

    assert first != second


def test_what_is_queried_by_lies_at_the_top_of_the_document(store: CallStore) -> None:
    store.create(a_call())

    assert {"token_hash", "due_at", "expire_at", "write_id"} <= document_of(store, TID).keys()


def test_a_word_of_a_later_version_makes_a_record_that_is_due_but_cannot_be_read(store: CallStore) -> None:
    store.create(replace(a_call(), due_at=NOW))
    rewrite(store, TID, lambda document: document | {"state": "from another world"})
    with pytest.raises(CorruptRecordError):
        store.get(TID)
    with pytest.raises(CorruptRecordError):
        store.update(TID, noting("mine"))
    (due,) = store.due(NOW, 10)

    assert (due.tid, due.stored) == (TID, None)
    store.quarantine(due, NOW + timedelta(hours=1))
    assert store.due(NOW, 10) == []
    assert document_of(store, TID)["state"] == "from another world"


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run `work` in as many threads; the first exception is raised here."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
