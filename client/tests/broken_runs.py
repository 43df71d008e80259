"""Breaks runs of `ttsprompt ladder` in every way, and counts how often each person's phone was dialled.

    python client/tests/broken_runs.py --runs 1000

The real service, its sweep and the dev phone run as processes of their own. Between client and service, and between
service and phone, a relay loses requests and answers. The ladder is killed (-9) or interrupted at any moment, and begun
again with the same `--run ID` until it comes to its end. The exit code is 1 if anybody was dialled twice, a run has no
end, or an outcome that was told once was another one later.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

ROOT: Final = Path(__file__).parents[2]
FIRST_NUMBER: Final = 447700910000
PEOPLE: Final = 3
CALLEES: Final = ("busy", "1,2,3", "hangup", "reject", "1,1234", "1234")
STARTS: Final = 60
"""How often one run is started at most."""
BREAKS: Final = 4
"""How many of these are broken off at most: a run has to end some time."""

PASS, LOSE_REQUEST, LOSE_ANSWER, BAD_GATEWAY, THROTTLE = "pass", "request lost", "answer lost", "bad gateway", "429"
FRONT: Final = {PASS: 80, LOSE_REQUEST: 6, LOSE_ANSWER: 10, BAD_GATEWAY: 4}
BACK: Final = {PASS: 78, LOSE_REQUEST: 4, LOSE_ANSWER: 14, THROTTLE: 4}


class Relay:
    """Passes HTTP requests on to a port, but for the faults. `dialled`: calls that the phone took, by number."""

    def __init__(self, target: int, faults: dict[str, int], seed: int, *, only: str | None = None) -> None:
        self.target = target
        self.counts: Counter[str] = Counter()
        self.dialled: Counter[str] = Counter()
        self._faults, self._random, self._only = faults, random.Random(seed), only
        self._lock = threading.Lock()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                relay.pass_on(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        ThreadingHTTPServer.request_queue_size = 128
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one request on, or not."""
        handler.close_connection = True
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        is_subject = self._only in {None, f"{handler.command} {handler.path}"}
        with self._lock:
            fault = self._random.choices(list(self._faults), list(self._faults.values()))[0] if is_subject else PASS
            self.counts[fault] += is_subject
        if fault == LOSE_REQUEST:
            return
        if fault == THROTTLE:
            _answer(handler, 429, [], b"{}")
            return
        with suppress(OSError, http.client.HTTPException):
            status, headers, content = self._exchange(handler, body)
            if fault == BAD_GATEWAY:
                _answer(handler, 502, [], b"<html>Bad Gateway</html>")
            elif fault == PASS:
                _answer(handler, status, headers, content)

    def _exchange(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=90)
        try:
            kept = {n: v for n, v in handler.headers.items() if n.lower() not in {"host", "connection"}}
            connection.request(handler.command, handler.path, body or None, kept)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if (handler.command, handler.path, response.status) == ("POST", "/v1/calls", 201):
            with self._lock:
                self.dialled[json.loads(body)["to"][0]["number"]] += 1
        return response.status, response.getheaders(), content

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
    handler.send_response_only(status)
    for name, value in headers:
        if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(port: int, log: Path, *arguments: str, **environment: str) -> Iterator[None]:
    """Run a Python module that listens on a port, from the moment it does."""
    with log.open("ab") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        while running.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        if running.returncode is not None:
            raise RuntimeError(log.read_text(errors="replace")[-2000:])
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(20)


@dataclass
class World:
    """What a ladder meets."""

    front: Relay
    back: Relay
    phone_url: str
    environment: dict[str, str]


