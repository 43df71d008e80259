"""Records as another version of the service, or a fault, would leave them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ttsprompt.ports import CallStore
from ttsprompt.stores.compare_and_set import CompareAndSetCalls, Record, Records
from ttsprompt.stores.sqlite import SqliteRecords

TIMEOUT_S = 10


def document_of(store: CallStore, tid: str) -> dict[str, Any]:
    """Return the document of a call as the database holds it."""
    assert isinstance(store, CompareAndSetCalls)
    record = store._records.read(tid, TIMEOUT_S)
    assert record is not None
    assert record.document is not None
    return record.document


def rewrite(store: CallStore, tid: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Replace the document of a call."""
    assert isinstance(store, CompareAndSetCalls)
    record = store._records.read(tid, TIMEOUT_S)
    assert record is not None
    document = change(document_of(store, tid)) | {"write_id": "another"}
    assert store._records.swap(record, document, TIMEOUT_S) is not None


def keys_read(monkeypatch: pytest.MonkeyPatch, store: CallStore | None = None) -> list[str]:
    """Return a list that takes the key of each record that is read from now on, in stores of this kind.

    Without one, in the embedded store.
    """
    assert store is None or isinstance(store, CompareAndSetCalls)
    kind: Any = SqliteRecords if store is None else type(store._records)
    keys: list[str] = []
    read = kind.read

    def counted(records: Records, key: str, timeout_s: float) -> Record | None:
        keys.append(key)
        found: Record | None = read(records, key, timeout_s)
        return found

    monkeypatch.setattr(kind, "read", counted)
    return keys
