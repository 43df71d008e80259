"""What is special about one file: several processes at once, crashes, forks, disks that fail."""

from __future__ import annotations

import gc
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NOW, a_call
from tests.contract.conftest import sqlite_store
from ttsprompt.domain.call import Transition
from ttsprompt.errors import CallNotFoundError, CorruptRecordError, StoreUnavailableError
from ttsprompt.ports import STORE_TIMEOUT_S, CallStore
from ttsprompt.stores import sqlite_file
from ttsprompt.stores.sqlite import is_sqlite_url, make_schema, open_sqlite

ROOT = Path(__file__).parents[2]
TID = a_call().tid

WRITER = """
import sys
from tests.builders import NOW, a_call
from ttsprompt.stores.sqlite import open_sqlite
from ttsprompt.domain.call import Transition
from ttsprompt.errors import CallExistsError
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store, _ = open_sqlite(f'sqlite:///{path}')
try:
    store.create(a_call())
except CallExistsError:
    pass
for number in range(count):
    store.update(a_call().tid, lambda call: Transition(call.noted(NOW, f"{name}-{number}")))
    print(number, flush=True)
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


@dataclass
class StoppedTime:
    """A clock that stands still but for who sleeps; `meanwhile` runs in the sleep of that number."""

    number: int = 0
    meanwhile: Callable[[], object] | None = None
    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) == self.number and self.meanwhile is not None:
            self.meanwhile()


def notes(path: Path) -> list[str]:
    return [line.event for line in sqlite_store(path).get(TID).call.timeline][1:]


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_start_at_once_on_a_new_file_lose_nothing(tmp_path: Path, processes: int) -> None:
    path = tmp_path / "calls.db"
    writers = [writer(path, str(number), 25) for number in range(processes)]
    for process in writers:
        process.communicate(timeout=100)

    assert [process.returncode for process in writers] == [0] * processes
    assert sorted(notes(path)) == sorted(f"{name}-{number}" for name in range(processes) for number in range(25))


def test_a_process_killed_while_it_writes_leaves_a_good_file_with_all_that_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    process = writer(path, "killed", 100_000)
    assert process.stdout is not None
    last = -1
    while last < 20:
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    reported = max([last, *(int(line) for line in rest.splitlines()[:-1])])

    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert notes(path)[: reported + 1] == [f"killed-{number}" for number in range(reported + 1)]
    sqlite_store(path).update(TID, lambda call: Transition(call.noted(NOW, "after")))


def test_a_store_that_was_used_before_a_fork_works_after_it(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "calls.db")
    store.create(a_call())
    child = os.fork()
    if child == 0:
        try:
            store.update(TID, lambda call: Transition(call.noted(NOW, "child")))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    store.update(TID, lambda call: Transition(call.noted(NOW, "parent")))

    assert [line.event for line in store.get(TID).call.timeline] == ["created", "child", "parent"]


def connections_to(path: Path) -> int:
    """Return how many this process has, by the write-ahead log, as SQLite closes the database itself later."""
    return sum(os.path.realpath(link) == f"{path.resolve()}-wal" for link in Path("/proc/self/fd").iterdir())


def test_the_connection_of_a_thread_that_ended_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    store = sqlite_store(path)
    store.create(a_call())
    before = connections_to(path)
    in_a_thread(lambda: store.get(TID))
    gc.collect()

    assert (before, connections_to(path)) == (1, 1)


def test_a_connection_that_a_fork_left_is_not_used_and_not_closed(tmp_path: Path) -> None:
    """To close it would let go of locks that the parent counts on (sqlite.org/howtocorrupt)."""
    path = tmp_path / "calls.db"
    store = sqlite_store(path)
    store.create(a_call())
    child = os.fork()
    if child == 0:
        store.get(TID)
        gc.collect()
        os._exit(connections_to(path))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 2


def test_power_cuts_and_erasure_are_not_left_to_how_sqlite_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = sqlite3.connect

    def built_otherwise(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = really(*args, **options)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", built_otherwise)

    assert pragmas(sqlite_file.SqliteFile(f"{tmp_path}/calls.db"), 1, "synchronous", "secure_delete") == [2, 1]


def pragmas(file: sqlite_file.SqliteFile, timeout_s: float, *names: str) -> list[int]:
    with file.connection(timeout_s) as connection:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]


def test_another_writer_is_waited_for_as_long_as_there_is_time_and_two_seconds_at_most(tmp_path: Path) -> None:
    file = sqlite_file.SqliteFile(f"{tmp_path}/calls.db")

    assert [pragmas(file, timeout_s, "busy_timeout") for timeout_s in (0.05, 1.5, 2, 60)] == [
        [50],
        [1500],
        [2000],
        [2000],
    ]


def test_a_file_that_cannot_be_opened_is_an_unavailable_store(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "no" / "such" / "folder" / "calls.db")
    work: list[Callable[[], object]] = [
        lambda: store.create(a_call()),
        lambda: store.get(TID),
        lambda: store.update(TID, Transition),
        lambda: store.delete(TID, lambda _: True),
        lambda: store.due(NOW, 1),
    ]
    for use in work:
        with pytest.raises(StoreUnavailableError):
            use()


def test_a_file_that_is_no_database_is_an_unavailable_store_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"this is no database" * 1000)
    clock = StoppedTime()
    monkeypatch.setattr(sqlite_file, "time", clock)

    with pytest.raises(StoreUnavailableError):
        sqlite_store(path).get(TID)
    assert clock.slept == []


def test_a_writer_that_does_not_finish_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    store = sqlite_store(path)
    store.create(a_call())
    rival = sqlite3.connect(path, isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        store.update(TID, lambda call: Transition(call.noted(NOW, "late")), timeout_s=0.2)
    assert time.monotonic() - began < 1.9  # what it would wait by default
    assert store.get(TID).call == a_call()
    rival.execute("COMMIT")
    rival.close()

    store.update(TID, lambda call: Transition(call.noted(NOW, "now")))


ERASED = "of alice"


def a_store_with_something_erased(path: Path) -> CallStore:
    store = sqlite_store(path)
    store.create(a_call(reference=ERASED))
    store.update(TID, lambda call: Transition(replace(call, reference=None)))
    return store


def files_with_what_was_erased(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ERASED.encode() in path.read_bytes()]


def test_scrubbing_leaves_nothing_of_what_was_overwritten_and_the_rest_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    store = a_store_with_something_erased(path)
    assert files_with_what_was_erased(tmp_path) == ["calls.db-wal"]
    store.scrub()

    assert files_with_what_was_erased(tmp_path) == []
    assert (tmp_path / "calls.db-wal").stat().st_size == 0
    assert sqlite_store(path).get(TID).call == a_call(reference=None)


def test_scrubbing_waits_until_nobody_reads_an_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "calls.db"
    store = a_store_with_something_erased(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM calls").fetchall()
        clock = StoppedTime(3, lambda: reader.execute("COMMIT"))
        monkeypatch.setattr(sqlite_file, "time", clock)
        store.scrub(timeout_s=0.07)

    assert len(clock.slept) == 3
    assert all(0 <= seconds <= 0.02 for seconds in clock.slept)
    assert files_with_what_was_erased(tmp_path) == []


def test_scrubbing_gives_up_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = a_store_with_something_erased(tmp_path / "calls.db")
    clock = StoppedTime()
    monkeypatch.setattr(sqlite_file, "time", clock)
    monkeypatch.setattr(random, "uniform", lambda *_: 0.05)
    with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM calls").fetchall()
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            store.scrub(timeout_s=0.1)

    assert clock.slept == [0.05, 0.05]
    assert time.monotonic() - began < 0.8  # SQLite waits too, for what is left


def test_the_schema_is_made_before_the_first_call_and_nothing_stays_to_be_done(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    assert make_schema(f"sqlite:///{path}") == []
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    assert tables == [("calls",), ("quota",)]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The lock of a new file, held by somebody who makes it."""
    with closing(sqlite3.connect(tmp_path / "calls.db", isolation_level=None)) as rival:
        rival.execute("BEGIN EXCLUSIVE")
        yield rival


