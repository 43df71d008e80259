"""The load: HTTP from a process of its own, over connections that are kept.

Reads `{"port": …, "scripts": [[[method, path, body, headers], …], …], "concurrency": n, "seconds": s, "spread_s": s,
"pause_s": s}` from standard input: each script is a chain of requests that one client makes in order, pausing before
each. With `seconds` the scripts are repeated for so long, else each is played once. Writes the latencies in seconds,
what was answered other than 2xx, and how long all took.
"""

from __future__ import annotations

import http.client
import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `headers` are extra."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: latencies in seconds, and failures."""

    latencies: list[float]
    faults: list[str]
    seconds: float

    @property
    def rate(self) -> float:
        """Requests in a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return a latency that so many stay below, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def run_load(port: int, scripts: list[list[Request]], **options: Any) -> Load:
    """Run a load in another process and return what came of it; the options are those of `start_load`.

    Raises:
        RuntimeError: some answer was not 2xx, so that the figure would mean nothing.
    """
    return finish_load(start_load(port, scripts, **options))


def start_load(
    port: int,
    scripts: list[list[Request]],
    *,
    concurrency: int = 1,
    seconds: float | None = None,
    spread_s: float = 0,
    pause_s: float = 0,
) -> subprocess.Popen[str]:
    """Begin a load and let it run.

    Its clients begin one after the other, over `spread_s`, and pause before each request: as they do not wait for each
    other, a service that stands still is seen by all of them.
    """
    task = {
        "port": port,
        "scripts": [[[r.method, r.path, r.body, r.headers] for r in script] for script in scripts],
        "concurrency": concurrency,
        "seconds": seconds,
        "spread_s": spread_s,
        "pause_s": pause_s,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdin is not None  # noqa: S101 - for the type
    process.stdin.write(json.dumps(task))
    process.stdin.close()
    process.stdin = None
    return process


def finish_load(process: subprocess.Popen[str]) -> Load:
    """Wait for a load; see `run_load`."""
    out, _ = process.communicate()
    load = Load(**json.loads(out))
    if load.faults:
        raise RuntimeError(f"{len(load.faults)} of {len(load.latencies)} requests failed: {load.faults[0]}")
    return load


class _Client(threading.Thread):
    def __init__(
        self,
        port: int,
        work: queue.SimpleQueue[list[list[Any]] | None],
        *,
        until: float | None,
        delay_s: float,
        pause_s: float,
    ) -> None:
        super().__init__(daemon=True)
        self._port, self._work, self._until, self._delay_s, self._pause_s = port, work, until, delay_s, pause_s
        self.latencies: list[float] = []
        self.faults: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        time.sleep(self._delay_s)
        while (script := self._work.get()) is not None:
            for method, path, body, headers in script:
                payload = None if body is None else json.dumps(body)
                time.sleep(self._pause_s)
                sent = {"Content-Type": "application/json", **headers} if payload else headers
                began = time.perf_counter()
                try:
                    connection.request(method, path, payload, sent)
                    response = connection.getresponse()
                    answer = response.read()
                    if response.status not in OK:
                        self.faults.append(f"{path.partition('?')[0]}: {response.status} {answer[:300]!r}")
                except (OSError, http.client.HTTPException) as error:
                    connection.close()
                    self.faults.append(f"{path.partition('?')[0]}: {error!r}")
                self.latencies.append(time.perf_counter() - began)
            if self._until is not None and time.perf_counter() < self._until:
                self._work.put(script)


def main() -> None:
    """Do what standard input says."""
    task = json.load(sys.stdin)
    work: queue.SimpleQueue[list[list[Any]] | None] = queue.SimpleQueue()
    for script in task["scripts"]:
        work.put(script)
    began = time.perf_counter()
    until = None if task["seconds"] is None else began + task["seconds"]
    concurrency, spread_s = task["concurrency"], task["spread_s"]
    clients = [
        _Client(task["port"], work, until=until, delay_s=spread_s * i / concurrency, pause_s=task["pause_s"])
        for i in range(concurrency)
    ]
    for client in clients:
        client.start()
    if until is None:
        for _ in clients:
            work.put(None)
    else:
        time.sleep(task["seconds"])
        for _ in clients:
            work.put(None)
    for client in clients:
        client.join()
    seconds = time.perf_counter() - began
    latencies = [latency for client in clients for latency in client.latencies]
    faults = [fault for client in clients for fault in client.faults]
    json.dump({"latencies": latencies, "faults": faults, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
