"""`python -m devphone load`: thousands of calls at once through the real service, with faults, and a judgement."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import random
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpx

from devphone.callee.script import Callee, parse_callee
from devphone.clients import PickClient, clients
from devphone.commands.load_plan import DEFAULT_MIX, MOST_CALLS, PIN, parse_mix, plan
from devphone.commands.load_report import Observed, Report, judge
from devphone.commands.screen import Screen
from devphone.happenings import CallbackReceived, CallRequested, Happening, Keyed
from devphone.phone import Phone
from devphone.processes.emulator import EmulatorError
from devphone.processes.interrupts import pause, run_until_interrupted
from devphone.processes.pair import make_phone, running_pair, sweep
from devphone.processes.service import Service, StartError
from devphone.vendor.faulty_sender import Faults, FaultySender
from devphone.vendor.tokens import Application, make_application
from devphone.vendor.webhooks import WebhookSender

SETTINGS: Final = {"CALLBACK_RETRY_SCHEDULE": "2,2,3,3,5,5,5,5,5,5", "THREADS": "64", "LOG_LEVEL": "WARNING"}
SWEEP_EVERY_S: Final = 3
PATIENCE_S: Final = 90
"""How long after the last request outcomes are waited for, beyond the age at which calls are given up."""

PLACE_S: Final = 10
"""How long a call that says nothing keeps others from being placed."""

POST_PAUSES_S: Final = (0.5, 1.0, 2.0)
"""How long a caller waits before the same request goes out again."""

PASSING: Final = frozenset({"in_progress"})
"""The codes of answers after which it does."""


class Run:
    """One load run, seen from the callers' side."""

    pauses_s: Sequence[float] = POST_PAUSES_S
    passing: Collection[str] = PASSING

    def __init__(self, options: argparse.Namespace, phone: Phone, application: Application) -> None:
        self._options = options
        self._phone = phone
        # One for all: signing takes longer than the request.
        self._token = application.token()
        self._calls = {
            call.number: Observed(call) for call in plan(options.calls, options.mix, options.repeat, options.seed)
        }
        self._by_tid: dict[str, Observed] = {}
        self._touched: set[str] = set()
        self._latencies: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        for call in self._calls.values():
            phone.directory.scripts[call.planned.number] = _quick(parse_callee(call.planned.kind.script))
        phone.timeline.listen(self._hear)

    def sender(self, pick: PickClient, secret: str | None) -> WebhookSender:
        """Return what the phone sends its webhooks by."""
        dice = random.Random(self._options.seed)
        return FaultySender(pick, secret, lambda: self._options.faults, dice, self._sent)

    async def place_all(self, service_url: str, callback: str) -> None:
        """Place all calls, so many at once; a call keeps its place until its outcome is there, or for PLACE_S."""
        self._loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(self._options.concurrency)
        try:
            async with clients(timeout_s=60) as pick:

                async def one(position: int, call: Observed) -> None:
                    if self._options.rate is not None:
                        await asyncio.sleep(position / self._options.rate)
                    async with places:
                        await self._place(pick(), service_url, callback, call)
                        if call.tid is not None:
                            with suppress(TimeoutError):
                                await asyncio.wait_for(call.over.wait(), PLACE_S)

                await asyncio.gather(*(one(*numbered) for numbered in enumerate(self._calls.values())))
        finally:
            with self._lock:
                self._loop = None

    async def _place(self, client: httpx.AsyncClient, service_url: str, callback: str, call: Observed) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": str(uuid.uuid4())}
        request = {
            "to": call.planned.number,
            "from": "447700900999",
            "text": "Enter the PIN",
            "pin_code": PIN,
            "callback": callback,
            **call.planned.kind.fields,
        }

        async def post() -> None:
            # As callers should: no answer, or one that will pass, and the request goes out again under the same key.
            for pause_s in (*self.pauses_s, None):
                began = time.monotonic()
                with suppress(httpx.HTTPError):
                    response = await client.post(f"{service_url}/call", json=request, headers=headers)
                    self._latencies["POST /call"].append(time.monotonic() - began)
                    answer = response.json()
                    if pause_s is None or answer.get("code") not in self.passing:
                        call.answer = call.answer if call.tid else response.status_code
                        if "tid" in answer:
                            call.tid = answer["tid"]
                            self._by_tid[answer["tid"]] = call
                        return
                if pause_s is not None:
                    await asyncio.sleep(pause_s)

        await asyncio.gather(*(post() for _ in range(2 if call.planned.sent_twice else 1)))
        call.is_asked = True

    def outcomes(self) -> int:
        """Return how many calls are accounted for."""
        return sum(call.is_accounted_for for call in self._calls.values())

    def report(self) -> Report:
        """Return the judgement."""
        for tid in self._touched & self._by_tid.keys():
            self._by_tid[tid].touched = True
        return judge(self._calls.values(), dict(self._latencies))

    def _sent(self, route: str, tid: str, seconds: float | None, touched: bool) -> None:  # noqa: FBT001 - a callback
        with self._lock:
            if seconds is not None:
                self._latencies[f"/{route}"].append(seconds)
            if touched:
                self._touched.add(tid)

    def _hear(self, happening: Happening) -> None:
        match happening:
            case CallRequested(number=str() as number) if happening.is_placed:
                self._calls[number].dialled += 1
            case Keyed(keys=keys, call=str() as uuid) if keys == PIN:
                self._calls[self._phone.exchange.legs[uuid].to].keyed_the_pin = True
            case CallbackReceived(fields=fields) if fields.get("to") in self._calls:
                call = self._calls[fields["to"]]
                how = happening.model_dump(include={"id", "verified", "sha256"})
                call.payloads.append(fields | {"callback": how})
                with self._lock:
                    if self._loop is not None:
                        self._loop.call_soon_threadsafe(call.over.set)