@contextmanager
def running_world(folder: Path, seed: int) -> Iterator[World]:
    """Run phone, service and sweep, with a relay before each of the first two."""
    phone, service, sweeper = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        enter = stack.enter_context
        log = folder / "log"
        serve = ["devphone", "serve", "--port", str(phone), "--speed", "60", "--state", str(folder / "phone")]
        enter(process(phone, log, *serve))
        back = Relay(phone, BACK, seed, only="POST /v1/calls")
        stack.callback(back.close)
        settings = {
            "CALL_STORE": f"sqlite:///{folder}/calls.db",
            "VONAGE_API_URL": back.url,
            "BASE_URL": f"http://127.0.0.1:{service}",
            "ALLOW_PRIVATE_CALLBACKS": "true",
            "STALE_AFTER": "12",
            "THREADS": "80",
        }
        function = ["functions_framework", "--source", str(ROOT / "main.py"), "--host", "127.0.0.1"]
        enter(process(service, log, *function, "--target", "ttsprompt", "--port", str(service), **settings))
        sweep = [*function, "--target", "expire_stale_calls", "--port", str(sweeper)]
        enter(process(sweeper, log, *sweep, **settings))
        front = Relay(service, FRONT, seed + 1)
        stack.callback(front.close)
        over = threading.Event()
        thread = threading.Thread(target=_sweep, args=(f"http://127.0.0.1:{sweeper}/", over))
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)
        yield World(front, back, f"http://127.0.0.1:{phone}", _callers_settings(folder, front.url))


def _sweep(url: str, over: threading.Event) -> None:
    while not over.wait(2):
        with suppress(requests.RequestException):
            requests.post(url, timeout=120)


def _callers_settings(folder: Path, url: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "private.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {
        "TTSPROMPT_URL": url,
        "VONAGE_APPLICATION_ID": str(uuid.uuid4()),
        "VONAGE_PRIVATE_KEY": str(folder / "private.key"),
        "PYTHONPATH": str(ROOT / "client"),
        "NO_PROXY": "127.0.0.1",
    }


@dataclass
class Told:
    """What one run printed and how each of its starts ended (an exit code, or minus the signal)."""

    number: int
    ends: list[int] = field(default_factory=list)
    outcomes: dict[int, set[str]] = field(default_factory=dict)

    def faults(self, dialled: Counter[str]) -> list[str]:
        """Return which promises were broken."""
        found = []
        if self.ends[-1] not in {0, 1, 2}:
            found.append(f"run {self.number} did not end: {self.ends}")
        found += [
            f"run {self.number}: person {n} has outcomes {sorted(o)}" for n, o in self.outcomes.items() if len(o) > 1
        ]
        twice = [n for n in numbers(self.number) if dialled[n] > 1]
        return found + [f"run {self.number}: {n} was dialled {dialled[n]} times" for n in twice]


def numbers(run: int) -> list[str]:
    """Return the numbers of a run's people, who are in no other run."""
    return [str(FIRST_NUMBER + run * PEOPLE + n) for n in range(PEOPLE)]


def one_run(number: int, folder: Path, seed: int) -> Told:
    """Start one run again and again until it has come to its end. In a process without threads: it forks."""
    chance = random.Random(seed * 1_000_003 + number)
    file = folder / f"people-{number}.toml"
    file.write_text("".join(f'[[person]]\nname = "{n}"\nto = "{n}"\npin_code = "1234"\n' for n in numbers(number)))
    request = ["--from", "447520616161", "--text", "Enter the PIN"]
    arguments = [
        "ladder",
        str(file),
        *request,
        "--run",
        f"broken-{seed}-{number}",
        "--json",
        "--quiet",
        "--timeout",
        "60",
    ]
    told, breaks = Told(number), 0
    while len(told.ends) < STARTS:
        is_broken = breaks < BREAKS and chance.random() < 0.7
        breaks += is_broken
        how = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT])
        told.ends.append(_start(arguments, folder / f"out-{number}", how, chance.uniform(0, 4) if is_broken else None))
        for line in (folder / f"out-{number}").read_text().splitlines():
            with suppress(ValueError):  # cut off
                rung = json.loads(line)
                if "status" in rung:
                    told.outcomes.setdefault(rung["position"], set()).add(f"{rung['tid']} {rung['status']}")
        if told.ends[-1] in {0, 1, 2}:
            break
    return told


