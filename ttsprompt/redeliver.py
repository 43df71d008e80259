"""`python -m ttsprompt.redeliver`: ask for many outcomes to be told again, from the operator's machine.

Reads the settings that name the store from the environment, as the service does (docs/operations.md).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from ttsprompt.bootstrap import Parts, SystemClock, open_stores
from ttsprompt.config import Settings, SettingsError, load_settings
from ttsprompt.domain.model import DeliveryState
from ttsprompt.errors import StoreUnavailableError
from ttsprompt.net.callback_url import parse_callback_url
from ttsprompt.service.redelivery import Redelivery, Selection

STATES: Final = {
    "undeliverable": frozenset({DeliveryState.UNDELIVERABLE}),
    "pending": frozenset({DeliveryState.PENDING}),
    "all": frozenset({DeliveryState.UNDELIVERABLE, DeliveryState.PENDING, DeliveryState.DELIVERED}),
}


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ, parts: Parts = Parts()) -> int:
    """Run once; return 0 if all was asked for, 1 if the run is to go on later, 2 if it cannot begin."""
    clock = parts.clock or SystemClock()
    parser = _parser()
    given = parser.parse_args(arguments)
    now = clock.now()
    run = given.run or now
    if run > now:
        parser.error(f"--run {_text(run)} is in the future: is this machine's clock right?")
    if given.since >= given.until:
        parser.error("--since must be before --until")
    if not environ.get("CALL_STORE"):
        parser.error("CALL_STORE must be set in the environment, so that the right store is asked (firestore)")
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        parser.error(str(error))
    selection = Selection(run, given.since, given.until, STATES[given.state], given.host)
    print(f"Run {_text(run)} on {_store(settings)}. To go on with it later: the same command with --run {_text(run)}")
    store = parts.store or open_stores(settings)[0]
    redelivery = Redelivery(store=store, clock=clock, policy=settings.policy)
    try:
        counts = redelivery.run(selection, dry_run=given.dry_run)
    except StoreUnavailableError:
        print(f"The store does not answer. Go on later with --run {_text(run)}", file=sys.stderr)
        return 1
    for name, count in counts.items():
        print(f"{name} {count}")
    if counts["failed"] or counts["too_soon"]:
        print(f"Some are left. Go on in a minute with --run {_text(run)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ttsprompt.redeliver", description=__doc__)
    parser.add_argument("--since", type=_time, required=True, help="calls settled from then on: 2026-11-27T03:00Z")
    parser.add_argument("--until", type=_time, required=True, help="and before then")
    parser.add_argument("--host", type=_host, help="callbacks to this host alone")
    parser.add_argument(
        "--state", choices=STATES, default="undeliverable", help="of the delivery; default: %(default)s"
    )
    parser.add_argument("--run", type=_time, help="when the run began that is to go on")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    return parser


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        msg = "must be a time with its zone, such as 2026-11-27T03:00Z"
        raise argparse.ArgumentTypeError(msg)
    return time.astimezone(UTC)


def _host(text: str) -> str:
    url = parse_callback_url(f"https://{text}/")
    if url is None or url.port is not None or url.path != "/":
        msg = "must be a host's name or address, such as receiver.example"
        raise argparse.ArgumentTypeError(msg)
    return url.host


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _store(settings: Settings) -> str:
    if settings.call_store != "firestore":
        return settings.call_store
    project = settings.google_cloud_project or "the machine's project"
    return f"Firestore: {project}, {settings.firestore_database}, {settings.firestore_collection}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
