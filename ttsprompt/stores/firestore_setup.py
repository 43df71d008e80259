"""Prepares a Firestore database: the one index that is queried, no other index, and removal of old records.

Firestore indexes every field by default. Each index costs a write, and one whose values only grow caps the whole
collection at 500 writes a second (https://cloud.google.com/firestore/docs/best-practices), so all but one are off.
"""

from __future__ import annotations

import time
from typing import Final

import google.auth
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_admin_v1 import FirestoreAdminClient
from google.cloud.firestore_admin_v1.types import Field, Index, UpdateFieldRequest

from ttsprompt.errors import StoreUnavailableError

QUERIED_FIELD: Final = "due_at"
"""The only field that a query filters or orders by; a test holds the store's query against it."""

TTL_FIELD: Final = "expire_at"

TIMEOUT_S: Final = 30.0
"""The longest that one RPC may take."""

PATIENCE_S: Final = 90.0
"""For so long it is tried again, all fields together; the function has 120 s."""

PASSES: Final = (exceptions.Aborted, exceptions.ServiceUnavailable)
"""A database that was made now aborts changes to its first fields; the client repeats none of them by itself."""


def set_up_firestore(
    *,
    project: str | None,
    database: str,
    collection: str,
    limits: str | None = None,
    client: FirestoreAdminClient | None = None,
    patience_s: float = PATIENCE_S,
    pause_s: float = 1.0,
) -> list[str]:
    """Ask for indexes and TTL where they are not as they should be; return the names of what is still being made.

    May be done again at any time: what is as it should be is left alone.

    Args:
        project: of the database; None for the one of the default credentials.
        database: `(default)` or another name.
        collection: where calls are kept.
        limits: where the quota of `MAX_CALLS_PER_NUMBER` is kept, if there is a limit.
        client: in place of a real one.
        patience_s: how long it is tried again what the API puts off.
        pause_s: the longest first pause before that.

    Raises:
        StoreUnavailableError: the Admin API refused or did not answer.
    """
    end = time.monotonic() + patience_s
    try:
        if project is None:
            _, project = google.auth.default()
        admin = client or FirestoreAdminClient()
        requests = field_requests(str(project), database, collection)
        if limits is not None:
            requests += quota_requests(str(project), database, limits)
        pending = []
        for request in requests:
            retry = Retry(
                predicate=if_exception_type(*PASSES),
                initial=pause_s,
                maximum=10 * pause_s,
                timeout=max(end - time.monotonic(), 0.0),
            )
            pending.append(retry(_bring_about)(admin, request, end))
    except (exceptions.GoogleAPIError, GoogleAuthError) as error:
        cause = error.cause if isinstance(error, exceptions.RetryError) else error
        raise StoreUnavailableError(f"Firestore could not be set up ({type(cause).__name__}); see the log.") from error
    return [name for name in pending if name is not None]


def _bring_about(admin: FirestoreAdminClient, wanted: UpdateFieldRequest, end: float) -> str | None:
    """Change the field unless it is as it is wanted; return the name of what is still being made, None if nothing is.

    It is read first since nothing is known about what a change does that meets one of the same field under way.
    """
    name = wanted.field.name
    try:
        found = admin.get_field(name=name, retry=None, timeout=_timeout_s(end))
    except exceptions.NotFound:
        found = Field(name=name)
    if _is_as(wanted.field, found):
        return name if _is_being_made(found) else None
    operation = admin.update_field(request=wanted, retry=None, timeout=_timeout_s(end)).operation
    return None if operation.done else str(operation.name)


def _timeout_s(end: float) -> float:
    return min(TIMEOUT_S, max(end - time.monotonic(), 1.0))


def _is_as(wanted: Field, found: Field) -> bool:
    """Tell whether the field has, or is getting, what is wanted: its TTL policy, or indexes of its own."""
    if "ttl_config" in wanted:
        return "ttl_config" in found and found.ttl_config.state != Field.TtlConfig.State.NEEDS_REPAIR
    config = found.index_config
    is_its_own = "index_config" in found and not config.uses_ancestor_config and not config.reverting
    is_well = all(index.state != Index.State.NEEDS_REPAIR for index in config.indexes)
    return is_its_own and is_well and _shape(found) == _shape(wanted)


def _shape(field: Field) -> list[object]:
    return [
        (index.query_scope, [(part.field_path, part.order, part.array_config) for part in index.fields])
        for index in field.index_config.indexes
    ]


def _is_being_made(found: Field) -> bool:
    return found.ttl_config.state == Field.TtlConfig.State.CREATING or any(
        index.state == Index.State.CREATING for index in found.index_config.indexes
    )


def field_requests(project: str, database: str, collection: str) -> list[UpdateFieldRequest]:
    """Return the three changes, in an order that leaves the query indexed at every moment."""
    fields = f"projects/{project}/databases/{database}/collectionGroups/{collection}/fields"
    ascending = Index(
        query_scope=Index.QueryScope.COLLECTION,
        fields=[Index.IndexField(field_path=QUERIED_FIELD, order=Index.IndexField.Order.ASCENDING)],
    )
    indexed = Field(name=f"{fields}/{QUERIED_FIELD}", index_config=Field.IndexConfig(indexes=[ascending]))
    return [
        UpdateFieldRequest(field=indexed, update_mask={"paths": ["index_config"]}),
        *quota_requests(project, database, collection),
    ]


def quota_requests(project: str, database: str, collection: str) -> list[UpdateFieldRequest]:
    """Return the changes to a collection that is never queried: no index, and removal of old records."""
    fields = f"projects/{project}/databases/{database}/collectionGroups/{collection}/fields"
    exempt = Field(name=f"{fields}/*", index_config=Field.IndexConfig(indexes=[]))
    expiring = Field(name=f"{fields}/{TTL_FIELD}", ttl_config=Field.TtlConfig())
    return [
        UpdateFieldRequest(field=exempt, update_mask={"paths": ["index_config"]}),
        UpdateFieldRequest(field=expiring, update_mask={"paths": ["ttl_config"]}),
    ]
