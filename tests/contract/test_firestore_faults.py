"""Firestore when the network is not well: replies lost after the write was applied, an emulator gone or silent."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import pytest

from devphone.processes.emulator import Emulator
from tests.builders import NOW, PIN, TOKEN, a_call
from tests.contract.conftest import firestore_stores
from tests.proxy import Mode, Proxy
from tests.raw_server import raw_servers
from ttsprompt.domain.call import Transition, apply
from ttsprompt.domain.events import DigitsEntered
from ttsprompt.domain.model import Call
from ttsprompt.errors import CallExistsError, CallNotFoundError, StoreUnavailableError
from ttsprompt.ports import CallStore

TID = a_call().tid
GIVES_UP_WITHIN_S = 10
"""The store's own bound is 4 s; the library's would be 60 to 300 s. The rest is for a busy machine."""


@dataclass
class Behind:
    """A store behind a proxy, and one on the same data with a direct line."""

    proxy: Proxy
    store: CallStore
    direct: CallStore


@pytest.fixture
def behind(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    collection = f"calls-{uuid.uuid4().hex}"
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    direct = firestore_stores(collection)[0]
    direct.due(NOW, 1)
    proxy = Proxy(emulator.host)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", proxy.address)
    store = firestore_stores(collection)[0]
    store.due(NOW, 1)
    yield Behind(proxy, store, direct)
    proxy.close()


def noting(event: str) -> Callable[[Call], Transition]:
    return lambda call: Transition(call.noted(NOW, event))


def notes(store: CallStore) -> list[str]:
    return [line.event for line in store.get(TID).call.timeline]


def test_a_create_whose_reply_was_lost_is_done(behind: Behind) -> None:
    behind.proxy.lose_next_reply()
    stored = behind.store.create(a_call())

    assert behind.proxy.swallowed > 0
    assert behind.direct.get(TID) == stored


def test_a_create_whose_reply_was_lost_is_not_taken_for_a_rivals(behind: Behind) -> None:
    behind.direct.create(a_call(reference="rival"))
    behind.proxy.lose_next_reply()

    with pytest.raises(CallExistsError):
        behind.store.create(a_call(reference="mine"))
    assert behind.direct.get(TID).call.reference == "rival"


def test_an_update_whose_reply_was_lost_is_done_once(behind: Behind) -> None:
    behind.direct.create(a_call())
    seen = behind.store.get(TID)
    behind.proxy.lose_next_reply()
    update = behind.store.update(TID, noting("mine"), expected=seen)

    assert behind.proxy.swallowed > 0
    assert notes(behind.direct) == ["created", "mine"]
    assert behind.direct.get(TID) == update.stored


def test_a_try_whose_reply_was_lost_is_counted_once_and_says_what_it_settled(behind: Behind) -> None:
    behind.direct.create(a_call(attempts_allowed=2))
    seen = behind.store.get(TID)
    behind.proxy.lose_next_reply()
    update = behind.store.update(TID, lambda call: apply(call, DigitsEntered(1, "9999", TOKEN), NOW), expected=seen)
    behind.store.update(TID, lambda call: apply(call, DigitsEntered(2, PIN, TOKEN), NOW))

    assert update.stored.call.attempts_used == 1
    assert [entry.value for entry in behind.direct.get(TID).call.entries] == ["wrong", "right"]


def test_a_delete_whose_reply_was_lost_is_done(behind: Behind) -> None:
    behind.direct.create(a_call())
    seen = behind.store.get(TID)
    behind.proxy.lose_next_reply()

    assert behind.store.delete(TID, lambda _: True, expected=seen)
    assert behind.proxy.swallowed > 0
    with pytest.raises(CallNotFoundError):
        behind.direct.get(TID)


def test_a_read_whose_reply_was_lost_is_repeated(behind: Behind) -> None:
    behind.direct.create(a_call())
    behind.proxy.lose_next_reply()

    assert behind.store.get(TID).call == a_call()


@pytest.mark.parametrize("mode", [Mode.GONE, Mode.BLACK_HOLE])
@pytest.mark.parametrize("method", ["create", "get", "update", "update seen", "delete", "due"])
def test_a_store_that_cannot_be_reached_gives_up_soon(behind: Behind, mode: Mode, method: str) -> None:
    seen = behind.direct.create(a_call())
    work: dict[str, Callable[[], object]] = {
        "create": lambda: behind.store.create(a_call(tid=str(uuid.uuid4()))),
        "get": lambda: behind.store.get(TID),
        "update": lambda: behind.store.update(TID, noting("mine")),
        "update seen": lambda: behind.store.update(TID, noting("mine"), expected=seen),
        "delete": lambda: behind.store.delete(TID, lambda _: True),
        "due": lambda: behind.store.due(NOW, 1),
    }
    behind.proxy.be(mode)
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        work[method]()

    assert time.monotonic() - began < GIVES_UP_WITHIN_S


@pytest.mark.parametrize(
    "query", [lambda store: store.due(NOW, 500), lambda store: store.scan(500)], ids=["due", "scan"]
)
def test_a_query_that_breaks_off_in_the_middle_is_a_store_that_cannot_be_reached(
    behind: Behind, query: Callable[[CallStore], object]
) -> None:
    """The client library begins such a query anew by itself, and fails with an error of its own."""
    for number in range(60):
        call = a_call(tid=f"t-{number}", reference="x" * 20_000)
        behind.direct.create(replace(call, due_at=NOW))
    behind.proxy.cuts_replies_after = 300_000

    with pytest.raises(StoreUnavailableError):
        query(behind.store)
    assert behind.proxy.swallowed > 0


def test_a_store_that_was_gone_works_again(behind: Behind) -> None:
    behind.direct.create(a_call())
    behind.proxy.be(Mode.GONE)
    with pytest.raises(StoreUnavailableError):
        behind.store.get(TID)
    behind.proxy.be(Mode.PASS)

    assert comes_back(lambda: behind.store.get(TID).call) == a_call()


class MetadataServer(Enum):
    """How the server that has a deployed function's credentials may be unwell."""

    SILENT = "silent"
    ILL = "ill"


@pytest.mark.parametrize("fault", MetadataServer)
def test_a_client_that_cannot_be_made_is_given_up_soon_by_all_at_once_and_made_later(
    fault: MetadataServer, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        if fault is MetadataServer.SILENT:
            over.wait(60)
        connection.sendall(b"HTTP/1.1 503 Unwell\r\nMetadata-Flavor: Google\r\nContent-Length: 0\r\n\r\n")

    def use(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            store.get(TID)
        return time.monotonic() - began

    with raw_servers() as start:
        address = f"127.0.0.1:{start(answer).port}"
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
            monkeypatch.setenv(name, address)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        store = firestore_stores(f"calls-{uuid.uuid4().hex}")[0]
        with ThreadPoolExecutor(8) as pool:
            took_s = list(pool.map(use, range(8)))
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
        over.set()

        assert max(took_s) < GIVES_UP_WITHIN_S  # one after the other they would need 24 s
        assert comes_back(lambda: store.create(a_call()).call) == a_call()


def comes_back(work: Callable[[], object]) -> object:
    """Return what `work` returns as soon as the store is there again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(StoreUnavailableError):
            return work()
    pytest.fail("the client does not come back")
