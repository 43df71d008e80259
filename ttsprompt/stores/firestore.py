"""The store in production: one Firestore document per call, written by compare-and-set on its update time.

No transactions: under contention they lock and fail where preconditions succeed at once (docs/decisions/0008). Every
write carries a fresh `write_id`: when a reply is lost, or the client's own retry meets its own write, the document is
read back, and the write counts as done when the id is ours.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from ttsprompt import late
from ttsprompt.domain.call import Call, Transition
from ttsprompt.errors import CallExistsError, CallNotFoundError, CorruptRecordError, StoreUnavailableError
from ttsprompt.ports import STORE_PATIENCE_S, CallStore, DueCall, Stored, Update
from ttsprompt.stores.codec import Document, from_document, to_document
from ttsprompt.stores.firestore_rpc import Deadline

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.firestore import Client, DocumentReference, DocumentSnapshot


class FirestoreCallStore:
    """Calls in a collection. The client is made on first use, once a process: the framework forks after import."""

    def __init__(self, *, project: str | None, database: str, collection: str) -> None:
        self._project = project
        self._database = database
        self._collection = collection
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._pid: int | None = None

    def create(self, call: Call) -> Stored:
        """Store a new call; see `CallStore`."""
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        deadline = Deadline(STORE_PATIENCE_S)
        write_id = _new_write_id()
        reference = self._reference(call.tid)
        try:
            result = deadline.call(reference.create, {**to_document(call), "write_id": write_id})
            return Stored(call, result.update_time)
        except exceptions.GoogleAPICallError as error:
            # Also when it exists: the create whose reply was lost, and was sent again, may be our own.
            found = self._look(reference, deadline, error)
            if found is not None and found.write_id == write_id:
                return found.stored()
            if isinstance(error, exceptions.AlreadyExists):
                raise CallExistsError from None
            raise StoreUnavailableError from error

    def get(self, tid: str, *, patience_s: float = STORE_PATIENCE_S) -> Stored:
        """Return the call; see `CallStore`."""
        return self._get(self._reference(tid), Deadline(patience_s))

    def update(
        self,
        tid: str,
        fn: Callable[[Call], Transition],
        *,
        expected: Stored | None = None,
        patience_s: float = STORE_PATIENCE_S,
    ) -> Update:
        """Replace the call by what `fn` makes of it; see `CallStore`."""
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        reference = self._reference(tid)
        deadline = Deadline(patience_s)
        write_id = _new_write_id()
        current = expected or self._get(reference, deadline)
        for _ in deadline.attempts():
            transition = fn(current.call)
            if transition.call is current.call:
                return Update(transition, current)
            changes = {**_changes(to_document(current.call), to_document(transition.call)), "write_id": write_id}
            option = self.connected().write_option(last_update_time=current.version)
            try:
                result = deadline.call(reference.update, changes, option=option)
                return Update(transition, Stored(transition.call, result.update_time))
            except exceptions.GoogleAPICallError as error:
                found = self._look(reference, deadline, error)
            if found is None:
                raise CallNotFoundError
            current = found.stored()
            if found.write_id == write_id:
                return Update(replace(transition, call=current.call), current)
        raise StoreUnavailableError

    def delete(
        self,
        tid: str,
        condition: Callable[[Call], bool],
        *,
        expected: Stored | None = None,
        patience_s: float = STORE_PATIENCE_S,
    ) -> bool:
        """Delete the call if `condition` holds; see `CallStore`."""
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        reference = self._reference(tid)
        deadline = Deadline(patience_s)
        try:
            current = expected or self._get(reference, deadline)
        except CallNotFoundError:
            return True
        for _ in deadline.attempts():
            if not condition(current.call):
                return False
            option = self.connected().write_option(last_update_time=current.version)
            try:
                deadline.call(reference.delete, option=option)
                found = None
            except exceptions.GoogleAPICallError as error:
                found = self._look(reference, deadline, error)
            if found is None:
                # Perhaps by an earlier attempt of ours whose reply was lost; gone is what was wanted.
                return True
            current = found.stored()
        raise StoreUnavailableError

    def due(self, now: datetime, limit: int, *, after: DueCall | None = None) -> list[DueCall]:
        """Return the calls that need attention; see `CallStore`."""
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client
        from google.cloud.firestore import FieldFilter  # noqa: PLC0415 - loaded with the client

        calls = self.connected().collection(self._collection)
        query = calls.where(filter=FieldFilter("due_at", "<=", now)).order_by("due_at").order_by("__name__")
        if after is not None:
            query = query.start_after({"due_at": after.due_at, "__name__": calls.document(after.tid)})
        try:
            return [_due(snapshot) for snapshot in Deadline(STORE_PATIENCE_S).call(query.limit(limit).get)]
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error

    def quarantine(self, due: DueCall, until: datetime) -> None:
        """Postpone a record that cannot be read; see `CallStore`."""
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        option = self.connected().write_option(last_update_time=due.version)
        changes = {"due_at": until, "write_id": _new_write_id()}
        try:
            Deadline(STORE_PATIENCE_S).call(self._reference(due.tid).update, changes, option=option)
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error

    def _get(self, reference: DocumentReference, deadline: Deadline) -> Stored:
        found = self._look(reference, deadline, None)
        if found is None:
            raise CallNotFoundError
        return found.stored()

    def _look(
        self, reference: DocumentReference, deadline: Deadline, after: GoogleAPICallError | None
    ) -> _Found | None:
        """Return the document as it is, None if there is none.

        `after` is the error of a write. If it says nothing about whether the write was applied, or that another one
        was, the document tells; any other error will not pass, and is passed on.

        Raises:
            StoreUnavailableError: it cannot be read, or the write cannot work.
        """
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        if after is not None and isinstance(after, _hopeless()):
            raise StoreUnavailableError from after
        try:
            snapshot = deadline.call(reference.get)
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error
        document = snapshot.to_dict()
        return None if document is None else _Found(reference.id, document, snapshot.update_time)

    def _reference(self, tid: str) -> DocumentReference:
        return self.connected().collection(self._collection).document(tid)

    def connected(self) -> Client:
        """Return this process's client. One that crossed a fork may hang (grpc/grpc#41768)."""
        if self._client is None or self._pid != os.getpid():
            with self._lock:
                if self._client is None or self._pid != os.getpid():
                    late.load("google.cloud.firestore")
                    from google.cloud.firestore import Client  # noqa: PLC0415 - slow, and needs this process

                    self._client = Client(project=self._project, database=self._database)
                    self._pid = os.getpid()
        return self._client


