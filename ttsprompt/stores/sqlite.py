"""The embedded store: one SQLite file, for development, tests and small installations.

Each record is one row with its document as JSON. Its `write_id` is its version too, so that a deleted and made again
call is never taken for the old one. No reply gets lost on the way from a file: a statement fails, or is done.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from typing import Any, Final

from ttsprompt.ports import STORE_TIMEOUT_S, DueCall
from ttsprompt.stores.codec import Document
from ttsprompt.stores.compare_and_set import CompareAndSetCalls, CompareAndSetQuota, Record, Records
from ttsprompt.stores.sqlite_file import SqliteFile

_to_text: Final = json.JSONEncoder(
    default=lambda value: {"$time": value.astimezone(UTC).isoformat()}, ensure_ascii=False, separators=(",", ":")
).encode


def is_sqlite_url(url: str) -> bool:
    """Tell whether a URL names a file: a store in memory would be another one in each thread."""
    path = url.removeprefix("sqlite:///")
    return url.startswith("sqlite:///") and path.lstrip("/") not in {"", ":memory:"} and not path.startswith("//")


def open_sqlite(url: str) -> tuple[CompareAndSetCalls, CompareAndSetQuota]:
    """Return the stores of `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises:
        ValueError: it is no such URL.
    """
    if not is_sqlite_url(url):
        raise ValueError("must be sqlite:///relative.db or sqlite:////absolute.db")
    file = SqliteFile(url.removeprefix("sqlite:///"))
    return CompareAndSetCalls(SqliteRecords(file, "calls", "tid")), CompareAndSetQuota(
        SqliteRecords(file, "quota", "key")
    )


def make_schema(url: str) -> list[str]:
    """Make the schema, as every connection does; nothing stays pending."""
    with SqliteFile(url.removeprefix("sqlite:///")).connection(STORE_TIMEOUT_S):
        return []


class SqliteRecords:
    """`Records` in one table. Dates that are asked for have columns of their own."""

    pause_s = 0.001

    def __init__(self, file: SqliteFile, table: str, key: str) -> None:
        self._file = file
        self._select, self._insert, self._update, self._postpone, self._delete, self._due, self._scan = (
            statement.format(table=table, key=key) for statement in _STATEMENTS
        )

    def read(self, key: str, timeout_s: float) -> Record | None:
        """Return the record; see `Records`."""
        with self._file.connection(timeout_s) as connection:
            row = connection.execute(self._select, (key,)).fetchone()
        return None if row is None else _record(*row)

    def insert(self, key: str, document: Document, timeout_s: float) -> object | None:
        """Make a record; see `Records`."""
        with self._file.connection(timeout_s) as connection:
            try:
                connection.execute(self._insert, (*_columns(document), key))
            except sqlite3.IntegrityError:
                return None
        version: object = document["write_id"]
        return version

    def swap(self, before: Record, document: Document, timeout_s: float) -> object | None:
        """Replace the record; see `Records`."""
        return document["write_id"] if self._change(self._update, _columns(document), before, timeout_s) else None

    def remove(self, before: Record, timeout_s: float) -> bool:
        """Delete the record; see `Records`."""
        return self._change(self._delete, (), before, timeout_s)

    def postpone(self, before: Record, changes: Document, timeout_s: float) -> None:
        """Change when it is due; see `Records`."""
        self._change(self._postpone, (changes["write_id"], _seconds(changes["due_at"])), before, timeout_s)

    def due(self, now: datetime, limit: int, after: DueCall | None, timeout_s: float) -> list[tuple[Record, datetime]]:
        """Return what is due; see `Records`."""
        position = (after.due_at.timestamp(), after.tid) if after is not None else (0.0, "")
        with self._file.connection(timeout_s) as connection:
            rows = connection.execute(self._due, (now.timestamp(), *position, limit)).fetchall()
        return [(_record(*row), datetime.fromtimestamp(due_at, UTC)) for due_at, *row in rows]

    def scan(self, limit: int, after: str | None, timeout_s: float) -> list[Record]:
        """Return records by key; see `Records`."""
        with self._file.connection(timeout_s) as connection:
            rows = connection.execute(self._scan, (after or "", limit)).fetchall()
        return [_record(*row) for row in rows]

    def purge(self, now: datetime, timeout_s: float) -> None:
        """Delete what has outlived its `expire_at`, in both tables; see `Records`."""
        with self._file.connection(timeout_s) as connection:
            for statement in _PURGE:
                connection.execute(statement, (now.timestamp(),))

    def scrub(self, timeout_s: float) -> None:
        """Empty the write-ahead log, which holds earlier pages; in the database itself they are overwritten."""
        self._file.empty_log(timeout_s)

    def _change(self, statement: str, values: tuple[object, ...], before: Record, timeout_s: float) -> bool:
        with self._file.connection(timeout_s) as connection:
            return connection.execute(statement, (*values, before.key, before.version)).rowcount == 1


_STATEMENTS: Final = (
    "SELECT {key}, version, CAST(document AS BLOB) FROM {table} WHERE {key} = ?",
    "INSERT INTO {table} (version, due_at, expire_at, document, {key}) VALUES (?, ?, ?, ?, ?)",
    "UPDATE {table} SET version = ?, due_at = ?, expire_at = ?, document = ? WHERE {key} = ? AND version = ?",
    "UPDATE {table} SET version = ?, due_at = ? WHERE {key} = ? AND version = ?",
    "DELETE FROM {table} WHERE {key} = ? AND version = ?",
    """SELECT due_at, {key}, version, CAST(document AS BLOB) FROM {table}
    WHERE due_at <= ? AND (due_at, {key}) > (?, ?) ORDER BY due_at, {key} LIMIT ?""",
    "SELECT {key}, version, CAST(document AS BLOB) FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?",
)
_PURGE: Final = ("DELETE FROM calls WHERE expire_at <= ?", "DELETE FROM quota WHERE expire_at <= ?")


def _columns(document: Document) -> tuple[object, ...]:
    due_at, expire_at = _seconds(document.get("due_at")), _seconds(document["expire_at"])
    return document["write_id"], due_at, expire_at, _to_text(document)


def _record(key: str, version: str, text: bytes) -> Record:
    try:
        document = json.loads(text, object_hook=_time)
    except (ValueError, TypeError):
        return Record(key, None, version)
    return Record(key, document if isinstance(document, dict) else None, version)


def _time(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["$time"]) if value.keys() == {"$time"} else value


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _fits(records: SqliteRecords) -> Records:
    return records
