"""Firestore's client: made once a process, and each of its RPCs bounded."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud.firestore import Client

from ttsprompt.errors import StoreUnavailableError

CALL_S: Final = 2.0
"""The longest that one RPC may take, its repeats included."""

MAKING_S: Final = 3.0
"""The longest that a request waits for the client to be made: credentials and project come from a metadata server."""

_NEVER_AGAIN: Final = Retry(predicate=if_exception_type())
"""In place of None, which the library asks for its rule when a query breaks off in the middle."""

T = TypeVar("T")


class FirestoreClient:
    """Makes the client on first use, once a process: the framework forks, and gRPC may hang then (grpc/grpc#41768)."""

    def __init__(self, *, project: str | None, database: str) -> None:
        self._project = project
        self._database = database
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._making: Future[Client] | None = None
        self._pid: int | None = None

    def call(self, rpc: Callable[[Client, dict[str, Any]], T], timeout_s: float) -> T:
        """Make one RPC, and again while the server is not available; `rpc` gets the client and how it is to be called.

        The repeats are ours because the library's bound an attempt but not the whole: its time-out starts anew when
        less than a second is left (google.api_core.timeout.TimeToDeadlineTimeout).

        Raises:
            GoogleAPICallError: what the server said, or that it said nothing.
            StoreUnavailableError: there is no client, or no time left.
        """
        end = time.monotonic() + timeout_s
        client = self._connected(timeout_s)
        end = min(end, time.monotonic() + CALL_S)
        pause_s = 0.05
        while (left_s := end - time.monotonic()) > 0:
            try:
                return rpc(client, {"retry": _NEVER_AGAIN, "timeout": left_s})
            except exceptions.ServiceUnavailable:
                if time.monotonic() + pause_s >= end:
                    raise
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.4)
        raise StoreUnavailableError

    def _connected(self, timeout_s: float) -> Client:
        """Return this process's client. Whoever comes while it is being made waits for the same, each for as long.

        Raises:
            StoreUnavailableError: it could not be made, or not in time; whoever comes after a failure tries anew.
        """
        if self._client is not None and self._pid == os.getpid():
            return self._client
        with self._lock:
            making = self._making
            if making is None or self._pid != os.getpid() or (making.done() and making.exception() is not None):
                making = self._making = Future()
                self._client, self._pid = None, os.getpid()
                thread = threading.Thread(target=self._make, args=(making,), name="firestore-client", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no thread can be had just now
                    making.set_exception(error)
        try:
            self._client = making.result(min(timeout_s, MAKING_S))
        except Exception as error:
            raise StoreUnavailableError from error
        return self._client

    def _make(self, making: Future[Client]) -> None:
        try:
            making.set_result(Client(project=self._project, database=self._database))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            making.set_exception(error)
