"""The service as a real process, the dev phone beside it, and a customer's receiver."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from devphone.callee.script import parse_callee
from devphone.happenings import CallbackReceived
from devphone.pace import Pace
from devphone.phone import Phone
from devphone.processes.emulator import Emulator
from devphone.processes.service import Service, free_port
from devphone.processes.switchboard import Switchboard
from devphone.vendor.tokens import Application, make_application

SPEED = 40
WAIT_S = 30
A_WHILE_S = 5
SIGNING_SECRET = "whsec_" + base64.b64encode(b"e2e-signing-secret-of-32-bytes..").decode()
SIGNING_SEED = "whsk_" + base64.b64encode(b"e2e-signing-seed-is-of-32-bytes.").decode()
"""As `make bootstrap` makes one."""


@dataclass
class Stack:
    """Everything that takes part in a call, in real processes."""

    service: Service
    board: Switchboard
    application: Application
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(447700910000))

    @property
    def callback(self) -> str:
        return f"{self.board.url}/callback/{uuid.uuid4().hex}?own=1"

    def request(self, **fields: Any) -> dict[str, Any]:
        """Return a request for a call; the callee has a number of their own, none of the reserved ones."""
        return {
            "to": str(next(self.numbers)),
            "from": "447520616161",
            "text": "Enter the PIN",
            "pin_code": "1234",
            "callback": self.callback,
        } | fields

    def script(self, request: dict[str, Any], callee: str) -> None:
        """Say what the callee of a request does."""
        self.board.phone.directory.scripts[request["to"]] = parse_callee(callee)

    def post(self, request: dict[str, Any], **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.application.token()}"} | options.pop("headers", {})
        return httpx.post(
            f"{self.service.url}/call", json=request, headers=headers, timeout=30, trust_env=False, **options
        )

    def play(self, callee: str, **fields: Any) -> dict[str, Any]:
        """Place a call to a scripted callee and return the fields of its callback."""
        request = self.request(**fields)
        self.script(request, callee)
        response = self.post(request)
        assert response.status_code == 200, response.text
        return self.outcome(response.json()["tid"])

    def outcome(self, tid: str) -> dict[str, Any]:
        """Wait for the callback of a call; it must be signed and come once.

        Whoever asks about a call at its very end may see to it that the sweep tells the outcome.
        """
        try:
            callback = wait_for(lambda: next(iter(self.callbacks(tid)), None), after_a_while=self.sweep)
        except pytest.fail.Exception:
            pytest.fail(f"no callback for {tid} within {WAIT_S} s\n{self.story(tid)}", pytrace=False)
        assert callback.verified is True
        assert callback.id == tid
        fields: dict[str, Any] = callback.fields
        return fields

    def sweep(self) -> None:
        """Run the scheduled function once."""
        with self.function("expire_stale_calls") as function:
            httpx.post(f"{function.url}/", timeout=60, trust_env=False).raise_for_status()

    @contextmanager
    def function(self, target: str, **settings: str) -> Iterator[Service]:
        """Run another function on the same store."""
        service = Service({**self.service.settings, **settings}, target=target, log=self.service.log)
        service.start()
        try:
            yield service
        finally:
            service.stop()

    def story(self, tid: str) -> str:
        """Return what phone and service saw of a call."""
        seen = [str(x.as_dict()) for x in self.board.phone.timeline.happenings() if x.tid == tid]
        logged = [line for line in (self.folder / "service.log").read_text().splitlines() if tid in line]
        return "\n".join([*seen, *logged])

    def callbacks(self, tid: str) -> list[CallbackReceived]:
        return [x for x in self.board.phone.timeline.happenings() if isinstance(x, CallbackReceived) and x.tid == tid]


def wait_for(look: Callable[[], Any], *, after_a_while: Callable[[], None] | None = None) -> Any:
    """Return what `look` finds, as soon as it finds something."""
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < WAIT_S:
        found = look()
        if found:
            return found
        if after_a_while is not None and waited_s > A_WHILE_S:
            after_a_while()
            after_a_while, began = None, time.monotonic()
        time.sleep(0.02)
    pytest.fail(f"nothing within {WAIT_S} s")


def store_settings(store: str, folder: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    if store == "sqlite":
        return {"CALL_STORE": f"sqlite:///{folder}/calls.db"}
    emulator: Emulator = request.getfixturevalue("emulator")
    return {
        "CALL_STORE": "firestore",
        "FIRESTORE_EMULATOR_HOST": emulator.host,
        "GOOGLE_CLOUD_PROJECT": "ttsprompt-test",
        "FIRESTORE_COLLECTION": f"calls-{uuid.uuid4().hex}",
    }


@pytest.fixture(scope="module", params=["sqlite", "firestore"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("e2e")
    application = make_application()
    phone = Phone(pace=Pace(SPEED), public_keys={application.id: application.public_key}, signing_secret=SIGNING_SECRET)
    board = Switchboard(phone, free_port())
    settings = {
        "VONAGE_API_URL": board.url,
        "ALLOW_PRIVATE_CALLBACKS": "true",
        "CALLBACK_SIGNING_SECRETS": f"{SIGNING_SECRET},{SIGNING_SEED}",
        "LOG_LEVEL": "DEBUG",
        **store_settings(request.param, folder, request),
    }
    service = Service(settings, log=folder / "service.log")
    board.start()
    service.start()
    yield Stack(service, board, application, folder)
    service.stop()
    board.stop()
