"""What `setup` asks the Admin API for, and that it is what the only query needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.firestore_admin_v1 import FirestoreAdminClient
from google.cloud.firestore_admin_v1.services.firestore_admin.transports import FirestoreAdminGrpcTransport
from google.cloud.firestore_admin_v1.types import Field, GetFieldRequest, Index, UpdateFieldRequest
from google.longrunning import operations_pb2  # type: ignore[import-untyped]

from devphone.processes.emulator import Emulator
from tests.builders import NOW
from tests.contract.conftest import firestore_watched_by
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import DueCall
from ttsprompt.stores.firestore_setup import QUERIED_FIELD, TTL_FIELD, set_up_firestore

PACKAGE = Path(__file__).parents[2] / "ttsprompt"
FIELDS = "projects/p/databases/(default)/collectionGroups/calls/fields"


class AdminApi:
    """Google's Admin API, as far as it is asked: a real server that keeps fields and notes changes to them.

    `errors` come first, one for each change. Without an override a field has its ancestor's indexes. What is changed
    is being made until `finish`.
    """

    def __init__(self) -> None:
        self.requests: list[UpdateFieldRequest] = []
        self.errors: list[grpc.StatusCode] = []
        self.port = 0
        self._fields: dict[str, Any] = {}

    def get(self, request: GetFieldRequest, _context: grpc.ServicerContext) -> Field:
        inherited = Field.IndexConfig(
            indexes=[
                Index(fields=[Index.IndexField(field_path="*", order=order)], state=Index.State.READY)
                for order in (Index.IndexField.Order.ASCENDING, Index.IndexField.Order.DESCENDING)
            ],
            uses_ancestor_config=True,
        )
        return (
            self._fields[request.name]
            if request.name in self._fields
            else Field(name=request.name, index_config=inherited)
        )

    def update(self, request: UpdateFieldRequest, context: grpc.ServicerContext) -> Any:
        if self.errors:
            context.abort(self.errors.pop(0), "Please retry, underlying data changed")
        self.requests.append(request)
        field: Any = Field(Field.pb(request.field))
        for index in field.index_config.indexes:
            index.state = Index.State.CREATING
        if "ttl_config" in field:
            field.ttl_config.state = Field.TtlConfig.State.CREATING
        self._fields[field.name] = field
        return operations_pb2.Operation(name=f"{field.name}/operations/{len(self.requests)}")

    def finish(self) -> None:
        for field in self._fields.values():
            for index in field.index_config.indexes:
                index.state = Index.State.READY
            if "ttl_config" in field:
                field.ttl_config.state = Field.TtlConfig.State.ACTIVE

    def break_index(self) -> None:
        self._fields[f"{FIELDS}/{QUERIED_FIELD}"].index_config.indexes[0].state = Index.State.NEEDS_REPAIR

    def revert(self, name: str) -> None:
        del self._fields[f"{FIELDS}/{name}"]

    def names(self) -> list[str]:
        return [request.field.name for request in self.requests]


@pytest.fixture
def admin() -> Iterator[AdminApi]:
    api = AdminApi()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    handlers = {
        "GetField": grpc.unary_unary_rpc_method_handler(
            api.get, request_deserializer=GetFieldRequest.deserialize, response_serializer=Field.serialize
        ),
        "UpdateField": grpc.unary_unary_rpc_method_handler(
            api.update,
            request_deserializer=UpdateFieldRequest.deserialize,
            response_serializer=operations_pb2.Operation.SerializeToString,
        ),
    }
    service = "google.firestore.admin.v1.FirestoreAdmin"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    api.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield api
    server.stop(None)


def set_up(admin: AdminApi, limits: str | None = None, patience_s: float = 90.0) -> list[str]:
    with grpc.insecure_channel(f"127.0.0.1:{admin.port}") as channel:
        client = FirestoreAdminClient(transport=FirestoreAdminGrpcTransport(channel=channel))
        return set_up_firestore(
            project="p",
            database="(default)",
            collection="calls",
            limits=limits,
            client=client,
            patience_s=patience_s,
            pause_s=0.01,
        )


def test_one_index_one_exemption_and_the_ttl_policy_are_asked_for(admin: AdminApi) -> None:
    set_up(admin)
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


def test_the_index_comes_before_the_exemption_so_that_the_query_always_has_one(admin: AdminApi) -> None:
    set_up(admin)

    assert [request.field.name.rpartition("/")[2] for request in admin.requests][:2] == [QUERIED_FIELD, "*"]


def test_with_a_limit_its_places_are_exempt_and_removed_in_time_too(admin: AdminApi) -> None:
    set_up(admin, limits="calls_limits")
    _, exempt, expiring = admin.requests[:3]

    assert [request.field.name for request in admin.requests[3:]] == [
        request.field.name.replace("/calls/", "/calls_limits/") for request in (exempt, expiring)
    ]


def test_what_is_still_being_made_is_named_and_not_asked_for_again(admin: AdminApi) -> None:
    assert [name.rpartition("/operations/")[0] for name in set_up(admin)] == admin.names()
    assert set_up(admin) == [f"{FIELDS}/{QUERIED_FIELD}", f"{FIELDS}/{TTL_FIELD}"]
    admin.finish()
    assert set_up(admin) == []
    assert len(admin.requests) == 3


@pytest.mark.parametrize("name", [QUERIED_FIELD, "*", TTL_FIELD])
def test_what_somebody_has_undone_is_done_again_and_nothing_else(admin: AdminApi, name: str) -> None:
    set_up(admin)
    admin.finish()
    admin.requests.clear()
    admin.revert(name)
    set_up(admin)

    assert admin.names() == [f"{FIELDS}/{name}"]


def test_a_broken_index_is_asked_for_again(admin: AdminApi) -> None:
    set_up(admin)
    admin.break_index()
    set_up(admin)

    assert admin.names()[3:] == [f"{FIELDS}/{QUERIED_FIELD}"]


def test_a_fresh_database_that_aborts_changes_is_asked_again(admin: AdminApi) -> None:
    """https://github.com/GoogleCloudPlatform/magic-modules/issues/9329."""
    admin.errors = [grpc.StatusCode.ABORTED, grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE]
    set_up(admin)

    assert admin.errors == []
    assert len(admin.requests) == 3


def test_patience_ends(admin: AdminApi) -> None:
    admin.errors = [grpc.StatusCode.ABORTED] * 1000
    with pytest.raises(StoreUnavailableError, match="Aborted"):
        set_up(admin, patience_s=0.1)


def test_an_admin_api_that_refuses_is_an_unavailable_store_at_once(admin: AdminApi) -> None:
    admin.errors = [grpc.StatusCode.PERMISSION_DENIED] * 2
    with pytest.raises(StoreUnavailableError, match="PermissionDenied"):
        set_up(admin)
    assert len(admin.errors) == 1


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
    store = firestore_watched_by(watching, emulator, monkeypatch)
    store.due(NOW, 1)
    store.due(NOW, 1, after=DueCall("x", NOW, None))

    for query in watching.queries:
        orders = [(order.field.field_path, order.direction) for order in query.order_by]
        assert orders == [(QUERIED_FIELD, 1), ("__name__", 1)]
        assert query.where.field_filter.field.field_path == QUERIED_FIELD
    assert len(watching.queries) == 2
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert len(re.findall(r"\.where\(filter=", sources)) == 1