def test_who_opens_a_file_that_somebody_else_is_making_asks_again_in_growing_pauses(
    tmp_path: Path, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedTime(10, lambda: held.execute("COMMIT"))
    monkeypatch.setattr(sqlite_file, "time", clock)
    monkeypatch.setattr(sqlite_file, "OPENING_BUSY_S", 0.001)
    monkeypatch.setattr(random, "uniform", lambda low, high: high if low == 0 else None)
    began = time.monotonic()
    sqlite_store(tmp_path / "calls.db").create(a_call())

    assert clock.slept == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.2, 0.2]
    assert time.monotonic() - began < 4  # less than SQLite waits by default, once


def test_who_opens_a_file_that_stays_locked_gives_up(
    tmp_path: Path, held: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StoppedTime(9, held.close)
    monkeypatch.setattr(sqlite_file, "time", clock)
    monkeypatch.setattr(sqlite_file, "OPENING_BUSY_S", 0.001)
    monkeypatch.setattr(random, "uniform", lambda *_: 1.0)
    with pytest.raises(StoreUnavailableError):
        sqlite_store(tmp_path / "calls.db").create(a_call())

    assert clock.slept == [1.0] * int(STORE_TIMEOUT_S)


def test_an_unreadable_row_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    store = sqlite_store(path)
    store.create(a_call())
    for document in ("{}", "[]", "5", "not json", '{"state": "placing"}', '{"$time": 5}', b"\xff\xfe"):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE calls SET document = ?", (document,))
        with pytest.raises(CorruptRecordError) as caught:
            store.get(TID)
        assert caught.value.tid == TID
        assert [(due.tid, due.stored) for due in store.due(NOW + timedelta(days=1), 10)] == [(TID, None)]


def test_a_record_is_dropped_when_its_retention_is_over(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "calls.db")
    expire_at = store.create(a_call()).call.expire_at
    store.purge(expire_at - timedelta(seconds=1))
    assert store.get(TID)
    store.purge(expire_at)

    with pytest.raises(CallNotFoundError):
        store.get(TID)


def test_a_limit_that_is_over_leaves_nothing_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    store, quota = open_sqlite(f"sqlite:///{path}")
    window = timedelta(seconds=600)
    for number in range(3):
        quota.acquire(f"number-{number}", "holder", now=NOW + timedelta(seconds=number), window=window, most=1)
    store.purge(NOW + window + timedelta(seconds=1))

    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT key FROM quota").fetchall() == [("number-2",)]


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_the_files_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = sqlite_store(tmp_path / "calls.db")
        store.create(a_call())
        files = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert files == {name: oct(0o600) for name in ("calls.db", "calls.db-wal", "calls.db-shm")}


def test_files_that_an_earlier_version_left_open_to_others_are_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE places (key TEXT, holder TEXT)")
        for file in tmp_path.iterdir():
            file.chmod(0o644)
        sqlite_store(path).create(a_call())
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}

    assert modes == {name: oct(0o600) for name in ("calls.db", "calls.db-wal", "calls.db-shm")}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'places'").fetchall() == []


