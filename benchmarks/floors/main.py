"""The floors: the least that the same work takes, on the same framework with the same clients.

`constant` answers and does nothing else; `read` and `turn` do the round trips of `/answer` and `/input`; `place` and
`end` those of `POST /call` and of the ending event, with the one outgoing request that each makes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import functions_framework
import requests
from flask import Request, Response

NCCO: Final = [
    {"action": "talk", "text": "Try again", "language": "en-US", "bargeIn": True},
    {
        "action": "input",
        "type": ["dtmf"],
        "dtmf": {"maxDigits": 4, "timeOut": 10, "submitOnHash": True},
        "eventUrl": ["http://127.0.0.1:8080/input/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x&step=2"],
        "eventMethod": "POST",
    },
]
NOW: Final = datetime.now(UTC)
RECORD: Final = {
    "application_id": "684027bc-a2e7-48b1-b4bd-adc02324e09c",
    "to": "447970513607",
    "callback": {"url": "https://example.com/callback", "method": "POST", "format": "form"},
    "limits": {"tries": 3, "digits": 4, "input": 10, "ringing": 45, "length": 250},
    "token_hash": "0" * 64,
    "pin_mac": "0" * 64,
    "prompts": {"text": "x" * 50, "bye_text": "x" * 20, "failed_text": "x" * 40, "language": "en-US"},
    "state": "answered",
    "uuid": "63f61863-4a51-4f6b-86e1-46edebcf9356",
    "entries": ["wrong"],
    "timeline": "[" + '{"at":"2026-01-01T12:00:00+00:00","event":"created"},' * 2 + "]",
    "created_at": NOW,
    "due_at": NOW,
    "expire_at": NOW,
    "write_id": "0" * 32,
}
"""What a call has to keep, however it is written."""

CHANGES: Final = {"state": "answered", "entries": ["wrong", "wrong"], "due_at": NOW, "write_id": "1" * 32}
TIMEOUT_S: Final = 30


class FirestoreFloor:
    """The bare client."""

    def __init__(self) -> None:
        from google.cloud import firestore  # noqa: PLC0415 - loaded where it is needed, as in the service

        self._client = firestore.Client()
        self._calls = self._client.collection(os.environ["FLOOR_COLLECTION"])

    def create(self, tid: str) -> None:
        """Write a new record."""
        self._calls.document(tid).create(RECORD)

    def read(self, tid: str) -> Any:
        """Read a record."""
        return self._calls.document(tid).get()

    def commit(self, tid: str, read: Any) -> Any:
        """Change a record, if nobody else has since it was read."""
        option = self._client.write_option(last_update_time=read.update_time) if read is not None else None
        return self._calls.document(tid).update(CHANGES, option=option)


class SqliteFloor:
    """The bare library, with the guarantees that the service asks for."""

    def __init__(self) -> None:
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(os.environ["FLOOR_SQLITE"], timeout=10, isolation_level=None)
            self._local.connection.execute("PRAGMA journal_mode = WAL")
            self._local.connection.execute("PRAGMA synchronous = FULL")
            self._local.connection.execute("CREATE TABLE IF NOT EXISTS calls (tid TEXT PRIMARY KEY, document TEXT)")
        connection: sqlite3.Connection = self._local.connection
        return connection

    def create(self, tid: str) -> None:
        """Write a new record."""
        self._connection().execute("INSERT INTO calls VALUES (?, ?)", (tid, json.dumps(RECORD, default=str)))

    def read(self, tid: str) -> Any:
        """Read a record."""
        row = self._connection().execute("SELECT document FROM calls WHERE tid = ?", (tid,)).fetchone()
        return json.loads(row[0])

    def commit(self, tid: str, _read: Any) -> Any:
        """Change a record."""
        document = json.dumps(RECORD | CHANGES, default=str)
        return self._connection().execute("UPDATE calls SET document = ? WHERE tid = ?", (document, tid))


@cache
def store() -> FirestoreFloor | SqliteFloor:
    """Return the store, made on first use as the service's is."""
    return SqliteFloor() if "FLOOR_SQLITE" in os.environ else FirestoreFloor()


def _json(body: Any) -> Response:
    return Response(json.dumps(body), content_type="application/json")


def _constant(_request: Request, _tid: str) -> Response:
    return Response(status=204)


def _read(_request: Request, tid: str) -> Response:
    store().read(tid)
    return _json(NCCO)


def _turn(request: Request, tid: str) -> Response:
    request.get_json()
    store().commit(tid, store().read(tid))
    return _json(NCCO)


def _place(request: Request, tid: str) -> Response:
    order = request.get_json()
    store().create(tid)
    requests.post(os.environ["FLOOR_VENDOR"], json=order, timeout=TIMEOUT_S)
    store().commit(tid, None)
    return _json({"tid": tid})


def _end(request: Request, tid: str) -> Response:
    request.get_json()
    store().commit(tid, store().read(tid))
    requests.post(os.environ["FLOOR_RECEIVER"], data={"tid": tid, "status": "ok"}, timeout=TIMEOUT_S)
    store().commit(tid, None)
    return Response(status=204)


_ROUTES: Final[dict[str, Callable[[Request, str], Response]]] = {
    "constant": _constant,
    "read": _read,
    "turn": _turn,
    "place": _place,
    "end": _end,
}


@functions_framework.http
def floor(request: Request) -> Response:
    """Do the least."""
    route, _, tid = request.path.lstrip("/").partition("/")
    return _ROUTES[route](request, tid)
