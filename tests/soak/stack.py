"""What is soaked: the phone, two service processes behind one address, two sweepers, all on one store."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from devphone.phone import Phone
from devphone.processes.emulator import PROJECT, Emulator
from devphone.processes.pair import sweep
from devphone.processes.service import Service, free_port
from devphone.processes.switchboard import Switchboard
from tests.soak.front import Front
from ttsprompt.bootstrap import open_stores
from ttsprompt.config import load_settings
from ttsprompt.ports import CallStore

SWEEP_EVERY_S = 1.0


@dataclass(frozen=True)
class Stack:
    """Everything that runs. `emulator` is None with the embedded store."""

    board: Switchboard
    front: Front
    services: list[Service]
    sweepers: list[Service]
    emulator: Emulator | None
    settings: Mapping[str, str]

    def open_store(self) -> CallStore:
        """Return the store that they share."""
        return open_stores(load_settings(self.settings))[0]


@contextmanager
def running_stack(
    phone: Phone, emulator: Emulator | None, folder: Path, settings: Mapping[str, str]
) -> Iterator[Stack]:
    """Run everything; nothing of it is left afterwards. Both sweepers sweep all the time, side by side."""
    with ExitStack() as stack:
        board = Switchboard(phone, free_port())
        store_settings = _firestore(emulator)
        services: list[Service] = []
        front = Front(free_port(), lambda: [service.port for service in services])
        all_settings = {
            "CALL_STORE": f"sqlite:///{folder}/calls.db",
            "VONAGE_API_URL": board.url,
            "BASE_URL": front.url,
            "ALLOW_PRIVATE_CALLBACKS": "true",
            "CALLBACK_SIGNING_SECRETS": phone.signing_secret or "",
            **store_settings,
            **settings,
        }
        log = folder / "service.log"
        services += [Service(all_settings, log=log) for _ in range(2)]
        sweepers = [Service(all_settings, target="expire_stale_calls", log=log) for _ in range(2)]
        parts: list[Switchboard | Front | Service] = [board, front, *services, *sweepers]
        for part in parts:
            stack.callback(part.stop)
            part.start()
        # The library behind `open_store` looks for the emulator here.
        stack.enter_context(patch.dict("os.environ", store_settings))
        over = threading.Event()
        threads = [threading.Thread(target=_sweep_again_and_again, args=(sweeper, over)) for sweeper in sweepers]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(over.set)
        yield Stack(board, front, services, sweepers, emulator, all_settings)


def _firestore(emulator: Emulator | None) -> dict[str, Any]:
    if emulator is None:
        return {}
    return {
        "CALL_STORE": "firestore",
        "FIRESTORE_EMULATOR_HOST": emulator.host,
        "FIRESTORE_COLLECTION": f"calls-{uuid.uuid4().hex}",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def _sweep_again_and_again(sweeper: Service, over: threading.Event) -> None:
    while not over.wait(SWEEP_EVERY_S):
        with suppress(httpx.HTTPError):
            sweep(sweeper)
