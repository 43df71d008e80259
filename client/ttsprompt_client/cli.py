"""The command `ttsprompt`: its options, and how it ends."""

from __future__ import annotations

import argparse
import math
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from ttsprompt_client import commands, doctor
from ttsprompt_client.console import Console
from ttsprompt_client.errors import InterruptedCall, RefusedError, UnclearError, UsageError, VerificationError
from ttsprompt_client.exits import Exit
from ttsprompt_client.fields import FIELDS, Field
from ttsprompt_client.settings import NAMES
from ttsprompt_client.verification import TOLERANCE_S

_OPTION: Final = re.compile(r"--?[a-z][a-z-]*(?=$|=)", re.ASCII)

EPILOG: Final = "Exit codes: 0 ok, 1 failed, 2 error, 3 not placed (nobody was phoned), 4 unclear, 64 usage."


def run() -> NoReturn:
    """Run the command of this process's arguments, and exit."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _interrupt)
    sys.exit(main())


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C, of a type of its own.

    After one of exactly KeyboardInterrupt's that passed through `exec` (as in an import), Python ends by the signal,
    even though it was caught, and the exit code would be lost.
    """


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise _Interrupted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    options: argparse.Namespace | None = None
    try:
        options = _parser().parse_args(arguments)
        console = Console(options.json, options.quiet)
        return int(options.run_command(options, console))
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    except (UsageError, RefusedError, UnclearError, VerificationError) as error:
        # Ctrl-C ends what is written; what it says is true all the same.
        with suppress(KeyboardInterrupt):
            commands.tell(error, Console(options is not None and options.json))
        return commands.exit_of(error)
    except Exception:  # noqa: BLE001 - whatever it is
        # Not with 1, which Python would take: that says that somebody picked up.
        with suppress(KeyboardInterrupt):
            Console(as_json=False).complain(f"This is a fault of ttsprompt itself.\n{traceback.format_exc()}")
        return Exit.UNCLEAR


def _interrupted(interrupt: KeyboardInterrupt) -> Exit:
    console = Console(as_json=False)
    if not isinstance(interrupt, InterruptedCall) or not interrupt.sent:
        console.complain("Interrupted; no call was under way.")
        return Exit.NOT_PLACED
    with suppress(KeyboardInterrupt):
        console.complain(
            "Interrupted; the call goes on." if interrupt.tid else "Interrupted; somebody may have been phoned."
        )
        commands.show_the_way(console, interrupt.tid, interrupt.idempotency_key)
    return Exit.UNCLEAR


