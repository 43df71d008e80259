"""Instances: each revision of a service runs for real, from its uploaded source, with the environment it was given."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from devphone.processes.service import free_port
from tests.deploy.google.proxy import Reply, Request

_KEPT: Final = ("content-type", "allow", "location", "retry-after")


@dataclass
class Runtime:
    """Starts revisions when they are deployed and hands them requests. The database behind all is one SQLite file."""

    folder: Path
    wrote: Callable[[str, dict[str, Any]], None]  # service, one line on stdout
    _processes: dict[str, tuple[subprocess.Popen[str], int]] = field(default_factory=dict)
    _readers: list[threading.Thread] = field(default_factory=list)

    def database(self, usable: bool) -> str:
        """Return the store of all functions, or one that nothing can be read from."""
        return f"sqlite:///{self.folder}/calls.db" if usable else f"sqlite:///{self.folder}/nowhere/calls.db"

    def start(self, service: str, revision: str, source: bytes, environment: dict[str, str]) -> str | None:
        """Start a revision; return what it printed if it ended instead of listening."""
        folder = self.folder / revision
        with zipfile.ZipFile(io.BytesIO(source)) as archive:
            archive.extractall(folder)
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "functions_framework", "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONDONTWRITEBYTECODE": "1",
                "K_REVISION": revision,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        lines: list[str] = []
        self._readers.append(threading.Thread(target=self._read, args=(process, service, lines), daemon=True))
        self._readers[-1].start()
        while not _listens(port):
            if process.poll() is not None:
                return "".join(lines)
            time.sleep(0.02)
        self._processes[revision] = process, port
        return None

    def _read(self, process: subprocess.Popen[str], service: str, lines: list[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("{"):
                    self.wrote(service, json.loads(line))

    def ask(self, revision: str, request: Request, *, is_public: bool) -> Reply:
        """Hand a revision a request; a token for a private service is for the front alone."""
        _, port = self._processes[revision]
        dropped = {"host", "content-length", "transfer-encoding"} | (set() if is_public else {"authorization"})
        headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
        answer = httpx.request(
            request.method,
            f"http://127.0.0.1:{port}{request.path}",
            params=request.query,
            headers=headers,
            content=request.body,
            timeout=60,
            trust_env=False,
        )
        kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        return Reply(answer.status_code, answer.content, kept)

    def stop(self) -> None:
        for process, _ in self._processes.values():
            process.terminate()
        for process, _ in self._processes.values():
            process.wait(timeout=30)
        for reader in self._readers:
            reader.join()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
