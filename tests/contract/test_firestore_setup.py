"""What `setup` asks the Admin API for, and that it is what the only query needs."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from google.api_core.exceptions import PermissionDenied
from google.cloud.firestore_admin_v1.types import Index

from devphone.processes.emulator import Emulator
from tests.builders import NOW
from tests.contract.conftest import firestore_stores
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import DueCall
from ttsprompt.stores.firestore_setup import QUERIED_FIELD, TTL_FIELD, set_up_firestore

PACKAGE = Path(__file__).parents[2] / "ttsprompt"
FIELDS = "projects/p/databases/(default)/collectionGroups/calls/fields"


class AdminClient:
    """An Admin API that notes what it is asked; its operations are done, or still run."""

    def __init__(self, *, done: bool = True, error: Exception | None = None) -> None:
        self.requests: list[Any] = []
        self._done = done
        self._error = error

    def update_field(self, *, request: Any, timeout: float) -> Any:
        assert timeout > 0
        if self._error is not None:
            raise self._error
        self.requests.append(request)
        name = f"{request.field.name}/operations/{len(self.requests)}"
        return SimpleNamespace(operation=SimpleNamespace(name=name, done=self._done))


def set_up(client: Any) -> list[str]:
    return set_up_firestore(project="p", database="(default)", collection="calls", client=client)


def test_one_index_one_exemption_and_the_ttl_policy_are_asked_for() -> None:
    admin = AdminClient()
    assert set_up(admin) == []
    indexed, exempt, expiring = admin.requests

    assert [request.field.name for request in admin.requests] == [
        f"{FIELDS}/{QUERIED_FIELD}",
        f"{FIELDS}/*",
        f"{FIELDS}/{TTL_FIELD}",
    ]
    (index,) = indexed.field.index_config.indexes
    assert index.query_scope == Index.QueryScope.COLLECTION
    assert [(f.field_path, f.order) for f in index.fields] == [(QUERIED_FIELD, Index.IndexField.Order.ASCENDING)]
    # Without an `index_config` the mask would bring the automatic indexes of all fields back.
    assert "index_config" in exempt.field
    assert list(exempt.field.index_config.indexes) == []
    assert "ttl_config" in expiring.field
    assert [list(r.update_mask.paths) for r in admin.requests] == [["index_config"], ["index_config"], ["ttl_config"]]


def test_the_index_comes_before_the_exemption_so_that_the_query_always_has_one() -> None:
    admin = AdminClient()
    set_up(admin)

    assert [request.field.name.rpartition("/")[2] for request in admin.requests][:2] == [QUERIED_FIELD, "*"]


def test_with_a_limit_its_places_are_exempt_and_removed_in_time_too() -> None:
    admin = AdminClient()
    set_up_firestore(
        project="p", database="(default)", collection="calls", limits="calls_limits", client=cast("Any", admin)
    )
    _, exempt, expiring = admin.requests[:3]

    assert [request.field.name for request in admin.requests[3:]] == [
        request.field.name.replace("/calls/", "/calls_limits/") for request in (exempt, expiring)
    ]


def test_operations_that_still_run_are_named_and_it_may_be_done_again() -> None:
    admin = AdminClient(done=False)

    assert len(set_up(admin)) == len(set_up(admin)) == 3
    assert all("/operations/" in name for name in set_up(admin))


def test_an_admin_api_that_refuses_is_an_unavailable_store() -> None:
    with pytest.raises(StoreUnavailableError, match="PermissionDenied"):
        set_up(AdminClient(error=PermissionDenied("no")))


class Watching(grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]  # no types
    """Keeps the queries that go by."""

    def __init__(self) -> None:
        self.queries: list[Any] = []

    def intercept_unary_stream(self, proceed: Any, details: Any, request: Any) -> Any:
        if details.method.endswith("RunQuery"):
            self.queries.append(request.structured_query)
        return proceed(details, request)


def test_the_only_query_is_served_by_the_index(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = Watching()
    insecure_channel = grpc.insecure_channel
    monkeypatch.setattr(
        grpc, "insecure_channel", lambda *args, **kw: grpc.intercept_channel(insecure_channel(*args, **kw), watching)
    )
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator.host)
    store = firestore_stores(f"calls-{uuid.uuid4().hex}")[0]
    store.due(NOW, 1)
    store.due(NOW, 1, after=DueCall("x", NOW, None))

    for query in watching.queries:
        orders = [(order.field.field_path, order.direction) for order in query.order_by]
        assert orders == [(QUERIED_FIELD, 1), ("__name__", 1)]
        assert query.where.field_filter.field.field_path == QUERIED_FIELD
    assert len(watching.queries) == 2
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert len(re.findall(r"\.where\(", sources)) == 1
