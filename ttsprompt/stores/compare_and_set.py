"""Records written by compare-and-set: the two stores of the service, over any database that can do a few small steps.

A write takes effect only if nobody wrote since the record was read; whoever was slower reads again and works on what
the other wrote. Every write carries a fresh `write_id`: when its reply is lost, or a repeat meets its own write, the
record is read back, and the write counts as done when the id is ours.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from ttsprompt.domain.call import Call, Transition
from ttsprompt.errors import CallExistsError, CallNotFoundError, CorruptRecordError, StoreUnavailableError
from ttsprompt.ports import STORE_TIMEOUT_S, CallStore, DueCall, QuotaStore, Stored, Update
from ttsprompt.stores.codec import Document, from_document, to_document

LONGEST_PAUSE_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Record:
    """A document as the database holds it; None if it is none. `version` changes with every write."""

    key: str
    document: Document | None
    version: object

    def is_written_by(self, write_id: str) -> bool:
        """Tell whether this is what that write left."""
        return self.document is not None and self.document.get("write_id") == write_id


class Records(Protocol):
    """What a database has to do. Each step ends within its `timeout_s`, and may raise StoreUnavailableError.

    Documents hold texts, numbers, booleans, aware times, lists and maps. `write_id`, `due_at` and `expire_at`, where
    they are needed, lie at the top.
    """

    pause_s: float
    """How long the first pause is, at most, before a record is tried again that somebody else has written."""

    def read(self, key: str, timeout_s: float) -> Record | None:
        """Return the record, None if there is none."""

    def insert(self, key: str, document: Document, timeout_s: float) -> object | None:
        """Make a record; return its version, or None if there is one, or it is not known whether it was made."""

    def swap(self, before: Record, document: Document, timeout_s: float) -> object | None:
        """Replace the record; return the new version, or None if it is no longer `before`, or that is not known."""

    def remove(self, before: Record, timeout_s: float) -> bool:
        """Delete the record; return False if it is no longer `before`, or that is not known."""

    def postpone(self, before: Record, changes: Document, timeout_s: float) -> None:
        """Change `due_at` and `write_id` and nothing else, if the record is still `before`."""

    def due(self, now: datetime, limit: int, after: DueCall | None, timeout_s: float) -> list[tuple[Record, datetime]]:
        """Return records whose `due_at` is `now` or earlier, by that and key; `after` is where the last page ended."""

    def scan(self, limit: int, after: str | None, timeout_s: float) -> list[Record]:
        """Return records by key; `after` is the key where the last page ended."""

    def purge(self, now: datetime, timeout_s: float) -> None:
        """Delete what has outlived its `expire_at`, in all of the service's collections."""

    def scrub(self, timeout_s: float) -> None:
        """Leave nothing of what was overwritten in files, where they are ours."""


