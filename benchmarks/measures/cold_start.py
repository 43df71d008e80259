"""From the start of the process to the first good answer to `/input`: somebody is on the line meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from benchmarks.client import ROOT, Request, run_load
from benchmarks.report import Row
from benchmarks.stage import WRONG, Stage
from devphone.processes.service import Service

ROUNDS = 7
POLL_S: Final = 0.002
WORTH_TELLING_MS: Final = 5
_WEBHOOK: Final = """
import functions_framework
client = functions_framework.create_app("ttsprompt", "main.py").test_client()
client.post("/input/6a2827c9-4c68-46fc-b179-115f055dc0eb?token=x&step=1", json={"dtmf": "1"})
"""


def measure(stage: Stage, store: str, *, rounds: int = ROUNDS) -> Iterator[Row]:
    """Return milliseconds, against the framework and the bare client doing one get and one commit."""
    vendor = stage.stand_ins()
    service, floor = stage.service(store, vendor), stage.floor(store, vendor)
    _, (call,) = stage.place(service, vendor, 1, attempts=10)
    run_load(floor.port, [[Request("POST", "/place/one", {})]])
    turn = Request("POST", "/turn/one", {"dtmf": {"digits": WRONG}})
    pairs = [
        (_first_answer_ms(floor, turn), _first_answer_ms(service, call.keys(step, WRONG)))
        for step in range(1, rounds + 1)
    ]
    floors, ours = zip(*pairs, strict=True)
    yield Row(f"cold start, {store}", "ms", floors, ours, bar=1.25 if store == "firestore" else None)


def _first_answer_ms(service: Service, request: Request) -> float:
    service.stop()
    began = time.perf_counter()
    service.spawn()
    while not _is_answered(service, request):
        time.sleep(POLL_S)
    return (time.perf_counter() - began) * 1000


def _is_answered(service: Service, request: Request) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    try:
        connection.request(request.method, request.path, json.dumps(request.body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
    except ConnectionError:
        return False
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise RuntimeError(f"the first answer was {response.status}")
    return True


def imports() -> dict[str, float]:
    """Return what a webhook's cold start imports: milliseconds by package, its own modules only."""
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-X", "importtime", "-c", _WEBHOOK],
        cwd=ROOT,
        # Nothing listens there: what the store's failure costs is no import.
        env={**os.environ, "CALL_STORE": "firestore", "FIRESTORE_EMULATOR_HOST": "127.0.0.1:9", "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = defaultdict(float)
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            found[_package(name.rpartition("|")[2].strip())] += int(own) / 1000
    return {name: round(ms, 1) for name, ms in sorted(found.items(), key=lambda x: -x[1]) if ms > WORTH_TELLING_MS}


def _package(module: str) -> str:
    """Return the package by which a module is known; `google` alone says nothing."""
    parts = module.split(".")
    return ".".join(parts[:3] if parts[0] == "google" else parts[:1])
