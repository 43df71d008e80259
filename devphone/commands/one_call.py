"""`python -m devphone call`: one call, what happened in it, and the callback that came of it."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from devphone.callee.script import Callee
from devphone.commands.screen import Screen
from devphone.happenings import HAPPENING, CallbackReceived, CallRequested, Happening
from devphone.masking import shown
from devphone.processes.emulator import EmulatorError
from devphone.processes.interrupts import pause
from devphone.processes.pair import Pair, make_phone, running_pair, sweep
from devphone.processes.service import Service, StartError
from devphone.vendor.tokens import Application, make_application

WAIT_S: Final = 120
POLL_S: Final = 0.1
SWEEP_EVERY_S: Final = 1
RETRY_SCHEDULE: Final = "1,1,1,1,1"
"""Nobody wants to watch for a minute how a callback is tried again."""


class CallError(Exception):
    """The call came to nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to ask for, of whom. Without URLs a service and a phone are started."""

    fields: dict[str, str]
    callee: str | None = None
    service: str | None = None
    phone: str | None = None
    store: str = "sqlite"
    speed: float = 4
    wait_s: float = WAIT_S
    as_json: bool = False


@dataclass(slots=True)
class Record:
    """What became of the call."""

    answer: dict[str, Any] | None = None
    timeline: list[Happening] = field(default_factory=list)
    callback: CallbackReceived | None = None


def call(options: Options) -> int:
    """Place a call and wait for its callback; return the exit code, 0 when it came and its signature is not wrong."""
    screen = Screen(io.StringIO()) if options.as_json else Screen()
    record, fault = Record(), None
    try:
        with ExitStack() as stack:
            _call(options, record, screen, stack)
    except (CallError, StartError, EmulatorError, RuntimeError) as error:
        fault = str(error)
    except KeyboardInterrupt:
        fault = "interrupted"
    if options.as_json:
        # Without what was keyed and without webhook tokens.
        timeline = [shown(happening.as_dict()) for happening in record.timeline]
        callback = None if record.callback is None else record.callback.as_dict()
        result = {"answer": record.answer, "timeline": timeline, "callback": callback, "fault": fault}
        print(json.dumps(result, indent=2), flush=True)
    elif fault is not None:
        screen.failed(fault)
    return 0 if fault is None else 1


def _call(options: Options, record: Record, screen: Screen, stack: ExitStack) -> None:
    application = make_application()
    client = stack.enter_context(httpx.Client(trust_env=False, timeout=30))
    again: Callable[[], None] | None = None
    if options.service is not None and options.phone is not None:
        exchange = _Exchange(client, options.service.rstrip("/"), options.phone.rstrip("/"), options.fields["to"])
    else:
        pair = _start(options, application, screen, stack)
        exchange = _Exchange(client, pair.service.url, pair.board.url, options.fields["to"])
        again = _sweeping(pair, stack)
    if options.callee is not None:
        exchange.script(options.callee)
    screen.title("The call")
    record.answer = exchange.place(options.fields, application)
    status, body = record.answer["status"], record.answer["body"]
    tid = body.get("tid") if isinstance(body, dict) else None
    screen.pair("POST /call", f"→ {status}" + (f", tid {tid}" if isinstance(tid, str) else ""))
    if not isinstance(tid, str):
        _take(exchange.refusals(), record, screen)
        raise CallError(f"POST /call was answered {status}: {body if isinstance(body, str) else json.dumps(body)}")
    _follow(exchange, tid, options.wait_s, record, screen, again)


def _start(options: Options, application: Application, screen: Screen, stack: ExitStack) -> Pair:
    phone = make_phone(application, Callee(), options.speed)
    screen.title("Set-up")
    pair = stack.enter_context(running_pair(phone, options.store, settings={"CALLBACK_RETRY_SCHEDULE": RETRY_SCHEDULE}))
    screen.pairs(pair.facts())
    return pair


def _sweeping(pair: Pair, stack: ExitStack) -> Callable[[], None]:
    """Return what has a failed callback tried again; the scheduled function is started when first needed."""
    sweepers: list[Service] = []
    next_s = 0.0

    def again() -> None:
        nonlocal next_s
        if time.monotonic() < next_s:
            return
        if not sweepers:
            sweepers.append(stack.enter_context(pair.sweeper()))
        try:
            sweep(sweepers[0])
        except (httpx.HTTPError, ValueError) as error:
            raise CallError(f"the sweep failed: {error}") from None
        next_s = time.monotonic() + SWEEP_EVERY_S

    return again


def _follow(
    exchange: _Exchange,
    tid: str,
    wait_s: float,
    record: Record,
    screen: Screen,
    again: Callable[[], None] | None,
) -> None:
    """Show the call until its callback has been taken."""
    deadline = time.monotonic() + wait_s
    refused = False
    while record.callback is None:
        news = exchange.news_of(tid)
        _take(news, record, screen)
        for happening in news:
            if isinstance(happening, CallbackReceived):
                refused = not happening.is_taken
                record.callback = None if refused else happening
        if record.callback is None:
            if time.monotonic() > deadline:
                raise CallError(f"no callback was taken within {wait_s:g} s")
            if refused and again is not None:
                again()
            pause(POLL_S)
    screen.callback(record.callback)
    if record.callback.verified is False:
        raise CallError("the callback's signature is wrong")


def _take(news: list[Happening], record: Record, screen: Screen) -> None:
    record.timeline += news
    for happening in news:
        screen.show(happening)


class _Exchange:
    """The two servers, and one number of theirs."""

    def __init__(self, client: httpx.Client, service: str, phone: str, number: str) -> None:
        self._client = client
        self._service = service
        self._phone = phone
        self._number = re.sub(r"[+\s]", "", number)
        self._seen = 0
        self._news: list[Happening] = []
        self._read()
        self._news.clear()

    def script(self, callee: str) -> None:
        """Tell the phone what the callee does."""
        body = {"number": self._number, "callee": callee}
        self._ask("the phone", "POST", f"{self._phone}/devphone/script", json=body)

    def place(self, fields: dict[str, str], application: Application) -> dict[str, Any]:
        """Ask for the call; return the answer's status and body."""
        data = {"callback": f"{self._phone}/callback", **fields}
        headers = {"Authorization": f"Bearer {application.token()}"}
        response = self._ask("the service", "POST", f"{self._service}/call", data=data, headers=headers)
        try:
            body = response.json()
        except ValueError:
            body = response.text
        return {"status": response.status_code, "body": body}

    def refusals(self) -> list[Happening]:
        """Return what the phone has against the request, if it came so far."""
        self._read()
        requests = [x for x in self._news if isinstance(x, CallRequested) and not x.is_placed]
        return [x for x in requests if x.number in {None, self._number}]

    def news_of(self, tid: str) -> list[Happening]:
        """Return what has happened to a call since it was asked last."""
        self._read()
        mine = [happening for happening in self._news if happening.tid == tid]
        self._news = [happening for happening in self._news if happening.tid is None]
        return mine

    def _read(self) -> None:
        url = f"{self._phone}/devphone/timeline?after={self._seen}"
        response = self._ask("the phone", "GET", url)
        try:
            for value in response.json():
                self._news.append(HAPPENING.validate_python(value))
                self._seen = value["line"]
        except (ValueError, KeyError, TypeError):
            raise CallError(f"the phone's timeline is not one ({response.status_code}); is {self._phone} it?") from None

    def _ask(self, who: str, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, url, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CallError(f"{who} gives no answer at {url}: {error or type(error).__name__}") from None
