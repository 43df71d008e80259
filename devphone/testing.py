"""The service and the phone at hand in tests, through `devphone.pytest_plugin` or without pytest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

from devphone.callee.numbers import CALLER, PIN
from devphone.callee.script import parse_callee
from devphone.happenings import CallbackReceived, CallRequested, Happening
from devphone.processes.pair import Pair, make_phone, running_pair, sweep
from devphone.processes.service import Service
from devphone.processes.state import Identity, make_identity
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.habits import Habit

T = TypeVar("T")
WAIT_S: Final = 30
LOOK_S: Final = 0.01
RETRY_SCHEDULE: Final = "1,1,1,1,1"
"""No test wants to wait for a minute until a callback is tried again."""
HTTP_S: Final = 30


@dataclass(slots=True, eq=False)
class Running:
    """A service and a phone that one test after the other uses."""

    pair: Pair
    identity: Identity
    client: httpx.Client
    stack: ExitStack
    _sweeper: Service | None = None

    def sweep(self) -> dict[str, int]:
        """Run the scheduled function, which is started when it is first needed."""
        if self._sweeper is None:
            self._sweeper = self.stack.enter_context(self.pair.sweeper())
        return sweep(self._sweeper)

    @contextmanager
    def phone_of_a_test(self) -> Iterator[DevPhone]:
        """Give the phone as if nothing had been before; calls that a test leaves behind are hung up."""
        phone = self.pair.board.phone
        phone.directory.everybody = parse_callee(PIN)
        phone.directory.scripts.clear()
        phone.behaviour.habits, phone.behaviour.faults, phone.behaviour.rate = frozenset(), Faults(), None
        try:
            yield DevPhone(self, phone.timeline.count())
        finally:
            for leg in [leg for leg in list(phone.exchange.legs.values()) if not leg.is_over]:
                headers = {"Authorization": f"Bearer {self.identity.application.token()}"}
                url = f"{self.pair.board.url}/v1/calls/{leg.uuid}"
                self.client.put(url, json={"action": "hangup"}, headers=headers)


@contextmanager
def running(speed: float, settings: Mapping[str, str]) -> Iterator[Running]:
    """Start a service and a phone on free ports, with a throw-away store; `settings` are the service's.

    Raises:
        StartError: the service did not start; the text says why.
    """
    identity = make_identity()
    phone = make_phone(
        identity.application,
        parse_callee(PIN),
        speed,
        signature_secret=identity.signature_secret,
        signing_secret=identity.signing_secret,
    )
    defaults = {"CALLBACK_RETRY_SCHEDULE": RETRY_SCHEDULE, "CALLBACK_SIGNING_SECRETS": identity.signing_secrets}
    with ExitStack() as stack:
        pair = stack.enter_context(running_pair(phone, "sqlite", settings={**defaults, **settings}))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=HTTP_S))
        yield Running(pair, identity, client, stack)


@dataclass(slots=True, eq=False)
class DevPhone:
    """The phone of one test."""

    _running: Running
    _since: int = field(repr=False)

    @property
    def service_url(self) -> str:
        """Where `POST /call` goes."""
        return self._running.pair.service.url

    @property
    def url(self) -> str:
        """The phone: Vonage's API, and its page for whoever debugs."""
        return self._running.pair.board.url

    @property
    def callback_url(self) -> str:
        """What to give as `callback` to find it in `callbacks`; any path and query may follow."""
        return f"{self.url}/callback"

    @property
    def application_id(self) -> str:
        """Of the application whose calls the service places."""
        return self._running.identity.application.id

    @property
    def private_key(self) -> str:
        """Its private key, PEM."""
        return self._running.identity.application.private_key

    @property
    def signing_secret(self) -> str:
        """What callbacks are signed with as `v1` (whsec_…)."""
        return self._running.identity.signing_secret

    @property
    def public_key(self) -> str:
        """What callbacks that are signed as `v1a` are verified with (whpk_…)."""
        return self._running.identity.public_key

    def token(self) -> str:
        """Return a JWT of the application, good for a quarter of an hour."""
        return self._running.identity.application.token()

    def callee(self, script: str, number: str | None = None) -> None:
        """Say what the callees do from now on, or the one at a number: `1111,1234`, `busy`, `12 hangup`.

        Without it they key 1234 at once; the test numbers keep to theirs.

        Raises:
            ValueError: it is no script.
        """
        directory = self._running.pair.board.phone.directory
        if number is None:
            directory.everybody = parse_callee(script)
        else:
            directory.scripts[number.removeprefix("+")] = parse_callee(script)

    def faults(self, *, duplicate: float = 0, reorder: float = 0, drop: float = 0, delay_s: float = 0) -> None:
        """Let webhooks be doubled, overtaken or lost from now on, in shares from 0 to 1, or be late."""
        self._running.pair.board.phone.behaviour.faults = Faults(duplicate, reorder, drop, delay_s)

    def habits(self, *names: str) -> None:
        """Have Vonage behave the other way for new calls, where its documentation leaves that open.

        Raises:
            ValueError: there is no such habit.
        """
        self._running.pair.board.phone.behaviour.habits = frozenset(Habit(name) for name in names)

    def rate(self, calls_a_second: float | None) -> None:
        """Answer 429 to more new calls in a second; None for no limit."""
        self._running.pair.board.phone.behaviour.rate = calls_a_second

    def place(self, **fields: Any) -> httpx.Response:
        """Send `POST /call`; `to`, `from`, `text`, `pin_code` and `callback` are filled in when left out.

        `from_` is `from`. A field given as None is left out.
        """
        given = {name.rstrip("_"): value for name, value in fields.items()}
        defaults = {"to": "447700900000", "from": CALLER, "text": "Hello", "pin_code": PIN}
        request = {**defaults, "callback": self.callback_url, **given}
        body = {name: value for name, value in request.items() if value is not None}
        headers = {"Authorization": f"Bearer {self.token()}"}
        return self._running.client.post(f"{self.service_url}/call", json=body, headers=headers)

    def sweep(self) -> dict[str, int]:
        """Run the scheduled function: try callbacks again, give up calls that are overdue; return its counts."""
        return self._running.sweep()

    @property
    def happenings(self) -> list[Happening]:
        """Everything since the test began, in order."""
        return [happening for _, happening in self._running.pair.board.phone.timeline.numbered(self._since)]

    @property
    def calls(self) -> list[CallRequested]:
        """What Vonage was asked for since the test began, refusals included."""
        return [happening for happening in self.happenings if isinstance(happening, CallRequested)]

    @property
    def callbacks(self) -> list[CallbackReceived]:
        """The callbacks of this test's calls at `callback_url`, in order."""
        mine = {call.tid for call in self.calls}
        return [each for each in self.happenings if isinstance(each, CallbackReceived) and each.tid in mine]

    def wait_for_callback(self, tid: str | None = None, within_s: float = WAIT_S) -> CallbackReceived:
        """Return the first callback of a call, or of any, as soon as it is there.

        Raises:
            AssertionError: none came in time.
        """
        callback = self.wait_for(lambda: [x for x in self.callbacks if tid in {None, x.tid}], within_s)
        if not callback:
            raise AssertionError(f"No callback came within {within_s:g} s; this happened: {self._story()}")
        return callback[0]

    def wait_for(self, look: Callable[[], T], within_s: float = WAIT_S) -> T:
        """Return what `look` returns, as soon as that is true, or its last answer when time is up."""
        deadline = time.monotonic() + within_s
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        return found

    def _story(self) -> str:
        return "; ".join(f"{x.from_} {x.words}" for x in self.happenings) or "nothing"
