"""`make run`: the real service and the dev phone until Ctrl-C; `serve`: the phone alone."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from devphone.callee.script import PickUp, parse_callee
from devphone.commands.demo import request
from devphone.commands.screen import Screen
from devphone.customer.desk import Desk
from devphone.happenings import Swept
from devphone.phone import Phone
from devphone.processes.emulator import EmulatorError
from devphone.processes.interrupts import pause
from devphone.processes.pair import Pair, make_phone, running_pair, sweep
from devphone.processes.service import Service, StartError, free_port
from devphone.processes.state import FOLDER, State, StateError, open_state
from devphone.processes.switchboard import Switchboard
from devphone.vendor.habits import Habit
from devphone.vendor.tokens import MAX_LIFE_S

SWEEP_EVERY_S: Final = 60
RETRY_SCHEDULE: Final = "10,20,30,60,300,3600"
"""Whoever watches does not want to wait long for a callback to be tried again."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`folder` keeps the application and its keys; `port` is the service's."""

    callee: str = PickUp.PERSON
    store: str = "sqlite"
    port: int = 8080
    phone_port: int = 7000
    speed: float = 1
    habits: Collection[Habit] = ()
    rate: float | None = None
    folder: Path = FOLDER


def run(options: RunOptions) -> int:
    """Keep the service and the phone running until Ctrl-C; return the exit code."""
    screen = Screen()
    screen.title("Set-up")
    try:
        state = open_state(options.folder)
        phone = _phone(state, options, screen)
        state.log.unlink(missing_ok=True)
        settings = {
            "CALL_STORE": f"sqlite:///{state.database}",
            "CALLBACK_RETRY_SCHEDULE": RETRY_SCHEDULE,
            "CALLBACK_SIGNING_SECRETS": state.identity.signing_secrets,
        }
        with running_pair(
            phone,
            options.store,
            port=options.port,
            phone_port=options.phone_port,
            settings=settings,
            log=state.log,
        ) as pair:
            screen.pairs(pair.facts() | {"service's log": state.log})
            return _keep_running(pair, screen, state)
    except (StateError, StartError, EmulatorError, RuntimeError) as error:
        return screen.failed(str(error))
    except KeyboardInterrupt:
        return 0


def serve(options: RunOptions) -> int:
    """Keep the phone alone running until Ctrl-C; return the exit code."""
    screen = Screen()
    try:
        state = open_state(options.folder)
        board = Switchboard(_phone(state, options, screen), options.phone_port or free_port())
        try:
            board.start()
            _show_keys(screen, state)
            screen.title("For your service, and for whoever calls it")
            identity = state.identity
            print(
                _exports(
                    _application(state)
                    | {
                        "VONAGE_API_URL": board.url,
                        "VONAGE_SIGNATURE_SECRET": identity.signature_secret,
                        "CALLBACK_SIGNING_SECRETS": identity.signing_secrets,
                        "ALLOW_PRIVATE_CALLBACKS": "true",
                    }
                ),
                flush=True,
            )
            screen.title(f"The phone:  {board.url}/")
            while True:
                pause(0.5)
        finally:
            board.stop()
    except (StateError, RuntimeError) as error:
        return screen.failed(str(error))
    except KeyboardInterrupt:
        return 0


def _phone(state: State, options: RunOptions, screen: Screen) -> Phone:
    phone = make_phone(
        state.identity.application,
        parse_callee(options.callee),
        options.speed,
        options.habits,
        signature_secret=state.identity.signature_secret,
        signing_secret=state.identity.signing_secret,
    )
    phone.behaviour.rate = options.rate
    phone.timeline.listen(screen.show)
    return phone


def _keep_running(pair: Pair, screen: Screen, state: State) -> int:
    """Sweep each minute, as Cloud Scheduler would, until the service ends; return the exit code."""
    with pair.sweeper() as sweeper:
        phone = pair.board.phone
        phone.open_desk(Desk(pair.service.url, f"{sweeper.url}/", state.identity.application.token))
        _show_the_way(pair, screen, state)
        next_sweep = time.monotonic() + SWEEP_EVERY_S
        while pair.service.is_running() and sweeper.is_running():
            pause(0.5)
            if time.monotonic() >= next_sweep:
                next_sweep += SWEEP_EVERY_S
                _sweep(sweeper, phone, screen)
    return screen.failed(f"the service has ended; {state.log} says more")


def _show_the_way(pair: Pair, screen: Screen, state: State) -> None:
    phone, identity = pair.board.phone, state.identity
    is_person = phone.directory.everybody.pick_up is PickUp.PERSON
    screen.pair("calls", "ring on the page" if is_person else "are played by the script")
    _show_keys(screen, state)
    token = identity.application.token(MAX_LIFE_S)
    screen.title("For your own programs")
    print(
        _exports(
            {"TTSPROMPT_URL": pair.service.url}
            | _application(state)
            | {"TTSPROMPT_TOKEN": token, "TTSPROMPT_SIGNING_SECRET": identity.signing_secret}
            | {"TTSPROMPT_PUBLIC_KEY": identity.public_key}
        )
    )
    screen.title("Ring it from another shell, and wait for the outcome")
    print(_client_command(pair, state))
    screen.title("By hand, for a day")
    print(
        f"curl -X POST {pair.service.url}/call -H 'Content-Type: application/json' \\\n"
        f"  -H 'Authorization: Bearer {token}' \\\n  -d {shlex.quote(json.dumps(request(pair.board)))}",
        flush=True,
    )
    screen.title(f"Running until Ctrl-C. Open the phone:  {pair.board.url}/")


def _client_command(pair: Pair, state: State) -> str:
    """Return one line that places a call with the client: as make has installed it, or as it is called elsewhere."""
    program = Path(sys.executable).with_name("ttsprompt")
    settings = {"TTSPROMPT_URL": pair.service.url} | _application(state)
    fields = request(pair.board)
    asked = ["--to", fields["to"], "--from", fields["from"], "--text", fields["text"], "--pin", fields["pin_code"]]
    command = [str(program) if program.exists() else program.name, "call", *asked, "--wait"]
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in settings.items()), shlex.join(command)])


def _show_keys(screen: Screen, state: State) -> None:
    identity = state.identity
    screen.title(f"The application, the same at each start ({state.folder})")
    screen.pair("application id", identity.application.id)
    screen.pair("private key", state.key_file)
    screen.pair("signs webhooks", identity.signature_secret)
    screen.pair("signs callbacks", identity.signing_secrets)
    screen.pair("verifies them", identity.public_key)


def _application(state: State) -> dict[str, str]:
    return {"VONAGE_APPLICATION_ID": state.identity.application.id, "VONAGE_PRIVATE_KEY": str(state.key_file)}


def _exports(values: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


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