@dataclass(frozen=True, slots=True)
class _Found:
    """A document as it is in the store."""

    tid: str
    document: Document
    version: object

    @property
    def write_id(self) -> object:
        """Who wrote it last."""
        return self.document.get("write_id")

    def stored(self) -> Stored:
        """Return the call in it."""
        return Stored(from_document(self.tid, self.document), self.version)


@cache
def _hopeless() -> tuple[type[GoogleAPICallError], ...]:
    """Return the errors after which neither waiting nor looking helps."""
    from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

    return (exceptions.InvalidArgument, exceptions.PermissionDenied, exceptions.Unauthenticated)


def _changes(before: Document, after: Document) -> Document:
    """Return the update that turns one document into the other; unknown fields of a later version stay."""
    from google.cloud.firestore import DELETE_FIELD  # noqa: PLC0415 - loaded with the client

    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return changed | {name: DELETE_FIELD for name in before if name not in after}


def _due(snapshot: DocumentSnapshot[Any]) -> DueCall:
    document = snapshot.to_dict() or {}
    try:
        stored = Stored(from_document(snapshot.id, document), snapshot.update_time)
    except CorruptRecordError:
        stored = None
    return DueCall(snapshot.id, document["due_at"], stored, snapshot.update_time)


def _new_write_id() -> str:
    return secrets.token_hex(8)


def _fits(store: FirestoreCallStore) -> CallStore:
    return store