class CompareAndSetCalls:
    """`CallStore` over records."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, call: Call, *, timeout_s: float = STORE_TIMEOUT_S) -> Stored:
        """Store a new call; see `CallStore`."""
        until = _Until(timeout_s)
        write_id = _new_write_id()
        document = {**to_document(call), "write_id": write_id}
        version = self._records.insert(call.tid, document, until.left_s())
        if version is not None:
            return Stored(call, version, document)
        # Also when it exists: a create that was repeated because its reply was lost may have met its own.
        found = self._records.read(call.tid, until.left_s())
        if found is None:
            raise StoreUnavailableError
        if found.is_written_by(write_id):
            return _stored(found)
        raise CallExistsError

    def get(self, tid: str, *, timeout_s: float = STORE_TIMEOUT_S) -> Stored:
        """Return the call; see `CallStore`."""
        found = self._records.read(tid, timeout_s)
        if found is None:
            raise CallNotFoundError
        return _stored(found)

    def update(
        self,
        tid: str,
        fn: Callable[[Call], Transition],
        *,
        expected: Stored | None = None,
        timeout_s: float = STORE_TIMEOUT_S,
    ) -> Update:
        """Replace the call by what `fn` makes of it; see `CallStore`."""
        until = _Until(timeout_s)
        write_id = _new_write_id()
        current = expected
        transition: Transition | None = None
        for _ in until.attempts(self._records.pause_s):
            if current is None:
                current = self.get(tid, timeout_s=until.left_s())
                if transition is not None and current.document.get("write_id") == write_id:
                    return Update(replace(transition, call=current.call), current, written=True)
            transition = fn(current.call)
            if transition.call is current.call:
                return Update(transition, current, written=False)
            document = {**to_document(transition.call, over=current.document), "write_id": write_id}
            version = self._records.swap(_record(current), document, until.left_s())
            if version is not None:
                return Update(transition, Stored(transition.call, version, document), written=True)
            current = None
        raise StoreUnavailableError

    def delete(
        self,
        tid: str,
        condition: Callable[[Call], bool],
        *,
        expected: Stored | None = None,
        timeout_s: float = STORE_TIMEOUT_S,
    ) -> bool:
        """Delete the call if `condition` holds; see `CallStore`."""
        until = _Until(timeout_s)
        current = expected
        for _ in until.attempts(self._records.pause_s):
            try:
                if current is None:
                    current = self.get(tid, timeout_s=until.left_s())
            except CallNotFoundError:
                # Perhaps by an earlier attempt of ours whose reply was lost; gone is what was wanted.
                return True
            if not condition(current.call):
                return False
            if self._records.remove(_record(current), until.left_s()):
                return True
            current = None
        raise StoreUnavailableError

    def due(
        self, now: datetime, limit: int, *, after: DueCall | None = None, timeout_s: float = STORE_TIMEOUT_S
    ) -> list[DueCall]:
        """Return the calls that need attention; see `CallStore`."""
        return [_due(*found) for found in self._records.due(now, limit, after, timeout_s)]

    def scan(
        self, limit: int, *, after: str | None = None, timeout_s: float = STORE_TIMEOUT_S
    ) -> list[tuple[str, Stored | None]]:
        """Return all calls by tid; see `CallStore`."""
        return [(record.key, _readable(record)) for record in self._records.scan(limit, after, timeout_s)]

    def quarantine(self, due: DueCall, until: datetime, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Postpone a record that cannot be read; see `CallStore`."""
        changes = {"due_at": until, "write_id": _new_write_id()}
        self._records.postpone(Record(due.tid, None, due.version), changes, timeout_s)

    def purge(self, now: datetime, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Delete what has outlived its retention; see `CallStore`."""
        self._records.purge(now, timeout_s)

    def scrub(self, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Leave nothing of what was overwritten in files; see `CallStore`."""
        self._records.scrub(timeout_s)


class CompareAndSetQuota:
    """`QuotaStore` over records: one for each key, with its holders and since when they hold."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def acquire(
        self,
        key: str,
        holder: str,
        *,
        now: datetime,
        window: timedelta,
        most: int,
        timeout_s: float = STORE_TIMEOUT_S,
    ) -> datetime | None:
        """Let `holder` in; see `QuotaStore`."""
        free_at: datetime | None

        def change(holders: Mapping[str, datetime]) -> Document | None:
            nonlocal free_at
            others = {name: since for name, since in holders.items() if since > now - window and name != holder}
            free_at = sorted(others.values())[-most] + window if len(others) >= most else None
            return None if free_at else {"holders": {**others, holder: now}, "expire_at": now + window}

        self._change(key, change, timeout_s)
        return free_at

    def release(self, key: str, holder: str, *, timeout_s: float = STORE_TIMEOUT_S) -> None:
        """Let `holder` go; see `QuotaStore`."""

        def change(holders: Mapping[str, datetime]) -> Document | None:
            if holder not in holders:
                return None
            return {"holders": {name: since for name, since in holders.items() if name != holder}}

        self._change(key, change, timeout_s)

    def _change(self, key: str, fn: Callable[[Mapping[str, datetime]], Document | None], timeout_s: float) -> None:
        """Replace the holders by what `fn` makes of them, None for no change; it may run again."""
        until = _Until(timeout_s)
        write_id = _new_write_id()
        for _ in until.attempts(self._records.pause_s):
            found = self._records.read(key, until.left_s())
            before = (found and found.document) or {}
            changed = None if before.get("write_id") == write_id else fn(before.get("holders", {}))
            if changed is None:
                return
            document = before | changed | {"write_id": write_id}
            if found is None:
                version = self._records.insert(key, document, until.left_s())
            else:
                version = self._records.swap(found, document, until.left_s())
            if version is not None:
                return
        raise StoreUnavailableError


class _Until:
    """The end of an operation, by the wall clock."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Return the seconds left for the next step.

        Raises:
            StoreUnavailableError: there are none.
        """
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise StoreUnavailableError
        return left_s

    def attempts(self, pause_s: float) -> Iterator[int]:
        """Count attempts, with a growing, jittered pause between them that lets the winner finish."""
        attempt = 0
        while True:
            yield attempt
            pause = random.uniform(0, min(pause_s * 2**attempt, LONGEST_PAUSE_S))  # noqa: S311 - jitter
            if time.monotonic() + pause >= self._end:
                return
            time.sleep(pause)
            attempt += 1


def _record(stored: Stored) -> Record:
    return Record(stored.call.tid, dict(stored.document), stored.version)


def _stored(record: Record) -> Stored:
    if record.document is None:
        raise CorruptRecordError(record.key)
    return Stored(from_document(record.key, record.document), record.version, record.document)


def _due(record: Record, due_at: datetime) -> DueCall:
    return DueCall(record.key, due_at, _readable(record), record.version)


def _readable(record: Record) -> Stored | None:
    try:
        return _stored(record)
    except CorruptRecordError:
        return None


def _new_write_id() -> str:
    return secrets.token_hex(8)


def _fits(calls: CompareAndSetCalls, quota: CompareAndSetQuota) -> tuple[CallStore, QuotaStore]:
    return calls, quota