@pytest.mark.parametrize("fate", ["deleted", "replaced"])
def test_a_file_that_went_away_under_the_process_is_an_unavailable_store_and_is_not_made_anew(
    tmp_path: Path, fate: str
) -> None:
    path = tmp_path / "calls.db"
    store, quota = open_sqlite(f"sqlite:///{path}")
    store.create(a_call())
    work: list[Callable[[], object]] = [
        lambda: store.create(a_call(tid=TID[:-1] + "0")),
        lambda: store.get(TID),
        lambda: store.due(NOW, 1),
        lambda: quota.release("k", "h"),
        lambda: in_a_thread(lambda: store.get(TID)),
    ]
    for file in tmp_path.iterdir():
        file.unlink()
    if fate == "replaced":
        sqlite_store(path).create(a_call())

    for use in work:
        with pytest.raises(StoreUnavailableError) as caught:
            use()
        assert "was deleted or replaced while it was in use; restart" in str(caught.value.__cause__)
    assert path.exists() == (fate == "replaced")


def in_a_thread(work: Callable[[], object]) -> object:
    """Run `work` where no connection is open yet."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_many_threads_that_open_a_new_file_at_once_lose_no_lock(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path / "calls.db")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: store.create(a_call(tid=TID[:-2] + f"{number:02}")), range(16)))

    assert len(store.due(NOW + timedelta(days=1), 100)) == 16


@pytest.mark.parametrize("url", ["sqlite:///{}", "sqlite:////{}"])
def test_urls_name_relative_and_absolute_files(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = url.startswith("sqlite:////")
    open_sqlite(url.format(str(tmp_path / "x.db").lstrip("/") if absolute else "x.db"))[0].create(a_call())

    assert (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        *((url, True) for url in ("sqlite:///x.db", "sqlite:///X", "sqlite:////var/lib/x.db", "sqlite:///a/:memory:")),
        *((url, False) for url in ("sqlite:///", "sqlite:////", "sqlite:///:memory:", "sqlite:////:memory:")),
        *(
            (url, False)
            for url in ("sqlite://///x.db", "sqlite://x.db", "SQLITE:///x.db", "mysql:///x.db", "/x.db", "")
        ),
    ],
)
def test_a_url_that_names_no_file_is_refused_before_anything_is_opened(url: str, *, is_one: bool) -> None:
    assert is_sqlite_url(url) == is_one
    if is_one:
        open_sqlite(url)
    else:
        with pytest.raises(ValueError, match=r"^must be sqlite:///relative\.db or sqlite:////absolute\.db$"):
            open_sqlite(url)


def test_nothing_secret_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    sqlite_store(path).create(a_call())
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"token-of-the-call" not in content
    assert b'"1234"' not in content
