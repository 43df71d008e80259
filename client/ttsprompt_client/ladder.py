"""An escalation list: one person after the other is phoned, until enough have said ok.

The keys of a run's calls follow from its id and a person's place in the list. So the same command with the same id
phones nobody again: it walks over what has been, by the service's records, and goes on where the run stopped. Nothing
is kept on this machine.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ttsprompt_client.client import Client
from ttsprompt_client.errors import Fault, InterruptedCall, NotPlacedError, UnclearError, UsageError
from ttsprompt_client.outcome import Call, Outcome
from ttsprompt_client.settings import shown_variable

RUN_ID: Final = re.compile(r"[A-Za-z0-9._:/=@+-]{1,200}", re.ASCII)
_PERSONS_FIELDS: Final = frozenset({"to", "pin_code"})
_PERSONS_FAULTS: Final = frozenset({("from", "same_number"), ("reject_code", "prefix_of_pin")})
"""Of two fields that do not go together, the service names the one that is everybody's."""

_ENTRIES: Final = frozenset({"name", "to", "pin_code", "pin_env"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the list."""

    name: str
    to: str = field(repr=False)
    pin_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rung:
    """What came of one person: an outcome, that nobody was phoned, or that it is unclear. `position` counts from 1."""

    position: int
    person: Person
    tid: str | None = None
    outcome: Outcome | None = None
    not_placed: NotPlacedError | None = None
    unclear: UnclearError | None = None


def rung_key(run: str, position: int) -> str:
    """Return the idempotency key of a run's call to the person at a position."""
    return f"ladder:{run}:{position}"


def read_people(path: Path, environment: Mapping[str, str]) -> list[Person]:
    """Return the people of a TOML file, in order; PINs may stand in the environment.

    Raises:
        UsageError: with everything that is wrong with it. Nobody has been phoned then.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    entries = document.get("person")
    if set(document) != {"person"} or not isinstance(entries, list) or not entries:
        raise UsageError(f"{path} must hold one [[person]] or more, with name, to, and pin_code or pin_env.")
    faults: list[str] = []
    people = [_person(entry, f"person {n}", environment, faults) for n, entry in enumerate(entries, 1)]
    if faults:
        raise UsageError(f"{path}: " + "; ".join(faults) + ".")
    return people


def _person(entry: Any, where: str, environment: Mapping[str, str], faults: list[str]) -> Person:
    if not isinstance(entry, dict):
        faults.append(f"{where} is no table")
        return Person("", "", "")
    values = {name: value for name, value in entry.items() if name in _ENTRIES}
    faults += [f"{where} has an unknown entry {name!r}" for name in entry if name not in _ENTRIES]
    for name, value in values.items():
        if not isinstance(value, str) or not value:
            faults.append(f"{where}: {name} must be text in quotes")
    faults += [f"{where} has no {name}" for name in ("name", "to") if name not in values]
    if ("pin_code" in values) == ("pin_env" in values):
        faults.append(f"{where} must have either pin_code or pin_env")
    pin_env = str(values.get("pin_env", ""))
    if pin_env and not environment.get(pin_env):
        faults.append(f"{where}: {shown_variable(pin_env)}, its pin_env, is not set")
    pin = str(values.get("pin_code", "")) or environment.get(pin_env, "")
    return Person(str(values.get("name", "")), str(values.get("to", "")), pin)


def check_run(run: str, need: int, people: Sequence[Person]) -> None:
    """Check what `climb` is asked for.

    Raises:
        UsageError: the id cannot be part of a key, or there are too few people.
    """
    if not RUN_ID.fullmatch(run):
        raise UsageError("A run's id has 1 to 200 letters, digits and . _ : / = @ + -")
    if not 1 <= need <= len(people):
        raise UsageError(f"{need} cannot say ok out of {len(people)}.")


def climb(
    client: Client,
    people: Sequence[Person],
    fields: Mapping[str, Any],
    *,
    run: str,
    need: int = 1,
    timeout_s: float | None = None,
    on_person: Callable[[int, Person], Callable[[Call], None] | None] = lambda _position, _person: None,
    on_rung: Callable[[Rung], None] = lambda _rung: None,
) -> list[Rung]:
    """Phone one person after the other until `need` of them have said ok; return what came of each that was asked.

    The next one is phoned only when it is certain how the call before has ended, or that there was none. If the climb
    stopped early, its last rung is unclear, or refused for a reason that holds for everybody.

    Args:
        client: places the calls.
        people: in order.
        fields: what all requests have in common.
        run: its id. The same id with the same people and fields goes on where it stopped.
        need: how many have to say ok.
        timeout_s: seconds to wait for each outcome; then it is unclear.
        on_person: called before each person; returns what is to be told of news of the call.
        on_rung: called with each rung as soon as it is known.

    Raises:
        UsageError: nothing was sent.
        InterruptedCall: Ctrl-C.
    """
    check_run(run, need, people)
    rungs: list[Rung] = []
    for position, person in enumerate(people, 1):
        rung = _step(client, position, person, fields, run, timeout_s, on_person(position, person))
        rungs.append(rung)
        on_rung(rung)
        if rung.unclear is not None or (rung.not_placed is not None and holds_for_everybody(rung.not_placed)):
            break
        if sum(r.outcome is not None and r.outcome.is_ok for r in rungs) >= need:
            break
    return rungs


def _step(
    client: Client,
    position: int,
    person: Person,
    fields: Mapping[str, Any],
    run: str,
    timeout_s: float | None,
    on_change: Callable[[Call], None] | None,
) -> Rung:
    tid = None
    key = rung_key(run, position)
    try:
        # An unclear answer is not followed here: it stops the run, and the same id follows the call then.
        tid = client.place(idempotency_key=key, **{**fields, "to": person.to, "pin_code": person.pin_code}).tid
        return Rung(position, person, tid, client.wait(tid, timeout_s=timeout_s, on_change=on_change))
    except NotPlacedError as error:
        return Rung(position, person, not_placed=error)
    except UnclearError as error:
        return Rung(position, person, error.tid, unclear=error)
    except InterruptedCall as interrupt:
        # With the key of a rung a person can do nothing; with the run's id they can.
        raise InterruptedCall(sent=interrupt.sent, tid=interrupt.tid) from None
    except KeyboardInterrupt:
        raise InterruptedCall(sent=True, tid=tid) from None


def holds_for_everybody(error: NotPlacedError) -> bool:
    """Tell whether the next person would be refused for the same reason, or may not be asked for another.

    What comes of one number does not: its faults, its country or kind, or that it was called too often. A conflict of
    keys does: this run has phoned somebody at this place with another request.
    """
    if error.code in {"number_not_allowed", "country_not_allowed", "too_many_calls", "vendor_rate_limited"}:
        return False
    is_about_fields = error.code in {"invalid_fields", "vendor_refused"} and bool(error.faults)
    return not (is_about_fields and all(_is_of_a_person(fault) for fault in error.faults))


def _is_of_a_person(fault: Fault) -> bool:
    return fault.field in _PERSONS_FIELDS or (fault.field, fault.code) in _PERSONS_FAULTS
