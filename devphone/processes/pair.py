"""The phone and the real service, running together for as long as they are needed."""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from devphone.callee.directory import Directory
from devphone.callee.script import Callee
from devphone.pace import Pace
from devphone.phone import Phone
from devphone.processes.emulator import running_emulator
from devphone.processes.service import Service, free_port
from devphone.processes.switchboard import Switchboard
from devphone.vendor.behaviour import Behaviour
from devphone.vendor.habits import Habit
from devphone.vendor.tokens import Application


@dataclass(frozen=True, slots=True)
class Pair:
    """Both, with where they listen."""

    service: Service
    board: Switchboard

    def facts(self) -> dict[str, str]:
        """Return what runs where, for people."""
        return {
            "store": self.service.settings["CALL_STORE"].partition(":")[0],
            "service": f"functions-framework --target ttsprompt on {self.service.url}",
            "dev phone": f"{self.board.url}, {self.board.phone.pace.speed:g}x as fast as life",
        }

    @contextmanager
    def sweeper(self) -> Iterator[Service]:
        """Run the scheduled function of the same service beside it."""
        settings = {**self.service.settings, "BASE_URL": self.service.url}
        sweeper = Service(settings, target="expire_stale_calls", log=self.service.log)
        try:
            sweeper.start()
            yield sweeper
        finally:
            sweeper.stop()


def make_phone(
    application: Application,
    callee: Callee,
    speed: float,
    habits: Collection[Habit] = (),
    *,
    signature_secret: str | None = None,
    signing_secret: str | None = None,
) -> Phone:
    """Return a phone that knows one application, and the key to check callbacks with."""
    return Phone(
        pace=Pace(speed),
        directory=Directory(callee),
        public_keys={application.id: application.public_key},
        signature_secret=signature_secret,
        signing_secret=signing_secret or "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        behaviour=Behaviour(frozenset(habits)),
    )


@contextmanager
def running_pair(
    phone: Phone,
    store: str,
    *,
    port: int | None = None,
    phone_port: int | None = None,
    settings: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Pair]:
    """Run the phone and the service; both are gone afterwards, whatever happens.

    `settings` are the service's, and come before what is made up here. It prints to `log`, or to a file that goes too.
    """
    with tempfile.TemporaryDirectory(prefix="ttsprompt-") as folder, running_emulator(store) as store_settings:
        board = Switchboard(phone, phone_port or free_port())
        all_settings = {
            "CALL_STORE": f"sqlite:///{folder}/calls.db",
            "CALLBACK_SIGNING_SECRETS": phone.signing_secret or "",
            "VONAGE_SIGNATURE_SECRET": phone.signature_secret or "",
            **(settings or {}),
            "VONAGE_API_URL": board.url,
            "ALLOW_PRIVATE_CALLBACKS": "true",
            **store_settings,
        }
        all_settings = {name: value for name, value in all_settings.items() if value}
        service = Service(all_settings, port or free_port(), log=log or Path(folder) / "service.log")
        try:
            board.start()
            service.start()
            yield Pair(service, board)
        finally:
            service.stop()
            board.stop()


def sweep(sweeper: Service) -> dict[str, int]:
    """Have what is due looked after, as Cloud Scheduler would; return the sweep's counts.

    Raises:
        httpx.HTTPError: there was no answer, or not a good one.
    """
    response = httpx.post(f"{sweeper.url}/", timeout=120, trust_env=False)
    response.raise_for_status()
    counts: dict[str, int] = response.json()
    return counts
