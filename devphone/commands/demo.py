"""`make demo` and `make run`: the real service and the dev phone together, with no account and no network."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Collection
from typing import Any, Final

import httpx

from devphone.callee.numbers import CALLEE, CALLER, PIN
from devphone.callee.script import PickUp, parse_callee
from devphone.commands.screen import Screen
from devphone.customer.desk import Desk
from devphone.happenings import CallbackReceived, Swept
from devphone.phone import Phone
from devphone.processes.emulator import EmulatorError
from devphone.processes.interrupts import pause
from devphone.processes.pair import Pair, make_phone, running_pair, sweep
from devphone.processes.service import Service, StartError
from devphone.processes.switchboard import Switchboard
from devphone.vendor.habits import Habit
from devphone.vendor.tokens import Application, make_application

DEMO_SPEED: Final = 4
DEMO_LIMIT_S: Final = 60
SWEEP_EVERY_S: Final = 60
SCRIPT: Final = "1111,1234"
RUN_SETTINGS: Final = {"CALLBACK_RETRY_SCHEDULE": "10,20,30,60,300,3600"}
"""Whoever watches does not want to wait long for a callback to be tried again."""


def demo(store: str, speed: float = DEMO_SPEED) -> int:
    """Place one call to a callee who keys a wrong PIN, then the right one; return the exit code."""
    screen = Screen()
    application = make_application()
    phone = make_phone(application, parse_callee(SCRIPT), speed)
    callbacks: queue.SimpleQueue[CallbackReceived] = queue.SimpleQueue()
    phone.timeline.listen(screen.show)
    phone.timeline.listen(lambda x: callbacks.put(x) if isinstance(x, CallbackReceived) else None)
    screen.title("Set-up")
    try:
        with running_pair(phone, store) as pair:
            screen.pairs(pair.facts())
            screen.title("The call")
            tid = _place(pair, application, screen)
            return _judge(tid, callbacks.get(timeout=DEMO_LIMIT_S), screen)
    except queue.Empty:
        return screen.failed(f"no callback came within {DEMO_LIMIT_S} s")
    except (StartError, EmulatorError, RuntimeError, httpx.HTTPError) as error:
        return screen.failed(str(error))
    except KeyboardInterrupt:
        return screen.failed("interrupted")


def run(store: str, port: int, phone_port: int, callee: str, speed: float, habits: Collection[Habit] = ()) -> int:
    """Keep the service and the phone running until Ctrl-C; return the exit code."""
    screen = Screen()
    application = make_application()
    phone = make_phone(application, parse_callee(callee), speed, habits)
    phone.timeline.listen(screen.show)
    screen.title("Set-up")
    try:
        with running_pair(phone, store, port=port, phone_port=phone_port, keep=True, settings=RUN_SETTINGS) as pair:
            screen.pairs(pair.facts())
            return _keep_running(pair, screen, application)
    except (StartError, EmulatorError, RuntimeError) as error:
        return screen.failed(str(error))
    except KeyboardInterrupt:
        return 0


def _keep_running(pair: Pair, screen: Screen, application: Application) -> int:
    """Sweep each minute, as Cloud Scheduler would, until the service ends; return the exit code."""
    with pair.sweeper() as sweeper:
        pair.board.phone.open_desk(Desk(pair.service.url, f"{sweeper.url}/", application.token))
        _show_the_way(pair, screen, application)
        next_sweep = time.monotonic() + SWEEP_EVERY_S
        while pair.service.is_running() and sweeper.is_running():
            pause(0.5)
            if time.monotonic() >= next_sweep:
                next_sweep += SWEEP_EVERY_S
                _sweep(sweeper, pair.board.phone, screen)
    return screen.failed("the service has ended")


def _show_the_way(pair: Pair, screen: Screen, application: Application) -> None:
    phone = pair.board.phone
    screen.title("Running; stop with Ctrl-C")
    screen.pair("service", pair.service.url)
    is_person = phone.directory.everybody.pick_up is PickUp.PERSON
    screen.pair("calls", "ring on the page" if is_person else "are played by the script")
    print(
        f"\nOr by hand:\ncurl -X POST {pair.service.url}/call -H 'Content-Type: application/json' \\\n"
        f"  -H 'Authorization: Bearer {application.token()}' \\\n  -d '{json.dumps(_request(pair.board))}'\n",
        flush=True,
    )
    screen.title(f"Open the phone:  {pair.board.url}/")


def _sweep(sweeper: Service, phone: Phone, screen: Screen) -> None:
    began = time.monotonic()
    try:
        counts = sweep(sweeper)
    except (httpx.HTTPError, ValueError) as error:
        screen.pair("sweep", f"failed: {error}")
        return
    if any(counts.values()):
        seconds = round(time.monotonic() - began, 4)
        phone.timeline.add(Swept(at_s=phone.pace.seconds(), status=200, counts=counts, seconds=seconds))


def _request(board: Switchboard) -> dict[str, Any]:
    return {
        "to": CALLEE,
        "from": CALLER,
        "text": "Hello. Please enter your PIN.",
        "failed_text": "That was not right. Please try again.",
        "bye_text": "Thank you, goodbye.",
        "pin_code": PIN,
        "callback": f"{board.url}/callback?shop=7",
    }


def _place(pair: Pair, application: Application, screen: Screen) -> str:
    phone, service, board = pair.board.phone, pair.service, pair.board
    headers = {"Authorization": f"Bearer {application.token()}"}
    screen.say(phone.pace.seconds(), "you", f"POST /call for {CALLEE}, PIN ••••")
    response = httpx.post(f"{service.url}/call", json=_request(board), headers=headers, timeout=30, trust_env=False)
    if response.status_code != 200:  # noqa: PLR2004 - the only good status
        msg = f"POST /call was answered {response.status_code}: {response.text}\n{service.printed()[-2000:]}"
        raise RuntimeError(msg)
    tid: str = response.json()["tid"]
    screen.say(phone.pace.seconds(), "service", f"answers you → 200, tid {tid}")
    return tid


def _judge(tid: str, callback: CallbackReceived, screen: Screen) -> int:
    fields = callback.fields
    # The receiver's line of the timeline is printed by another thread.
    time.sleep(0.1)
    screen.callback(callback)
    expected = {"tid": tid, "to": CALLEE, "status": "ok", "reason": "pin_matched", "attempts": "2"}
    wrong = [
        f"{name} is {fields.get(name)}, not {value}" for name, value in expected.items() if fields.get(name) != value
    ]
    if callback.verified is not True:
        wrong.append("the signature is not verified")
    if callback.id != tid:
        wrong.append("webhook-id is not the tid")
    if wrong:
        return screen.failed("; ".join(wrong))
    print(screen.colour("\nThe right person picked up.", "32"), flush=True)
    return 0
