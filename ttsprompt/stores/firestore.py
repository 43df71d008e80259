"""The store in production: a Firestore document for each record, compared by its update time.

No transactions: under contention they lock and fail where preconditions succeed at once (docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from google.api_core import exceptions
from google.cloud.firestore import DELETE_FIELD, Client, DocumentReference, DocumentSnapshot, FieldFilter

from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import DueCall
from ttsprompt.stores.codec import Document
from ttsprompt.stores.compare_and_set import CompareAndSetCalls, CompareAndSetQuota, Record, Records
from ttsprompt.stores.firestore_client import FirestoreClient

HOPELESS: Final = (exceptions.InvalidArgument, exceptions.PermissionDenied, exceptions.Unauthenticated)
"""After these neither waiting nor looking helps."""


def open_firestore(
    *, project: str | None, database: str, collection: str
) -> tuple[CompareAndSetCalls, CompareAndSetQuota]:
    """Return the stores in a collection and in the one beside it, over one client."""
    client = FirestoreClient(project=project, database=database)
    return (
        CompareAndSetCalls(FirestoreRecords(client, collection)),
        CompareAndSetQuota(FirestoreRecords(client, quota_collection(collection))),
    )


def quota_collection(collection: str) -> str:
    """Return the name of the collection that holds the quota beside the calls of `collection`."""
    return f"{collection}_limits"


class FirestoreRecords:
    """`Records` in one collection."""

    pause_s = 0.01

    def __init__(self, client: FirestoreClient, collection: str) -> None:
        self._client = client
        self._collection = collection

    def read(self, key: str, timeout_s: float) -> Record | None:
        """Return the record; see `Records`."""
        try:
            snapshot = self._client.call(lambda client, how: self._at(client, key).get(**how), timeout_s)
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error
        document = snapshot.to_dict()
        return None if document is None else Record(key, document, snapshot.update_time)

    def insert(self, key: str, document: Document, timeout_s: float) -> object | None:
        """Make a record; see `Records`."""
        result = self._write(lambda client, how: self._at(client, key).create(document, **how), timeout_s)
        return None if result is None else result.update_time

    def swap(self, before: Record, document: Document, timeout_s: float) -> object | None:
        """Replace the record; see `Records`. What is the same is not sent."""
        known = before.document or {}
        changes = {name: value for name, value in document.items() if name not in known or known[name] != value}
        changes |= {name: DELETE_FIELD for name in known if name not in document}
        return self._update(before, changes, timeout_s)

    def remove(self, before: Record, timeout_s: float) -> bool:
        """Delete the record; see `Records`."""
        return bool(
            self._write(
                lambda client, how: self._at(client, before.key).delete(option=_if_still(client, before), **how),
                timeout_s,
            )
        )

    def postpone(self, before: Record, changes: Document, timeout_s: float) -> None:
        """Change when it is due; see `Records`."""
        self._update(before, changes, timeout_s)

    def due(self, now: datetime, limit: int, after: DueCall | None, timeout_s: float) -> list[tuple[Record, datetime]]:
        """Return what is due; see `Records`."""

        def ask(client: Client, how: dict[str, Any]) -> list[DocumentSnapshot[Any]]:
            calls = client.collection(self._collection)
            query = calls.where(filter=FieldFilter("due_at", "<=", now)).order_by("due_at").order_by("__name__")
            if after is not None:
                query = query.start_after({"due_at": after.due_at, "__name__": calls.document(after.tid)})
            return list(query.limit(limit).get(**how))

        try:
            found = self._client.call(ask, timeout_s)
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error
        documents = [(snapshot, snapshot.to_dict() or {}) for snapshot in found]
        return [(Record(it.id, document, it.update_time), document["due_at"]) for it, document in documents]

    def scan(self, limit: int, after: str | None, timeout_s: float) -> list[Record]:
        """Return records by key; see `Records`. This order needs no index."""

        def ask(client: Client, how: dict[str, Any]) -> list[DocumentSnapshot[Any]]:
            calls = client.collection(self._collection)
            query = calls.order_by("__name__").limit(limit)
            if after is not None:
                query = query.start_after({"__name__": calls.document(after)})
            return list(query.get(**how))

        try:
            found = self._client.call(ask, timeout_s)
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error
        return [Record(it.id, it.to_dict() or {}, it.update_time) for it in found]

    def purge(self, now: datetime, timeout_s: float) -> None:
        """Do nothing: the database deletes by `expire_at` itself (its TTL policy, which `setup` makes)."""

    def scrub(self, timeout_s: float) -> None:
        """Do nothing: the files are Google's."""

    def _update(self, before: Record, changes: Document, timeout_s: float) -> object | None:
        result = self._write(
            lambda client, how: self._at(client, before.key).update(changes, option=_if_still(client, before), **how),
            timeout_s,
        )
        return None if result is None else result.update_time

    def _write(self, rpc: Callable[[Client, dict[str, Any]], Any], timeout_s: float) -> Any:
        """Return what the write returns, None if it was refused for what is there, or nobody knows."""
        try:
            return self._client.call(rpc, timeout_s)
        except HOPELESS as error:
            raise StoreUnavailableError from error
        except exceptions.GoogleAPICallError:
            return None

    def _at(self, client: Client, key: str) -> DocumentReference:
        return client.collection(self._collection).document(key)


def _if_still(client: Client, before: Record) -> Any:
    return client.write_option(last_update_time=before.version)


def _fits(records: FirestoreRecords) -> Records:
    return records
