"""The embedded store: one SQLite file, for development, tests and small installations.

Each call is one row with its document as JSON. A random version changes with every write, so that a deleted and made
again call is never taken for the old one.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ttsprompt.domain.call import Call, Transition
from ttsprompt.errors import CallExistsError, CallNotFoundError, CorruptRecordError, StoreUnavailableError
from ttsprompt.ports import STORE_PATIENCE_S, CallStore, DueCall, QuotaStore, Stored, Update
from ttsprompt.stores.codec import from_document, to_document

BUSY_S: Final = 2.0
"""How long one statement waits for another writer."""

OPENING_BUSY_S: Final = 0.1
"""The same while a connection is opened; there the repeats are ours."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS calls (
    tid TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    due_at REAL,
    expire_at REAL NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    taken_at REAL NOT NULL,
    PRIMARY KEY (key, holder)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_due_at ON calls (due_at, tid) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_expire_at ON calls (expire_at);
"""


def is_sqlite_url(url: str) -> bool:
    """Tell whether a URL names a file: a store in memory would be another one in each thread."""
    path = url.removeprefix("sqlite:///")
    return url.startswith("sqlite:///") and path.lstrip("/") not in {"", ":memory:"} and not path.startswith("//")


def open_sqlite_store(url: str) -> SqliteCallStore:
    """Return the store of `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises:
        ValueError: it is no such URL.
    """
    if not is_sqlite_url(url):
        msg = "must be sqlite:///relative.db or sqlite:////absolute.db"
        raise ValueError(msg)
    return SqliteCallStore(url.removeprefix("sqlite:///"))


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


class SqliteCallStore:
    """Calls in one file. Safe under threads and processes; a connection a thread, made anew after a fork."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def create(self, call: Call) -> Stored:
        """Store a new call; see `CallStore`."""
        stored = _stored(call)
        with self._connection() as connection:
            try:
                connection.execute(
                    "INSERT INTO calls (tid, version, due_at, expire_at, document) VALUES (?, ?, ?, ?, ?)",
                    (call.tid, stored.version, _seconds(call.due_at), _seconds(call.expire_at), _encode(call)),
                )
            except sqlite3.IntegrityError:
                raise CallExistsError from None
        return stored

    def get(self, tid: str, *, patience_s: float = STORE_PATIENCE_S) -> Stored:
        """Return the call; see `CallStore`."""
        with self._connection(patience_s) as connection:
            row = connection.execute(
                "SELECT version, CAST(document AS BLOB) FROM calls WHERE tid = ?", (tid,)
            ).fetchone()
        if row is None:
            raise CallNotFoundError
        return Stored(_decode(tid, row[1]), row[0])

    def update(
        self,
        tid: str,
        fn: Callable[[Call], Transition],
        *,
        expected: Stored | None = None,
        patience_s: float = STORE_PATIENCE_S,
    ) -> Update:
        """Replace the call by what `fn` makes of it, by compare-and-set; see `CallStore`."""
        for attempt in _attempts(patience_s):
            current = expected if attempt == 0 and expected is not None else self.get(tid, patience_s=patience_s)
            transition = fn(current.call)
            if transition.call is current.call:
                return Update(transition, current)
            after = _stored(transition.call)
            if self._replace(current, after, patience_s):
                return Update(transition, after)
        raise StoreUnavailableError

    def delete(
        self,
        tid: str,
        condition: Callable[[Call], bool],
        *,
        expected: Stored | None = None,
        patience_s: float = STORE_PATIENCE_S,
    ) -> bool:
        """Delete the call if `condition` holds; see `CallStore`."""
        for attempt in _attempts(patience_s):
            try:
                current = expected if attempt == 0 and expected is not None else self.get(tid, patience_s=patience_s)
            except CallNotFoundError:
                return True
            if not condition(current.call):
                return False
            with self._connection(patience_s) as connection:
                deleted = connection.execute(
                    "DELETE FROM calls WHERE tid = ? AND version = ?", (tid, current.version)
                ).rowcount
            if deleted == 1:
                return True
        raise StoreUnavailableError

    def due(self, now: datetime, limit: int, *, after: DueCall | None = None) -> list[DueCall]:
        """Return the calls that need attention; see `CallStore`. Also drops what has outlived its retention."""
        position = (after.due_at.timestamp(), after.tid) if after is not None else (0.0, "")
        with self._connection() as connection:
            connection.execute("DELETE FROM calls WHERE expire_at <= ?", (now.timestamp(),))
            rows = connection.execute(
                "SELECT tid, due_at, version, CAST(document AS BLOB) FROM calls"
                " WHERE due_at <= ? AND (due_at, tid) > (?, ?) ORDER BY due_at, tid LIMIT ?",
                (now.timestamp(), *position, limit),
            ).fetchall()
        return [_due(*row) for row in rows]

    def quarantine(self, due: DueCall, until: datetime) -> None:
        """Postpone a record that cannot be read; see `CallStore`."""
        with self._connection() as connection:
            connection.execute(
                "UPDATE calls SET version = ?, due_at = ? WHERE tid = ? AND version = ?",
                (_new_version(), until.timestamp(), due.tid, due.version),
            )

    def acquire(
        self,
        key: str,
        holder: str,
        *,
        now: datetime,
        window: timedelta,
        most: int,
        patience_s: float = STORE_PATIENCE_S,
    ) -> datetime | None:
        """Take a place; see `QuotaStore`. Rivals are kept out between counting and taking."""
        # A connection's own context is a transaction: committed at its end, rolled back by an error.
        with self._connection(patience_s) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM places WHERE key = ? AND taken_at <= ?", (key, (now - window).timestamp()))
            taken = connection.execute(
                "SELECT holder, taken_at FROM places WHERE key = ? ORDER BY taken_at", (key,)
            ).fetchall()
            has_room = len(taken) < most
            if has_room:
                connection.execute("INSERT OR IGNORE INTO places VALUES (?, ?, ?)", (key, holder, now.timestamp()))
        if has_room or holder in [name for name, _ in taken]:
            return None
        return datetime.fromtimestamp(taken[-most][1], UTC) + window

    def release(self, key: str, holder: str, *, patience_s: float = STORE_PATIENCE_S) -> None:
        """Free a place; see `QuotaStore`."""
        with self._connection(patience_s) as connection:
            connection.execute("DELETE FROM places WHERE key = ? AND holder = ?", (key, holder))

    def make_schema(self) -> list[str]:
        """Make the schema, as every connection does; nothing stays pending."""
        with self._connection():
            return []

    def _replace(self, before: Stored, after: Stored, patience_s: float) -> bool:
        call = after.call
        with self._connection(patience_s) as connection:
            cursor = connection.execute(
                "UPDATE calls SET version = ?, due_at = ?, expire_at = ?, document = ? WHERE tid = ? AND version = ?",
                (
                    after.version,
                    _seconds(call.due_at),
                    _seconds(call.expire_at),
                    _encode(call),
                    call.tid,
                    before.version,
                ),
            )
        return cursor.rowcount == 1

    @contextmanager
    def _connection(self, patience_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
        """Lend this thread's connection, to wait for other writers for `patience_s` and `BUSY_S` at most."""
        busy_s = min(patience_s, BUSY_S)
        try:
            held: _Held | None = getattr(self._local, "held", None)
            if held is None or held.pid != os.getpid():
                held = self._local.held = _Held(self._open(), os.getpid())
            if held.busy_s != busy_s:
                held.connection.execute(f"PRAGMA busy_timeout = {int(busy_s * 1000)}")
                held.busy_s = busy_s
            yield held.connection
        except (sqlite3.Error, ValueError) as error:
            raise StoreUnavailableError from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=OPENING_BUSY_S, isolation_level=None, check_same_thread=False)
        # Going over to WAL does not wait for other processes that do the same (sqlite.org/wal.html), so ask again.
        failure: sqlite3.Error | None = None
        for _ in _attempts(STORE_PATIENCE_S):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                # An answered tid must outlive a power cut, not just a crash of this process.
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
            except sqlite3.OperationalError as error:
                failure = error
            except sqlite3.Error:
                connection.close()
                raise
            else:
                return connection
        connection.close()
        raise failure or sqlite3.OperationalError


def _attempts(patience_s: float) -> Iterator[int]:
    """Count attempts with a growing, jittered pause between them, for at most `patience_s`."""
    deadline = time.monotonic() + patience_s
    for attempt in itertools.count():
        yield attempt
        pause = random.uniform(0, min(0.001 * 2 ** min(attempt, 8), 0.2))  # noqa: S311 - jitter
        if time.monotonic() + pause > deadline:
            return
        time.sleep(pause)


def _stored(call: Call) -> Stored:
    return Stored(call, _new_version())


def _new_version() -> str:
    return secrets.token_hex(8)


def _due(tid: str, due_at: float, version: str, text: bytes) -> DueCall:
    try:
        stored = Stored(_decode(tid, text), version)
    except CorruptRecordError:
        stored = None
    return DueCall(tid, datetime.fromtimestamp(due_at, UTC), stored, version)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _encode(call: Call) -> str:
    return json.dumps(to_document(call), default=_encode_time, ensure_ascii=False, separators=(",", ":"))


def _encode_time(value: datetime) -> dict[str, str]:
    return {"$time": value.astimezone(UTC).isoformat()}


def _decode(tid: str, text: bytes) -> Call:
    try:
        document = json.loads(text, object_hook=_decode_time)
    except (ValueError, TypeError):
        raise CorruptRecordError(tid) from None
    return from_document(tid, document)


def _decode_time(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["$time"]) if value.keys() == {"$time"} else value


def _fits(store: SqliteCallStore) -> tuple[CallStore, QuotaStore]:
    return store, store
