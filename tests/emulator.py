"""The real Firestore emulator, started once a test run and stopped with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass

START_S = 60


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Emulator:
    """A running emulator; `host` is what FIRESTORE_EMULATOR_HOST takes."""

    host: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it; gcloud starts Java as a child, so the whole group goes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def clear(self, project: str) -> None:
        """Delete all documents of a project."""
        url = f"http://{self.host}/emulator/v1/projects/{project}/databases/(default)/documents"
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()


def is_installed() -> bool:
    """Tell whether gcloud and Java are here."""
    return shutil.which("gcloud") is not None and shutil.which("java") is not None


def start_emulator(port: int | None = None) -> Emulator:
    """Start an emulator and wait until it answers."""
    host = f"127.0.0.1:{port or free_port()}"
    process = subprocess.Popen(
        ["gcloud", "emulators", "firestore", "start", f"--host-port={host}", "--quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    emulator = Emulator(host, process)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://{host}/", timeout=1):
            return emulator
        if process.poll() is not None:
            break
        time.sleep(0.2)
    emulator.stop()
    raise RuntimeError("the Firestore emulator did not start")
