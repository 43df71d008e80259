"""`QuotaStore` on Firestore: a document for each key, written by compare-and-set like the calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ttsprompt.errors import StoreUnavailableError
from ttsprompt.ports import STORE_PATIENCE_S, QuotaStore
from ttsprompt.stores.firestore_rpc import Deadline

if TYPE_CHECKING:
    from google.cloud.firestore import Client

    from ttsprompt.stores.firestore import FirestoreCallStore

Holders = dict[str, datetime]


class FirestoreQuotaStore:
    """Holders in a collection of their own. A write whose reply was lost is recognised by its holder."""

    def __init__(self, connect: Callable[[], Client], collection: str) -> None:
        self._connect = connect
        self._collection = collection

    def acquire(
        self,
        key: str,
        holder: str,
        *,
        now: datetime,
        window: timedelta,
        most: int,
        patience_s: float = STORE_PATIENCE_S,
    ) -> datetime | None:
        """Take a place; see `QuotaStore`."""

        def change(places: Holders) -> Holders | datetime:
            current = {name: at for name, at in places.items() if at > now - window}
            if holder in current:
                return places
            if len(current) >= most:
                return sorted(current.values())[-most] + window
            return {**current, holder: now}

        result = self._change(key, change, expire_at=now + 2 * window, patience_s=patience_s)
        return result if isinstance(result, datetime) else None

    def release(self, key: str, holder: str, *, patience_s: float = STORE_PATIENCE_S) -> None:
        """Free a place; see `QuotaStore`."""

        def change(places: Holders) -> Holders:
            return {name: at for name, at in places.items() if name != holder}

        self._change(key, change, expire_at=None, patience_s=patience_s)

    def _change(
        self,
        key: str,
        change: Callable[[Holders], Holders | datetime],
        *,
        expire_at: datetime | None,
        patience_s: float,
    ) -> Holders | datetime:
        from google.api_core import exceptions  # noqa: PLC0415 - loaded with the client

        client = self._connect()
        reference = client.collection(self._collection).document(key)
        deadline = Deadline(patience_s)
        try:
            for _ in deadline.attempts():
                snapshot = deadline.call(reference.get)
                places: Holders = (snapshot.to_dict() or {}).get("holders", {})
                wanted = change(places)
                if wanted == places or isinstance(wanted, datetime):
                    return wanted
                document: dict[str, Any] = {"holders": wanted}
                if expire_at is not None:
                    document["expire_at"] = expire_at
                try:
                    if snapshot.exists:
                        option = client.write_option(last_update_time=snapshot.update_time)
                        deadline.call(reference.update, document, option=option)
                    else:
                        deadline.call(reference.create, document)
                except (exceptions.FailedPrecondition, exceptions.AlreadyExists, exceptions.NotFound):
                    continue
                except (exceptions.Aborted, exceptions.DeadlineExceeded, exceptions.ServiceUnavailable):
                    # Perhaps applied: the next look finds our holder in it, or does not.
                    continue
                return wanted
        except exceptions.GoogleAPICallError as error:
            raise StoreUnavailableError from error
        raise StoreUnavailableError


def quota_beside(store: FirestoreCallStore, collection: str) -> FirestoreQuotaStore:
    """Return the places beside a store's calls, over the same client."""
    return FirestoreQuotaStore(store.connected, quota_collection(collection))


def quota_collection(collection: str) -> str:
    """Return the name of the collection that holds the places beside the calls of `collection`."""
    return f"{collection}_limits"


def _fits(store: FirestoreQuotaStore) -> QuotaStore:
    return store
