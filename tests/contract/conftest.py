"""Each store under the same contract."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devphone.processes.emulator import Emulator
from ttsprompt.ports import CallStore
from ttsprompt.stores.firestore import FirestoreCallStore
from ttsprompt.stores.sqlite import SqliteCallStore

PROJECT = "ttsprompt-test"
OpenStore = Callable[[], CallStore]


def firestore_store(collection: str) -> FirestoreCallStore:
    return FirestoreCallStore(project=PROJECT, database="(default)", collection=collection)


@pytest.fixture(params=["sqlite", "firestore"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStore]:
    """Return what opens the store under test; each call is another instance on the same data."""
    if request.param == "sqlite":
        yield lambda: SqliteCallStore(str(tmp_path / "calls.db"))
        return
    emulator: Emulator = request.getfixturevalue("emulator")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    collection = f"calls-{uuid.uuid4().hex}"
    yield lambda: firestore_store(collection)


@pytest.fixture
def store(open_store: OpenStore) -> CallStore:
    """Return the store under test."""
    return open_store()