def _quick(callee: Callee) -> Callee:
    return dataclasses.replace(callee, ring_s=1.0)


def load(options: argparse.Namespace) -> int:
    """Run the load; return the exit code: 1 when a promise was broken, or the service did not start."""
    screen = Screen(sys.stderr if options.json else None)
    application = make_application()
    phone = make_phone(application, Callee(), options.speed)
    run = Run(options, phone, application)
    phone.make_sender = run.sender
    settings = {**SETTINGS, "STALE_AFTER": str(options.stale_after)}
    screen.title("Set-up")
    try:
        with running_pair(phone, options.store, settings=settings) as pair, pair.sweeper() as sweeper:
            screen.pairs(pair.facts())
            began = time.monotonic()
            with _watched(run, options.calls, sweeper, screen):
                run_until_interrupted(run.place_all(pair.service.url, f"{pair.board.url}/callback"))
                deadline = time.monotonic() + options.stale_after + PATIENCE_S
                while run.outcomes() < options.calls and time.monotonic() < deadline:
                    pause(0.2)
            seconds = time.monotonic() - began
    except (StartError, EmulatorError, RuntimeError) as error:
        return screen.failed(str(error))
    except KeyboardInterrupt:
        return screen.failed("interrupted")
    report = run.report()
    _show(report, seconds, screen, as_json=options.json)
    return 0 if report.is_good else 1


@contextmanager
def _watched(run: Run, calls: int, sweeper: Service, screen: Screen) -> Iterator[None]:
    """Sweep now and then meanwhile, as Cloud Scheduler does, and show how far the run has come."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SWEEP_EVERY_S):
            with suppress(httpx.HTTPError):
                sweep(sweeper)
            screen.progress(run.outcomes(), calls)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        screen.progress(run.outcomes(), calls)


def _show(report: Report, seconds: float, screen: Screen, *, as_json: bool) -> None:
    if as_json:
        json.dump(dataclasses.asdict(report) | {"seconds": round(seconds, 1)}, sys.stdout, indent=2)
        return
    screen.title("Outcomes")
    for outcome, count in report.outcomes.items():
        screen.pair(outcome, count)
    screen.title("Webhooks, milliseconds")
    for route, values in report.latency_ms.items():
        screen.pair(route, "  ".join(f"{name} {value:g}" for name, value in values.items()))
    screen.title("Promises")
    screen.pair("calls", f"{report.calls} in {seconds:.1f} s, {report.refused} refused, {report.unanswered} unanswered")
    screen.pair("disturbed", f"{report.touched} by faults or slow webhooks")
    screen.pair("repeated", f"{report.repeated_deliveries} deliveries, under the same webhook-id")
    for name in ("lost", "changed", "wrong", "dialled_twice"):
        sentences = getattr(report, name)
        screen.pair(name.replace("_", " "), len(sentences))
        for sentence in sentences[:5]:
            screen.pair("", sentence)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _milliseconds(text: str) -> float:
    return float(text.removesuffix("ms")) / 1000


def _calls(text: str) -> int:
    value = int(text)
    if not 0 < value <= MOST_CALLS:
        raise ValueError(text)
    return value


def add_load_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("load", help="thousands of calls with faults, and a judgement of the promises")
    parser.add_argument("--calls", type=_calls, default=500)
    parser.add_argument("--concurrency", type=_calls, default=100)
    parser.add_argument("--rate", type=float, help="most new calls a second")
    parser.add_argument("--mix", type=parse_mix, default=parse_mix(DEFAULT_MIX), metavar=DEFAULT_MIX)
    parser.add_argument("--duplicate", type=_share, default=0.0, help="share of webhooks that are sent twice")
    parser.add_argument("--reorder", type=_share, default=0.0, help="share of events that later ones overtake")
    parser.add_argument("--drop", type=_share, default=0.0, help="share of webhooks that never arrive")
    parser.add_argument("--delay", type=_milliseconds, default=0.0, metavar="50ms", help="longest delay of a webhook")
    parser.add_argument("--repeat", type=_share, default=0.1, help="share of requests sent twice at once, with one key")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--stale-after", type=int, default=40, help="age in seconds at which a call is given up")
    parser.add_argument("--store", choices=["sqlite", "firestore"], default="sqlite")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run_command=_run)


def _run(options: argparse.Namespace) -> int:
    options.faults = Faults(options.duplicate, options.reorder, options.drop, options.delay)
    return load(options)
