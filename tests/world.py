"""The service with a scripted outside: real app, real SQLite store, fake clock, Vonage and receiver."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from flask import Request
from werkzeug.test import Client, TestResponse

from tests.fakes import FakeClock, FakeSender, FakeVoice
from tests.openapi import assert_described
from ttsprompt.bootstrap import Parts, build_app
from ttsprompt.config import load_settings
from ttsprompt.domain.model import Call
from ttsprompt.ports import CallbackRequest, CallOrder, CallStore
from ttsprompt.stores.sqlite import open_sqlite
from ttsprompt.web.app import App

APPLICATION_ID = "684027bc-a2e7-48b1-b4bd-adc02324e09c"
REQUEST: dict[str, Any] = {
    "to": "447970513607",
    "from": "447520616161",
    "text": "Enter the PIN",
    "pin_code": "1234",
    "callback": "https://example.com/callback",
    "callback_method": "post",
    "bye_text": "Thank you",
    "failed_text": "Try again",
}
ENVIRONMENT = {"BASE_URL": "https://calls.example.com/api"}


def bearer(clock: FakeClock, **claims: Any) -> dict[str, str]:
    """Return headers with an application token; its signature is Vonage's business."""
    issued_at = int(clock.now().timestamp())
    token = jwt.encode({"application_id": APPLICATION_ID, "iat": issued_at, "jti": "1", **claims}, "k" * 32)
    return {"Authorization": f"Bearer {token}"}


class DescribedClient(Client):
    """Checks every answer against the API's description, and that nobody keeps it or guesses its type."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        response = super().open(*args, **options)
        assert_described(response.request.path, response.request.method, response)
        assert response.headers.get("Cache-Control") == "no-store"
        assert response.headers.get("X-Content-Type-Options") == "nosniff"
        return response


@dataclass
class World:
    """One service and everybody it talks to."""

    app: App
    store: CallStore
    clock: FakeClock
    voice: FakeVoice
    sender: FakeSender
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = DescribedClient(lambda environ, start: self.app(Request(environ))(environ, start))

    # --- the caller

    def post_call(self, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
        body = {name: value for name, value in (REQUEST | fields).items() if value is not ...}
        return self.client.post("/call", json=body, headers=bearer(self.clock) if headers is None else headers)

    def place(self, **fields: Any) -> str:
        response = self.post_call(**fields)
        assert response.status_code == 200, response.text
        assert response.json is not None
        return str(response.json["tid"])

    def call(self, tid: str) -> Call:
        return self.store.get(tid).call

    def records(self) -> list[str]:
        """Return the tids of all calls that are stored and not done with."""
        return [due.tid for due in self.store.due(self.clock.now() + timedelta(days=1), 1000)]

    # --- Vonage

    @property
    def input_url(self) -> str:
        """Where the answer to the first question of the last call goes."""
        ncco = self.voice.orders[-1].ncco
        assert ncco is not None
        return str(ncco[1]["eventUrl"][0])

    def webhook(self, url: str, body: Any, **options: Any) -> TestResponse:
        assert url.startswith("https://calls.example.com/api/"), url
        path = url.removeprefix("https://calls.example.com/api")
        return self.client.post(path, json=body, **options)

    def event(self, status: str, **fields: Any) -> TestResponse:
        body = {"status": status, "direction": "outbound", "uuid": self.voice.uuid, **fields}
        return self.webhook(self.voice.orders[-1].event_url, body)

    def key(self, keys: str | None, url: str | None = None) -> TestResponse:
        return self.webhook(url or self.input_url, {"dtmf": {"digits": keys, "timed_out": False}})

    def enter(self, *entries: str | None) -> Any:
        """Answer one question after the other, as each NCCO asks; return the last NCCO."""
        url, ncco = self.input_url, None
        for keys in entries:
            response = self.key(keys, url)
            assert response.status_code == 200, response.text
            ncco = response.json
            url = ncco[-1].get("eventUrl", [""])[0] if ncco else ""
        return ncco

    # --- the receiver

    @property
    def outcomes(self) -> list[dict[str, str]]:
        return [payload_of(request) for request in self.sender.sent]


def payload_of(request: CallbackRequest) -> dict[str, str]:
    """Return the fields of a callback, whatever its encoding."""
    if request.format == "json" and request.method == "POST":
        return {name: str(value) for name, value in json.loads(request.payload).items()}
    return dict(parse_qsl(request.payload, strict_parsing=True))


def fields_logged(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return the fields of each line about an event, those that are None left out."""
    lines = [record.__dict__["fields"] for record in caplog.records if record.msg == event]
    return [{name: value for name, value in fields.items() if value is not None} for fields in lines]


def json_of(response: TestResponse) -> Any:
    """Return the body of a response that must be JSON."""
    return json.loads(response.data)


def tid_of(order: CallOrder) -> str:
    """Return the call that Vonage was asked to place."""
    return order.event_url.partition("/event/")[2].partition("?")[0]


def query_of(url: str) -> dict[str, str]:
    """Return a URL's query."""
    return dict(parse_qsl(urlsplit(url).query))


def make_world(
    folder: Path, *, store: CallStore | None = None, voice: FakeVoice | None = None, **environment: str
) -> World:
    """Return a fresh service; its store is an embedded one in `folder` unless another is given."""
    folder.mkdir(exist_ok=True)
    clock, voice = FakeClock(), voice or FakeVoice()
    sender = FakeSender(clock)
    settings = load_settings({**ENVIRONMENT, "CALL_STORE": f"sqlite:///{folder}/calls.db", **environment})
    store = store or open_sqlite(settings.call_store)[0]
    app = build_app(settings, Parts(store=store, voice=voice, sender=sender, clock=clock))
    return World(app, store, clock, voice, sender)