def _start(arguments: list[str], out: Path, how: signal.Signals, after_s: float | None) -> int:
    from ttsprompt_client import cli  # noqa: PLC0415 - the world's processes have no need of it

    out.write_text("")
    child = os.fork()
    if child == 0:
        # As a process of its own that has just been started, but for the imports.
        os.dup2(os.open(out, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.argv[1:] = arguments
        code: Any = 70
        try:
            cli.run()
        except SystemExit as end:
            code = end.code
        finally:
            os._exit(code)
    deadline = None if after_s is None else time.monotonic() + after_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, how)
            deadline = None
        time.sleep(0.02)


@dataclass
class Result:
    """What came of it."""

    runs: list[Told]
    dialled: Counter[str]
    front: Counter[str]
    back: Counter[str]

    def faults(self) -> list[str]:
        """Return every broken promise."""
        return [fault for told in self.runs for fault in told.faults(self.dialled)]

    def summary(self) -> str:
        """Return the figures."""
        starts = [end for told in self.runs for end in told.ends]
        ends = {"killed": -signal.SIGKILL, "unclear": 4, "not placed": 3, "ok": 0, "failed": 1, "error": 2}
        told = ", ".join(f"{starts.count(code)} {name}" for name, code in ends.items())
        twice = sum(count > 1 for count in self.dialled.values())
        return (
            f"{len(self.runs)} runs in {len(starts)} starts ({told}); {sum(self.dialled.values())} dials of "
            f"{len(self.dialled)} numbers, {twice} of them twice; client–service {dict(self.front)}, "
            f"service–phone {dict(self.back)}"
        )


def break_runs(runs: Sequence[int], folder: Path, seed: int, workers: int) -> Result:
    """Break runs, several at a time, and return what came of it."""
    chance = random.Random(seed)
    with running_world(folder, seed) as world:
        for number in (n for run in runs for n in numbers(run)):
            script = {"number": number, "callee": chance.choice(CALLEES)}
            requests.post(f"{world.phone_url}/devphone/script", json=script, timeout=30).raise_for_status()
        command = [sys.executable, __file__, "--worker", str(folder)]
        pieces = [runs[n::workers] for n in range(workers)]
        started = [
            subprocess.Popen(
                [*command, "--seed", str(seed), *map(str, piece)],
                env={**os.environ, **world.environment},
                stdout=subprocess.PIPE,
                text=True,
            )
            for piece in pieces
            if piece
        ]
        found: list[Told] = []
        threads = [threading.Thread(target=_listen, args=(worker, found)) for worker in started]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(worker.wait() for worker in started):
            raise RuntimeError("a worker failed")
        return Result(found, world.back.dialled, world.front.counts, world.back.counts)


def _listen(worker: subprocess.Popen[str], found: list[Told]) -> None:
    assert worker.stdout is not None
    with worker.stdout:
        for line in worker.stdout:
            number, ends, outcomes = json.loads(line)
            found.append(Told(number, ends, {int(n): set(o) for n, o in outcomes.items()}))
            if len(found) % 50 == 0:
                print(f"{len(found)} runs", file=sys.stderr, flush=True)  # noqa: T201 - a command prints


def main() -> int:
    """Break runs; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("numbers", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        for number in options.numbers:
            told = one_run(number, options.worker, options.seed)
            outcomes = {n: sorted(o) for n, o in told.outcomes.items()}
            print(json.dumps([number, told.ends, outcomes]), flush=True)  # noqa: T201 - a command prints
        return 0
    with tempfile.TemporaryDirectory() as folder:
        result = break_runs(range(options.runs), Path(folder), options.seed, options.workers)
    faults = result.faults()
    print("\n".join([*faults, result.summary()]))  # noqa: T201 - a command prints
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
