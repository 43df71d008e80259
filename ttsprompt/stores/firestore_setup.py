"""Prepares a Firestore database: the one index that is queried, no other index, and removal of old records.

Firestore indexes every field by default. Each index costs a write, and one whose values only grow caps the whole
collection at 500 writes a second (https://cloud.google.com/firestore/docs/best-practices), so all but one are off.
"""

from __future__ import annotations

from typing import Final

import google.auth
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_admin_v1 import FirestoreAdminClient
from google.cloud.firestore_admin_v1.types import Field, Index, UpdateFieldRequest

from ttsprompt.errors import StoreUnavailableError

QUERIED_FIELD: Final = "due_at"
"""The only field that a query filters or orders by; a test holds the store's query against it."""

TTL_FIELD: Final = "expire_at"
TIMEOUT_S: Final = 30.0


def set_up_firestore(
    *,
    project: str | None,
    database: str,
    collection: str,
    limits: str | None = None,
    client: FirestoreAdminClient | None = None,
) -> list[str]:
    """Ask for indexes and TTL; return the names of the operations that still run. May be done again.

    Args:
        project: of the database; None for the one of the default credentials.
        database: `(default)` or another name.
        collection: where calls are kept.
        limits: where the quota of `MAX_CALLS_PER_NUMBER` is kept, if there is a limit.
        client: in place of a real one.

    Raises:
        StoreUnavailableError: the Admin API refused or did not answer.
    """
    try:
        if project is None:
            _, project = google.auth.default()
        admin = client or FirestoreAdminClient()
        requests = field_requests(str(project), database, collection)
        if limits is not None:
            requests += quota_requests(str(project), database, limits)
        operations = [admin.update_field(request=request, timeout=TIMEOUT_S).operation for request in requests]
    except (exceptions.GoogleAPICallError, GoogleAuthError) as error:
        kind = type(error).__name__
        raise StoreUnavailableError(f"Firestore could not be set up ({kind}); see the log.") from error
    return [operation.name for operation in operations if not operation.done]


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
