"""Each store under the same contract."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from devphone.processes.emulator import Emulator
from ttsprompt.ports import CallStore, QuotaStore
from ttsprompt.stores.firestore import open_firestore
from ttsprompt.stores.sqlite import open_sqlite

PROJECT = "ttsprompt-test"
PATIENT_S = 90.0
"""For tests of many rivals, which are not about time: the emulator may be busy."""

OpenStores = Callable[[], tuple[CallStore, QuotaStore]]


def firestore_stores(collection: str) -> tuple[CallStore, QuotaStore]:
    return open_firestore(project=PROJECT, database="(default)", collection=collection)


def firestore_watched_by(interceptor: object, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> CallStore:
    """Return an empty store on the emulator, whose RPCs the interceptor sees."""
    insecure_channel = grpc.insecure_channel
    monkeypatch.setattr(
        grpc, "insecure_channel", lambda *args, **kw: grpc.intercept_channel(insecure_channel(*args, **kw), interceptor)
    )
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    return firestore_stores(f"calls-{uuid.uuid4().hex}")[0]


def sqlite_store(path: Path) -> CallStore:
    return open_sqlite(f"sqlite:///{path}")[0]


@pytest.fixture(params=["sqlite", "firestore"])
def open_stores(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStores:
    """Return what opens the stores under test; each call is another instance on the same data."""
    if request.param == "sqlite":
        return lambda: open_sqlite(f"sqlite:///{tmp_path}/calls.db")
    emulator: Emulator = request.getfixturevalue("emulator")
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    collection = f"calls-{uuid.uuid4().hex}"
    return lambda: firestore_stores(collection)


@pytest.fixture
def store(open_stores: OpenStores) -> CallStore:
    """Return the call store under test."""
    return open_stores()[0]


@pytest.fixture
def quota(open_stores: OpenStores) -> QuotaStore:
    """Return the quota store under test."""
    return open_stores()[1]
