"""Everything that a measurement needs to run: servers, stores, stand-ins, and calls in the middle of their lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from benchmarks.client import ROOT, Load, Request, run_load
from devphone.processes.emulator import Emulator, start_emulator
from devphone.processes.service import Service, free_port
from devphone.vendor.tokens import make_application

STORES: Final = ("sqlite", "firestore")
FLOOR: Final = ROOT / "benchmarks" / "floors" / "main.py"
PROJECT: Final = "ttsprompt-bench"
PIN: Final = "1234"
WRONG: Final = "9999"
TRIES: Final = 10
"""As many as there may be."""

BETWEEN_KEYS_S: Final = 0.3
SETTINGS: Final = {"ALLOW_PRIVATE_CALLBACKS": "true", "LOG_LEVEL": "INFO"}


@dataclass(slots=True)
class Placed:
    """A call that was placed, with Vonage's side of it."""

    event_path: str
    input_path: str
    """Of the first question, without its step."""

    def keys(self, step: int, keys: str) -> Request:
        """Return the webhook with the keys of one question."""
        return Request("POST", f"{self.input_path}&step={step}", {"dtmf": {"digits": keys, "timed_out": False}})

    def event(self, status: str, **fields: Any) -> Request:
        """Return the webhook of an event."""
        return Request("POST", self.event_path, {"status": status, "direction": "outbound", **fields})


@dataclass(slots=True)
class Stage:
    """Starts things and ends them all with itself."""

    folder: Path
    stack: ExitStack
    emulator: Emulator | None = None
    token: str = field(default_factory=lambda: make_application().token())

    def stand_ins(self, vendor_delay_s: float = 0, receiver_delay_s: float = 0) -> str:
        """Start Vonage and a receiver; return where they are."""
        port = free_port()
        options = ["--vendor-delay", str(vendor_delay_s), "--receiver-delay", str(receiver_delay_s)]
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "benchmarks.stand_ins", "--port", str(port), *options], cwd=ROOT
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        wait_for(f"http://127.0.0.1:{port}/orders")
        return f"http://127.0.0.1:{port}"

    def service(self, store: str, stand_ins: str = "http://127.0.0.1:9", **settings: str) -> Service:
        """Start the public function."""
        return self.start(Service(self._settings(store, stand_ins) | settings, log=self._log()))

    def sweeper(self, service: Service, **settings: str) -> Service:
        """Start the scheduled function on the store of a service."""
        return self.start(Service(service.settings | settings, target="expire_stale_calls", log=self._log()))

    def floor(self, store: str, stand_ins: str = "http://127.0.0.1:9", **settings: str) -> Service:
        """Start the floor functions."""
        environment = {"FLOOR_VENDOR": f"{stand_ins}/v1/calls", "FLOOR_RECEIVER": f"{stand_ins}/callback"} | settings
        if store == "sqlite":
            environment["FLOOR_SQLITE"] = str(self.folder / f"floor-{uuid.uuid4().hex}.db")
        else:
            environment |= self._firestore() | {"FLOOR_COLLECTION": f"floor-{uuid.uuid4().hex}"}
        return self.start(Service(environment, target="floor", source=FLOOR, log=self._log()))

    def start(self, service: Service) -> Service:
        """Start a service that ends with the stage."""
        service.start()
        self.stack.callback(service.stop)
        return service

    def place(
        self, service: Service, stand_ins: str, number: int, *, concurrency: int = 2, **fields: Any
    ) -> tuple[Load, list[Placed]]:
        """Place calls; return how that went, and Vonage's side of them."""
        httpx.get(f"{stand_ins}/orders", timeout=60, trust_env=False)
        requests = [[self.order(position, stand_ins, **fields)] for position in range(number)]
        load = run_load(service.port, requests, concurrency=concurrency)
        orders = httpx.get(f"{stand_ins}/orders", timeout=60, trust_env=False).json()
        return load, [_placed(order) for order in orders]

    def order(self, position: int, stand_ins: str, **fields: Any) -> Request:
        """Return a request for one call."""
        body = {
            "to": f"4479705{position % 100_000:05d}",
            "from": "447520616161",
            "text": "This is the on-call desk. Enter your PIN, please.",
            "bye_text": "Thank you, goodbye.",
            "failed_text": "That was not right. Please try again.",
            "pin_code": PIN,
            "callback": f"{stand_ins}/callback",
        } | fields
        return Request("POST", "/call", body, {"Authorization": f"Bearer {self.token}"})

    def _settings(self, store: str, stand_ins: str) -> dict[str, str]:
        settings = SETTINGS | {"VONAGE_API_URL": stand_ins}
        if store == "sqlite":
            return settings | {"CALL_STORE": f"sqlite:///{self.folder}/calls-{uuid.uuid4().hex}.db"}
        collection = f"calls-{uuid.uuid4().hex}"
        return settings | self._firestore() | {"CALL_STORE": "firestore", "FIRESTORE_COLLECTION": collection}

    def _firestore(self) -> dict[str, str]:
        if self.emulator is None:
            self.emulator = start_emulator()
            self.stack.callback(self.emulator.stop)
        return {"FIRESTORE_EMULATOR_HOST": self.emulator.host, "GOOGLE_CLOUD_PROJECT": PROJECT}

    def _log(self) -> Path:
        return self.folder / f"{uuid.uuid4().hex}.log"


@contextmanager
def stage(folder: Path, emulator: Emulator | None = None) -> Iterator[Stage]:
    """Give a stage; all that was started on it is ended with it."""
    with ExitStack() as stack:
        yield Stage(folder, stack, emulator)


def key_wrongly(service: Service, calls: list[Placed]) -> Load:
    """Let each callee key a wrong PIN until one try is left; callees do not keep step. Return what came of it."""
    scripts = [[call.keys(step, WRONG) for step in range(1, TRIES)] for call in calls]
    return run_load(service.port, scripts, concurrency=len(calls), spread_s=BETWEEN_KEYS_S, pause_s=BETWEEN_KEYS_S)


def wait_for(url: str) -> None:
    """Wait until something answers at a URL."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=1, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"nothing answers at {url}")


def _placed(order: dict[str, Any]) -> Placed:
    event, keys = (_path(order["event_url"][0]), _path(order["ncco"][1]["eventUrl"][0]))
    return Placed(event, keys.rpartition("&step=")[0])


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def documents(service: Service) -> Any:
    """Return the collection of a service on the emulator."""
    from google.cloud import firestore  # noqa: PLC0415 - only the Firestore measurements need it

    os.environ["FIRESTORE_EMULATOR_HOST"] = service.settings["FIRESTORE_EMULATOR_HOST"]
    client = firestore.Client(project=PROJECT)
    return client.collection(service.settings["FIRESTORE_COLLECTION"])
