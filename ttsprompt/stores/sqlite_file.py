"""One SQLite file, opened by several threads and processes: connections, schema, and whether it is still our file."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import STORE_TIMEOUT_S

BUSY_S: Final = 2.0
"""How long one statement waits for another writer."""

OPENING_BUSY_S: Final = 0.1
"""The same while a connection is opened; there the repeats are ours."""

PRIVATE: Final = 0o600
"""Numbers and texts are for the service's user alone; SQLite gives `-wal` and `-shm` the mode of the file."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS calls (
    tid TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    due_at REAL,
    expire_at REAL NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quota (
    key TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    due_at REAL,
    expire_at REAL NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
DROP TABLE IF EXISTS places;
CREATE INDEX IF NOT EXISTS calls_due_at ON calls (due_at, tid) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_expire_at ON calls (expire_at);
CREATE INDEX IF NOT EXISTS quota_expire_at ON quota (expire_at);
"""

_creating: Final = threading.Lock()

_inherited: Final[list[sqlite3.Connection]] = []
"""What a fork left us of our parent's. To close one here could harm the file, as its locks are the parent's."""


class SqliteFile:
    """A file that is the service's store. A connection a thread, made anew after a fork."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._local = threading.local()
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def connection(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection, to wait for other writers for `timeout_s` and `BUSY_S` at most.

        Raises:
            StoreUnavailableError: the file cannot be opened or written, or is no longer the one that was opened first.
        """
        busy_s = min(timeout_s, BUSY_S)
        try:
            self._check_identity()
            held: _Held | None = getattr(self._local, "held", None)
            if held is None or held.pid != os.getpid():
                held = self._local.held = _Held(self._open(), os.getpid())
            if held.busy_s != busy_s:
                held.connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
                held.busy_s = busy_s
            yield held.connection
        except (sqlite3.Error, ValueError, OSError) as error:
            raise StoreUnavailableError from error

    def empty_log(self, timeout_s: float) -> None:
        """Bring the write-ahead log into the database and cut it to nothing; whoever reads an old page is waited for.

        Raises:
            StoreUnavailableError: somebody read or wrote all the time.
        """
        until = time.monotonic() + timeout_s
        while True:
            with self.connection(max(until - time.monotonic(), 0)) as connection:
                (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not is_busy:
                return
            if time.monotonic() >= until:
                raise StoreUnavailableError
            time.sleep(random.uniform(0, 0.02))  # noqa: S311 - jitter

    def _check_identity(self) -> None:
        """Refuse a file that took the first one's place: connections go on writing to one that has no name any more.

        Only a restart takes the new one, as the calls that are under way are not in it.
        """
        if self._identity is not None and self._identity != self._look():
            raise FileNotFoundError("The database file was deleted or replaced while it was in use; restart.")

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - on the way of each request
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        self._make_private()
        connection = sqlite3.connect(self._path, timeout=OPENING_BUSY_S, isolation_level=None, check_same_thread=False)
        # Going over to WAL does not wait for other processes that do the same (sqlite.org/wal.html), so ask again.
        until = time.monotonic() + STORE_TIMEOUT_S
        pause_s = 0.001
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                # An answered tid must outlive a power cut, not just a crash of this process.
                connection.execute("PRAGMA synchronous = FULL")
                # What is erased or outlived is overwritten, not just unlinked.
                connection.execute("PRAGMA secure_delete = ON")
                connection.executescript(_SCHEMA)
            except sqlite3.Error as error:
                if not isinstance(error, sqlite3.OperationalError) or time.monotonic() >= until:
                    connection.close()
                    raise
            else:
                return connection
            time.sleep(random.uniform(0, pause_s))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, 0.2)

    def _make_private(self) -> None:
        """Make the file if there is none; close it to others if an earlier version left it open.

        One thread at a time: closing a file drops the locks that the whole process has on it (sqlite.org/howtocorrupt).
        """
        with _creating:
            if self._identity is None:
                try:
                    os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE))
                except FileExistsError:
                    for path in self._path, *(Path(f"{self._path}{end}") for end in ("-wal", "-shm")):
                        if path.exists() and path.stat().st_uid == os.getuid():
                            path.chmod(PRIVATE)
                self._identity = self._look()


@dataclass(slots=True, weakref_slot=True)
class _Held:
    """A thread's connection; it is closed with the thread, but never by a process that it was not made in."""

    connection: sqlite3.Connection
    pid: int
    busy_s: float = OPENING_BUSY_S

    def __post_init__(self) -> None:
        # Not `__del__`: in a cycle of garbage the connection may be finalised before us, and complains.
        weakref.finalize(self, _close, self.connection, self.pid)


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()
    else:
        # Without a reference Python would close it (sqlite.org/howtocorrupt, "carrying a connection across a fork").
        _inherited.append(connection)
