"""How long an RPC may take, how often it is made, and what becomes of a client that could not be made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core import exceptions

from tests.fakes import FakeClock, no_thread_left
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.stores import firestore_client
from ttsprompt.stores.firestore_client import CALL_S, FirestoreClient

HANDLER_S = 4.0


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FirestoreClient:
    """A client whose library's is none, and whose time is a fake one."""
    clock = FakeClock()
    monkeypatch.setattr(firestore_client, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    monkeypatch.setattr(firestore_client, "Client", lambda **_: object())
    return FirestoreClient(project="p", database="d")


@pytest.mark.parametrize(("left_s", "may_take_s"), [(HANDLER_S, CALL_S), (0.25, 0.25)])
def test_an_rpc_has_its_own_time_and_never_more_than_is_left(
    client: FirestoreClient, left_s: float, may_take_s: float
) -> None:
    asked: list[float] = []

    client.call(lambda _, how: asked.append(how["timeout"]), left_s)

    assert asked == [pytest.approx(may_take_s)]


def test_the_library_repeats_nothing_by_itself(client: FirestoreClient) -> None:
    def rpc(_: object, how: dict[str, Any]) -> None:
        made.append(1)
        how["retry"](unavailable)()

    def unavailable() -> None:
        made.append(2)
        raise exceptions.InternalServerError("x")

    made: list[int] = []
    with pytest.raises(exceptions.InternalServerError):
        client.call(rpc, HANDLER_S)

    assert made == [1, 2]


def test_an_rpc_is_repeated_while_the_server_is_not_available_for_two_seconds_in_all(client: FirestoreClient) -> None:
    asked: list[float] = []

    def rpc(_: object, how: dict[str, Any]) -> None:
        asked.append(how["timeout"])
        raise exceptions.ServiceUnavailable("x")

    with pytest.raises(exceptions.ServiceUnavailable):
        client.call(rpc, HANDLER_S)

    assert len(asked) > 3
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] > 0


def test_a_client_for_which_there_is_no_thread_is_made_for_who_comes_next(client: FirestoreClient) -> None:
    with no_thread_left(), pytest.raises(StoreUnavailableError):
        client.call(lambda *_: "done", HANDLER_S)

    assert client.call(lambda *_: "done", HANDLER_S) == "done"
