"""`python -m devphone`: serve the phone, run the demo, or run it together with the service."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading

from devphone.app import Phone
from devphone.callee import parse_callee
from devphone.demo import DEMO_SPEED, SCRIPT, demo, run
from devphone.pace import Pace
from devphone.screen import Screen
from devphone.switchboard import Switchboard


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "demo":
        # Like Ctrl-C: the service is a process of its own and must not outlive the demo.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return demo(options.store, options.speed)
    if options.command == "run":
        return run(options.store, options.port, options.phone_port, options.callee, options.speed)
    return _serve(options)


def _serve(options: argparse.Namespace) -> int:
    phone = Phone(
        pace=Pace(options.speed),
        callee=parse_callee(options.callee),
        signature_secret=options.signature_secret,
        signing_secret=options.signing_secret,
        rate=options.rate,
    )
    screen = Screen()
    phone.timeline.listen(screen.show)
    board = Switchboard(phone, options.port)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    board.start()
    screen.pair("dev phone", board.url)
    stop.wait()
    board.stop()
    return 0


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devphone", description="A local stand-in for Vonage's Voice API.")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("demo", help="place one call to a scripted callee")
    shown.add_argument("--store", choices=["sqlite", "firestore"], default="sqlite")
    shown.add_argument("--speed", type=_speed, default=DEMO_SPEED)
    kept = commands.add_parser("run", help="keep the service and the phone running")
    kept.add_argument("--store", choices=["sqlite", "firestore"], default="sqlite")
    kept.add_argument("--port", type=int, default=8080)
    kept.add_argument("--phone-port", type=int, default=7000)
    kept.add_argument(
        "--callee", type=_script, default=SCRIPT, help="what is keyed at each question, or busy, no-answer, …"
    )
    kept.add_argument("--speed", type=_speed, default=1)
    served = commands.add_parser("serve", help="the phone alone")
    served.add_argument("--port", type=int, default=7000)
    served.add_argument("--callee", type=_script, default=SCRIPT)
    served.add_argument("--speed", type=_speed, default=1)
    served.add_argument("--rate", type=float, help="most new calls a second; above it 429")
    served.add_argument("--signature-secret", help="sign webhooks, as Vonage does with the account's secret")
    served.add_argument("--signing-secret", help="whsec_… to verify callbacks with")
    return parser


if __name__ == "__main__":
    sys.exit(main())
