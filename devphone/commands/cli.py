"""The command line: serve the phone, run the demo, or run it together with the service."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from devphone.callee.numbers import CALLEE, CALLER, PIN
from devphone.callee.script import PickUp, parse_callee
from devphone.commands.demo import DEMO_SPEED, SCRIPT, demo
from devphone.commands.load import add_load_parser
from devphone.commands.one_call import WAIT_S, Options, call
from devphone.commands.run import RunOptions, run, serve
from devphone.processes.interrupts import interrupt_once
from devphone.processes.state import FOLDER
from devphone.vendor.habits import Habit


def main(arguments: list[str] | None = None) -> int:
    """Run a command, `run` when none is named; return the exit code."""
    parser = _parser()
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(given or ["run"])
    if options.command == "call" and (options.service is None) != (options.phone is None):
        parser.error("--service and --phone go together")
    # The service and the emulator are processes of their own and must not outlive us.
    interrupt_once()
    run_command: Callable[[argparse.Namespace], int] = options.run_command
    return run_command(options)


def _demo(options: argparse.Namespace) -> int:
    return demo(options.store, options.speed)


def _run(options: argparse.Namespace) -> int:
    return run(
        RunOptions(
            callee=options.callee,
            store=options.store,
            port=options.port,
            phone_port=options.phone_port,
            speed=options.speed,
            habits=options.habit,
            rate=options.rate,
            folder=options.state,
        )
    )


def _serve(options: argparse.Namespace) -> int:
    return serve(
        RunOptions(
            callee=options.callee,
            phone_port=options.port,
            speed=options.speed,
            habits=options.habit,
            rate=options.rate,
            folder=options.state,
        )
    )


def _call(options: argparse.Namespace) -> int:
    fields = {"to": options.to, "from": options.from_, "text": options.text, "pin_code": options.pin}
    return call(
        Options(
            fields=fields | dict(options.field),
            callee=options.callee,
            service=options.service,
            phone=options.phone,
            store=options.store,
            speed=options.speed,
            wait_s=options.wait,
            as_json=options.json,
        )
    )


def _speed(text: str) -> float:
    speed = float(text)
    if not (speed > 0 and math.isfinite(speed)):
        msg = "must be above 0"
        raise argparse.ArgumentTypeError(msg)
    return speed


def _script(text: str) -> str:
    try:
        parse_callee(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("give NAME=VALUE")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devphone", description="A local stand-in for Vonage's Voice API.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("demo", help="place one call to a scripted callee")
    shown.set_defaults(run_command=_demo)
    _add_store(shown, DEMO_SPEED)
    kept = commands.add_parser("run", help="keep the service and the phone running")
    kept.set_defaults(run_command=_run)
    _add_store(kept, 1)
    kept.add_argument("--port", type=int, default=8080, help="where the service listens; 0: any free port")
    kept.add_argument("--phone-port", type=int, default=7000, help="where the phone and its page listen")
    _add_vonage(kept, PickUp.PERSON)
    _add_call(commands.add_parser("call", help="place one call, and show what happens and the callback"))
    served = commands.add_parser("serve", help="the phone alone, for a service that you start")
    served.set_defaults(run_command=_serve)
    served.add_argument("--port", type=int, default=7000, help="where the phone and its page listen; 0: any free port")
    served.add_argument("--speed", type=_speed, default=1, help="telephone seconds in a real one")
    _add_vonage(served, SCRIPT)
    add_load_parser(commands)
    return parser


def _add_store(parser: argparse.ArgumentParser, speed: float) -> None:
    parser.add_argument("--store", choices=["sqlite", "firestore"], default="sqlite")
    parser.add_argument("--speed", type=_speed, default=speed, help="telephone seconds in a real one")


def _add_vonage(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--callee",
        type=_script,
        default=default,
        help=f"what is keyed at each question; or person (at the page), busy, no-answer, …; default: {default}",
    )
    parser.add_argument(
        "--habit", type=Habit, choices=list(Habit), action="append", default=[], help="what Vonage leaves open"
    )
    parser.add_argument("--rate", type=_speed, help="most new calls a second; above it 429")
    parser.add_argument(
        "--state", type=Path, default=FOLDER, metavar="FOLDER", help=f"keeps the application's keys; default: {FOLDER}"
    )


def _add_call(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run_command=_call)
    _add_store(parser, DEMO_SPEED)
    parser.add_argument("--to", default=CALLEE, help="any number; test numbers have a callee of their own")
    parser.add_argument("--from", dest="from_", metavar="FROM", default=CALLER)
    parser.add_argument("--pin", default=PIN)
    parser.add_argument("--text", default="Hello. Please enter your PIN.")
    parser.add_argument("--callee", type=_script, help="what is keyed at each question, or busy, no-answer, …")
    parser.add_argument(
        "--field", type=_field, action="append", default=[], metavar="NAME=VALUE", help="any other field of POST /call"
    )
    parser.add_argument("--service", metavar="URL", help="a running service; needs --phone")
    parser.add_argument("--phone", metavar="URL", help="the running phone beside it")
    parser.add_argument("--wait", type=_speed, default=WAIT_S, metavar="SECONDS", help="for the callback")
    parser.add_argument("--json", action="store_true", help="for scripts")
