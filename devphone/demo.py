"""`make demo` and `make run`: the real service and the dev phone together, with no account and no network."""

from __future__ import annotations

import base64
import json
import queue
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from devphone.app import Phone
from devphone.callee import Callee, parse_callee
from devphone.emulator import EmulatorError, running_emulator
from devphone.pace import Pace
from devphone.screen import Screen
from devphone.service import Service, StartError, free_port
from devphone.switchboard import Switchboard
from devphone.timeline import Line
from devphone.tokens import Application, make_application

DEMO_SPEED: Final = 4
DEMO_LIMIT_S: Final = 60
SWEEP_EVERY_S: Final = 60
PIN: Final = "1234"
SCRIPT: Final = "1111,1234"
CALLEE: Final = "447700900000"
CALLER: Final = "447700900001"
"""Numbers that Ofcom keeps for drama."""


def demo(store: str, speed: float = DEMO_SPEED) -> int:
    """Place one call to a callee who keys a wrong PIN, then the right one; return the exit code."""
    screen = Screen()
    application = make_application()
    phone = _phone(application, parse_callee(SCRIPT), speed)
    callbacks: queue.SimpleQueue[Line] = queue.SimpleQueue()
    phone.timeline.listen(screen.show)
    phone.timeline.listen(lambda line: callbacks.put(line) if line.what == "calls back" else None)
    try:
        with _both(phone, store, screen) as (service, board):
            screen.title("The call")
            tid = _place(phone, service, board, application, screen)
            outcome = callbacks.get(timeout=DEMO_LIMIT_S)
            return _judge(tid, outcome.data, screen)
    except queue.Empty:
        return _failed(screen, f"no callback came within {DEMO_LIMIT_S} s")
    except (StartError, EmulatorError, RuntimeError, httpx.HTTPError) as error:
        return _failed(screen, str(error))
    except KeyboardInterrupt:
        return _failed(screen, "interrupted")


def run(store: str, port: int, phone_port: int, callee: str, speed: float) -> int:
    """Keep the service and the phone running until Ctrl-C; return the exit code."""
    screen = Screen()
    application = make_application()
    phone = _phone(application, parse_callee(callee), speed)
    phone.timeline.listen(screen.show)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with _both(phone, store, screen, port=port, phone_port=phone_port, keep=True) as (service, board):
            screen.title("Running; stop with Ctrl-C")
            screen.pair("service", service.url)
            screen.pair("dev phone", board.url)
            screen.pair("callee keys", callee)
            screen.title("Place a call")
            request = json.dumps(_request(board))
            print(
                f"curl -X POST {service.url}/call -H 'Content-Type: application/json' \\\n"
                f"  -H 'Authorization: Bearer {application.token()}' \\\n  -d '{request}'\n",
                flush=True,
            )
            return _keep_running(service, screen, stop)
    except (StartError, EmulatorError, RuntimeError, httpx.HTTPError) as error:
        return _failed(screen, str(error))


def _keep_running(service: Service, screen: Screen, stop: threading.Event) -> int:
    """Sweep each minute, as Cloud Scheduler would, until `stop` or until the service ends; return the exit code."""
    sweep = Service({**service.settings, "BASE_URL": service.url}, target="expire_stale_calls", log=None)
    sweep.start()
    try:
        next_sweep = time.monotonic() + SWEEP_EVERY_S
        while not stop.wait(timeout=0.5):
            if not service.is_running() or not sweep.is_running():
                return _failed(screen, "the service has ended")
            if time.monotonic() >= next_sweep:
                next_sweep += SWEEP_EVERY_S
                _sweep(sweep, screen)
    finally:
        sweep.stop()
    return 0


def _sweep(sweep: Service, screen: Screen) -> None:
    report = httpx.post(f"{sweep.url}/", timeout=120, trust_env=False).json()
    if any(report.values()):
        screen.pair("sweep", ", ".join(f"{count} {name}" for name, count in report.items() if count))


def _phone(application: Application, callee: Callee, speed: float) -> Phone:
    signing_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return Phone(
        pace=Pace(speed),
        callee=callee,
        public_keys={application.id: application.public_key},
        signing_secret=signing_secret,
    )


@contextmanager
def _both(
    phone: Phone,
    store: str,
    screen: Screen,
    *,
    port: int | None = None,
    phone_port: int | None = None,
    keep: bool = False,
) -> Iterator[tuple[Service, Switchboard]]:
    """Run the phone and the service; both are gone afterwards, whatever happens."""
    screen.title("Set-up")
    with tempfile.TemporaryDirectory(prefix="ttsprompt-") as folder, running_emulator(store) as store_settings:
        board = Switchboard(phone, phone_port or free_port())
        settings = {
            "CALL_STORE": "sqlite:///ttsprompt.db" if keep else f"sqlite:///{folder}/calls.db",
            "VONAGE_API_URL": board.url,
            "ALLOW_PRIVATE_CALLBACKS": "true",
            "CALLBACK_SIGNING_SECRETS": phone.signing_secret or "",
            **store_settings,
        }
        service = Service(settings, port or free_port(), log=None if keep else Path(folder) / "service.log")
        board.start()
        try:
            service.start()
            screen.pair("store", settings["CALL_STORE"].partition(":")[0])
            screen.pair("service", f"functions-framework --target ttsprompt on {service.url}")
            screen.pair("dev phone", f"{board.url}, {phone.pace.speed:g}x as fast as life")
            yield service, board
        finally:
            service.stop()
            board.stop()


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


def _place(phone: Phone, service: Service, board: Switchboard, application: Application, screen: Screen) -> str:
    headers = {"Authorization": f"Bearer {application.token()}"}
    screen.say(phone.pace.seconds(), "you", f"POST /call for {CALLEE}, PIN ••••")
    response = httpx.post(f"{service.url}/call", json=_request(board), headers=headers, timeout=30, trust_env=False)
    if response.status_code != 200:  # noqa: PLR2004 - the only good status
        msg = f"POST /call was answered {response.status_code}: {response.text}\n{service.printed()[-2000:]}"
        raise RuntimeError(msg)
    tid: str = response.json()["tid"]
    screen.say(phone.pace.seconds(), "service", f"answers you → 200, tid {tid}")
    return tid


def _judge(tid: str, callback: dict[str, Any], screen: Screen) -> int:
    fields = callback["fields"]
    # The receiver's line of the timeline is printed by another thread.
    time.sleep(0.1)
    screen.title("The callback that was received")
    for name, value in fields.items():
        screen.pair(name, value)
    screen.pair("webhook-id", callback["id"])
    screen.pair("signature", {True: "verified", False: "WRONG", None: "not checked"}[callback["verified"]])
    expected = {"tid": tid, "to": CALLEE, "status": "ok", "reason": "pin_matched", "attempts": "2"}
    wrong = [
        f"{name} is {fields.get(name)}, not {value}" for name, value in expected.items() if fields.get(name) != value
    ]
    if callback["verified"] is not True:
        wrong.append("the signature is not verified")
    if callback["id"] != tid:
        wrong.append("webhook-id is not the tid")
    if wrong:
        return _failed(screen, "; ".join(wrong))
    print(screen.colour("\nThe right person picked up.", "32"), flush=True)
    return 0


def _failed(screen: Screen, reason: str) -> int:
    print(screen.colour(f"\nFailed: {reason}", "31"), flush=True)
    return 1
