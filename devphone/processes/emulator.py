"""The real Firestore emulator of the Cloud SDK, for as long as it is needed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import httpx

from devphone.processes.interrupts import deferred, pause
from devphone.processes.service import free_port

START_S: Final = 60
PROJECT: Final = "ttsprompt-demo"


class EmulatorError(Exception):
    """There is no emulator to be had; the text says why."""


@dataclass(slots=True, eq=False)
class Emulator:
    """A running emulator; `host` is what FIRESTORE_EMULATOR_HOST takes."""

    host: str
    process: subprocess.Popen[bytes]

    def pause(self) -> None:
        """Have it say nothing: the honest outage, as it keeps its data in memory."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it; gcloud starts Java as a child, so the whole group goes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def is_installed() -> bool:
    """Tell whether gcloud and Java are here."""
    return shutil.which("gcloud") is not None and shutil.which("java") is not None


def start_emulator(port: int | None = None) -> Emulator:
    """Start an emulator and wait until it answers.

    Raises:
        EmulatorError: it is not installed, or did not start.
    """
    if not is_installed():
        raise EmulatorError("The Firestore emulator needs gcloud (with cloud-firestore-emulator) and Java.")
    host = f"127.0.0.1:{port or free_port()}"
    emulator: Emulator | None = None
    try:
        # A signal that was held back is raised at the end of this block: within the `try`, or nobody stops the process.
        with deferred():
            process = subprocess.Popen(
                ["gcloud", "emulators", "firestore", "start", f"--host-port={host}", "--quiet"],  # noqa: S607 - PATH
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            emulator = Emulator(host, process)
        _wait_until_it_answers(emulator)
    except BaseException:
        if emulator is not None:
            emulator.stop()
        raise
    return emulator


def _wait_until_it_answers(emulator: Emulator) -> None:
    deadline = time.monotonic() + START_S
    with httpx.Client(base_url=f"http://{emulator.host}", trust_env=False) as client:
        while time.monotonic() < deadline and emulator.process.poll() is None:
            with suppress(httpx.HTTPError):
                client.get("/", timeout=1)
                _warm_up(client)
                return
            pause(0.2)
    raise EmulatorError("The Firestore emulator did not start.")


def _warm_up(client: httpx.Client) -> None:
    """Write once: the first write after the start takes seconds, more than the service grants a store."""
    client.post(f"/v1/projects/{PROJECT}/databases/(default)/documents/warm-up", json={}, timeout=START_S)


@contextmanager
def running_emulator(store: str) -> Iterator[dict[str, str]]:
    """Give the settings that make the service use `store`, with an emulator behind them for firestore."""
    if store != "firestore":
        yield {}
        return
    emulator = start_emulator()
    try:
        yield {
            "CALL_STORE": "firestore",
            "FIRESTORE_EMULATOR_HOST": emulator.host,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
        }
    finally:
        emulator.stop()