class _Parser(argparse.ArgumentParser):
    """Ends with our exit code, and takes no shortened options: a later one may begin in the same way."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"allow_abbrev": False, "epilog": EPILOG, **options})  # type: ignore[arg-type]

    def parse_args(self, *given: Any, **options: Any) -> Any:
        """Name no more than options: what is left over may be a PIN, or a whole private key."""
        known, left_over = self.parse_known_args(*given, **options)
        if left_over:
            named = [found[0] for found in map(_OPTION.match, left_over) if found]
            self.error(f"unknown: {', '.join(named) or 'an argument that is not an option'}")
        return known

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # The library quotes what was given, which may be a PIN that got into another place.
        told = re.sub(r"(invalid choice|ignored explicit argument)\b.*", r"\1", message, flags=re.DOTALL)
        self.exit(Exit.USAGE, f"{self.prog}: {told}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ttsprompt", description="Phone a person, ask for a PIN, and get the outcome.")
    found = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    call = _command(found, "call", "phone somebody once; prints the tid, then with --wait the outcome as JSON")
    call.set_defaults(run_command=commands.call)
    _add_fields(call, required=True)
    call.add_argument("--idempotency-key", metavar="KEY", help="the same key with the same request phones once")
    _add_wait(call)

    status = _command(found, "status", "show how a call stands")
    status.set_defaults(run_command=commands.status)
    status.add_argument("tid", metavar="TID")
    _add_wait(status)

    cancel = _command(found, "cancel", "have a call end; exits with 0 if the service took it")
    cancel.set_defaults(run_command=commands.cancel)
    cancel.add_argument("tid", metavar="TID")

    ladder = _command(found, "ladder", "phone one person after the other until enough have said ok")
    ladder.set_defaults(run_command=commands.ladder)
    ladder.add_argument("people", type=Path, metavar="people.toml", help="[[person]] name, to, pin_code or pin_env")
    _add_fields(ladder, required=True, without={"to", "pin_code"})
    ladder.add_argument("--need", type=_count, default=1, metavar="N", help="how many have to say ok; default 1")
    ladder.add_argument("--run", metavar="ID", help="go on with the run of this id; or name a new one")
    _add_timeout(ladder, "seconds to wait for each outcome; default: as long as it takes")

    verify = _command(
        found, "verify", "check the signature of a callback; exits with 0 if it is good, else 1", apart=True
    )
    verify.set_defaults(run_command=commands.verify)
    verify.add_argument("--key", action="append", default=[], metavar="whpk_…|whsec_…", help="may be repeated")
    verify.add_argument("--headers", type=Path, metavar="FILE", help="the headers; default: a whole request on stdin")
    verify.add_argument(
        "--body", type=Path, metavar="FILE", help="the exact body, or a GET's query string; with --headers"
    )
    verify.add_argument(
        "--tolerance", type=_seconds, default=TOLERANCE_S, metavar="SECONDS", help="how old it may be; default 300"
    )

    doctor_ = _command(found, "doctor", "show what is set, and what Vonage thinks of the token; phones nobody")
    doctor_.set_defaults(run_command=commands.doctor)
    doctor_.add_argument("--to", default=doctor.TO, help="a number you would call")
    doctor_.add_argument("--from", dest="from_", default=doctor.FROM, help="your Vonage number")
    return parser


def _command(
    found: argparse._SubParsersAction[_Parser], name: str, description: str, *, apart: bool = False
) -> argparse.ArgumentParser:
    parser = found.add_parser(name, help=description, description=description)
    parser.add_argument("--json", action="store_true", help="results as JSON, for programs")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    if not apart:
        service = parser.add_argument_group("settings")
        for setting, variable in NAMES.items():
            option = "--" + setting.replace("_", "-")
            service.add_argument(option, metavar=variable, help=f"default: {variable} of the environment")
    return parser


def _add_fields(
    parser: argparse.ArgumentParser, *, required: bool, without: frozenset[str] | set[str] = frozenset()
) -> None:
    group = parser.add_argument_group("the request")
    for field in FIELDS:
        if field.name in without:
            continue
        if field.name == "pin_code":
            pin = group.add_mutually_exclusive_group(required=required)
            pin.add_argument("--pin", "--pin-code", dest=field.argument, metavar="DIGITS", help=field.help)
            pin.add_argument("--pin-env", metavar="NAME", help="the environment variable that holds them")
        else:
            _add_field(group, field, required=required and field.required)


def _add_field(group: argparse._ArgumentGroup, field: Field, *, required: bool) -> None:
    if field.kind is bool:
        group.add_argument(
            field.option, dest=field.argument, action=argparse.BooleanOptionalAction, default=None, help=field.help
        )
        return
    words = "|".join(field.choices) or ("N" if field.kind is int else field.name.upper())
    kind = _whole_number if field.kind is int else str
    group.add_argument(field.option, dest=field.argument, type=kind, metavar=words, required=required, help=field.help)


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait for the outcome")
    _add_timeout(parser, "with --wait: give up waiting after so long; default: as long as it takes")


def _add_timeout(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help=words)


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)


def _count(text: str) -> int:
    number = _whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (seconds >= 0 and math.isfinite(seconds)):
        raise argparse.ArgumentTypeError("must be a number of seconds")
    return seconds
