"""Runs the service under test as its operator would: the real framework, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path
from typing import Final

import httpx

from devphone.processes.interrupts import deferred, pause

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 30

_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "TZ", "VIRTUAL_ENV", "LANG", "LC_", "LD_", "PYTHON", "COV")
"""What the names of variables begin with that a process needs; no setting of the service is inherited."""


class StartError(Exception):
    """The service did not start; the text says what it printed."""


def function_source() -> Path:
    """Return the service's main.py: of this repository, or where an installation has put it.

    Raises:
        StartError: there is none.
    """
    if (ROOT / "pyproject.toml").exists():
        return ROOT / "main.py"
    installed = (file.locate() for file in files("ttsprompt") or () if file.name == "main.py")
    found = next(installed, None)
    if found is None:
        raise StartError("The service's main.py is not installed.")
    return Path(str(found)).resolve()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does: a port whose last connections are only fading out is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


@dataclass(slots=True, eq=False)
class Service:
    """One function of the service, or of another `source`, listening on 127.0.0.1.

    `log` is the file it prints to, None for our own stdout.
    """

    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    target: str = "ttsprompt"
    source: Path | None = None
    log: Path | None = field(kw_only=True)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StartError: it ended, or never answered.
        """
        try:
            self.spawn()
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def spawn(self) -> None:
        """Start it without waiting.

        Raises:
            StartError: its port is taken.
        """
        # Otherwise whoever listens there would be taken for the service.
        if not _is_free(self.port):
            raise StartError(f"Something else listens on port {self.port} already.")
        environment = {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}
        environment |= {"BASE_URL": self.url, **self.settings}
        # -P: what lies in the working folder is not to be taken for one of the service's libraries.
        command = [sys.executable, "-P", "-m", "functions_framework", "--target", self.target]
        command += ["--source", str(self.source or function_source()), "--host", "127.0.0.1", "--port", str(self.port)]
        output = None if self.log is None else self.log.open("ab")
        try:
            with deferred():
                self.process = subprocess.Popen(
                    command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
        finally:
            if output is not None:
                output.close()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        with httpx.Client(timeout=1, trust_env=False) as client:
            while time.monotonic() < deadline and self.is_running():
                with suppress(httpx.HTTPError):
                    client.get(f"{self.url}/")
                    return
                pause(0.05)
        raise StartError(f"The service ({self.target}) did not start.\n{self.printed()[-2000:]}")

    def is_running(self) -> bool:
        """Tell whether it has been started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it with all its workers."""
        if self.process is None:
            return
        for step in (how, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, step)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=5)
                break
        self.process = None

    def printed(self) -> str:
        """Return what it has printed."""
        return "" if self.log is None else self.log.read_text(errors="replace")
