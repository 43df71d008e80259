"""What each command does. Each returns its exit code; expected errors are raised, and told in `tell`."""

from __future__ import annotations

import os
import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ttsprompt_client import doctor as examination
from ttsprompt_client import ladder as escalation
from ttsprompt_client import words
from ttsprompt_client.captured import MAX_BYTES, read_head, read_request
from ttsprompt_client.client import Client
from ttsprompt_client.console import Console
from ttsprompt_client.errors import (
    ClientError,
    InterruptedCall,
    RefusedError,
    UnclearError,
    UsageError,
    VerificationError,
)
from ttsprompt_client.exits import Exit, of_outcome
from ttsprompt_client.fields import FIELDS
from ttsprompt_client.outcome import Call
from ttsprompt_client.settings import Settings, read_settings, shown_variable
from ttsprompt_client.verification import verify as verify_callback


def call(options: Namespace, console: Console) -> Exit:
    """Phone somebody once."""
    _check_timeout(options)
    fields = _fields(options)
    if fields.pop("dry_run", False):
        answer = _settings(options).client(without_credential=True).dry_run(**fields)
        console.result(answer)
        code, told = _judged_dry(answer)
        (console.say if code is Exit.OK else console.complain)(told)
        return code
    client = _settings(options).client()
    key = str(uuid.uuid4()) if options.idempotency_key is None else options.idempotency_key
    unclear: UnclearError | None = None
    with _about(None, key):
        try:
            tid = client.place(idempotency_key=key, **fields).tid
        except UnclearError as error:
            if error.tid is None:
                raise
            tid, unclear = error.tid, error
    # A terminal that was stopped with Ctrl-S holds each line up.
    with _about(tid):
        if not (console.as_json and options.wait):
            console.result({"tid": tid}, tid)
        if unclear is not None:
            console.complain(unclear.detail)
        if not options.wait:
            if unclear is None:
                return Exit.OK
            show_the_way(console, tid, None)
            return Exit.UNCLEAR
        console.say(f"tid {tid}")
        return _follow(client, tid, options, console)


def status(options: Namespace, console: Console) -> Exit:
    """Show how a call stands; without an outcome that is unclear."""
    _check_timeout(options)
    with _about(options.tid):
        client = _settings(options).client()
        if options.wait:
            try:
                return _follow(client, options.tid, options, console)
            except UnclearError as error:
                if isinstance(error.__cause__, RefusedError) and error.__cause__.code == "not_found":
                    raise error.__cause__ from None
                raise
        found = client.status(options.tid)
        _show(found, console)
    return Exit.UNCLEAR if found.outcome is None else of_outcome(found.outcome)


def cancel(options: Namespace, console: Console) -> Exit:
    """Have a call end."""
    with _about(options.tid):
        client = _settings(options).client()
        _show(client.cancel(options.tid), console)
    return Exit.OK


@contextmanager
def _about(tid: str | None, key: str | None = None) -> Iterator[None]:
    """Let Ctrl-C, and no answer, say of which call nothing is known then."""
    try:
        yield
    except InterruptedCall:
        raise
    except RefusedError as error:
        if tid is None or error.code == "not_found":
            raise
        raise UnclearError(words.refused(error), tid=tid) from error
    except KeyboardInterrupt:
        raise InterruptedCall(sent=True, tid=tid, idempotency_key=key) from None


def verify(options: Namespace, console: Console) -> Exit:
    """Check a callback's signature."""
    if not options.key:
        raise UsageError("A key is needed: --key whpk_… (GET / of the service shows it), or --key whsec_….")
    if options.body is not None and options.headers is None:
        raise UsageError("--body goes with --headers.")
    if options.headers is None:
        captured = read_request(_read(None))
        content = captured.content
    else:
        captured = read_head(_read(options.headers))
        content = captured.content if options.body is None else _read(options.body)
    outcome = verify_callback(captured.headers, content, options.key, tolerance_s=options.tolerance)
    console.result(outcome.as_json())
    console.say(f"The signature is good. {words.outcome(outcome)}")
    return Exit.OK


def ladder(options: Namespace, console: Console) -> Exit:
    """Phone one person after the other until enough have said ok."""
    people = escalation.read_people(options.people, os.environ)
    fields = _fields(options)
    run = str(uuid.uuid4()) if options.run is None else options.run
    if fields.pop("dry_run", False):
        return _dry_ladder(_settings(options).client(without_credential=True), people, fields, console)
    escalation.check_run(run, options.need, people)
    client = _settings(options).client()
    console.result({"run": run}, run)
    known: list[escalation.Rung] = []

    def on_person(position: int, person: escalation.Person) -> Callable[[Call], None] | None:
        console.say(f"{position} {person.name}")
        return _narrator(console, "  ")

    def on_rung(rung: escalation.Rung) -> None:
        known.append(rung)
        console.result(_rung_json(rung), f"{rung.position} {rung.person.name}: {_rung_words(rung)}")

    try:
        rungs = escalation.climb(
            client,
            people,
            fields,
            run=run,
            need=options.need,
            timeout_s=options.timeout,
            on_person=on_person,
            on_rung=on_rung,
        )
    except KeyboardInterrupt as interrupt:
        # A second one ends what is written, not what is known.
        with suppress(KeyboardInterrupt):
            console.complain(f"The same command with --run {run} goes on from here.")
        is_under_way = isinstance(interrupt, InterruptedCall) and interrupt.sent
        if is_under_way or not known:
            raise
        if known[-1].unclear is not None:
            raise InterruptedCall(sent=True, tid=known[-1].tid) from None
        rungs = known
    confirmed = [rung.person.name for rung in rungs if rung.outcome is not None and rung.outcome.is_ok]
    code = _ladder_exit(rungs, options.need)
    with suppress(KeyboardInterrupt):
        if code is Exit.UNCLEAR:
            console.complain(
                f"Stopped, as it is not clear how this call ended. The same command with --run {run} goes on."
            )
        if console.as_json:
            console.result({"run": run, "need": options.need, "confirmed": confirmed, "exit_code": int(code)})
    return code


def doctor(options: Namespace, console: Console) -> Exit:
    """Show what is set, and what Vonage thinks of the token."""
    marks = {True: "ok", False: "FAULT", None: "?"}
    findings = []
    for finding in examination.examine(_settings(options), options.to, options.from_):
        findings.append(finding)
        if not console.as_json:
            console.result({}, f"{marks[finding.is_well]:6}{finding.name}: {finding.detail}")
    is_well = all(finding.is_well is not False for finding in findings)
    if console.as_json:
        console.result({"ok": is_well, "findings": [finding.as_json() for finding in findings]})
    return Exit.OK if is_well else Exit.NOT_PLACED


def exit_of(error: ClientError) -> Exit:
    """Return the exit code of an error."""
    match error:
        case UnclearError():
            return Exit.UNCLEAR
        case VerificationError():
            return Exit.FAILED
        case RefusedError():
            return Exit.NOT_PLACED
        case _:
            return Exit.USAGE


def tell(error: ClientError, console: Console) -> None:
    """Say what went wrong."""
    if isinstance(error, UnclearError):
        if console.as_json:
            known = {"tid": error.tid, "idempotency_key": error.idempotency_key}
            console.result({"error": "unclear", "detail": error.detail, **{n: v for n, v in known.items() if v}})
        console.complain(error.detail)
        show_the_way(console, error.tid, error.idempotency_key)
        return
    code, text = getattr(error, "code", "usage"), error.detail
    if isinstance(error, RefusedError):
        text = words.refused(error)
    if console.as_json:
        faults = [{"field": f.field, "code": f.code, "message": f.message} for f in getattr(error, "faults", ())]
        console.result({"error": code, "detail": error.detail, **({"errors": faults} if faults else {})})
    console.complain(text)


def show_the_way(console: Console, tid: str | None, key: str | None) -> None:
    """Tell how an unclear call is followed."""
    if tid is not None:
        console.complain(f"Follow it with: ttsprompt status {tid} --wait")
    elif key is not None:
        console.complain(f"The same command with --idempotency-key {key} asks again, and phones nobody twice.")


def _follow(client: Client, tid: str, options: Namespace, console: Console) -> Exit:
    outcome = client.wait(tid, timeout_s=options.timeout, on_change=_narrator(console))
    console.result(outcome.as_json())
    console.say(words.outcome(outcome))
    return of_outcome(outcome)


def _check_timeout(options: Namespace) -> None:
    if options.timeout is not None and not options.wait:
        raise UsageError("--timeout goes with --wait: it ends the waiting, not the call.")


def _narrator(console: Console, indent: str = "") -> words.Narrator | None:
    """Return what tells of a call's news; None if nobody listens: then one request waits as long as it may."""
    return None if console.is_quiet else words.Narrator(lambda text: console.say(f"{indent}{text}"))


def _show(found: Call, console: Console) -> None:
    lines = [f"tid     {found.tid}", f"state   {found.state}"]
    if found.outcome is not None:
        lines.append(f"outcome {words.outcome(found.outcome)}")
    told = ((line.get("at", ""), words.event(line)) for line in found.timeline)
    lines += [f"        {at} {text}" for at, text in told if text is not None]
    console.result(dict(found.body), "\n".join(lines))


def _settings(options: Namespace) -> Settings:
    return read_settings(vars(options), os.environ)


def _fields(options: Namespace) -> dict[str, Any]:
    """Return the request's fields that were given."""
    given = {field.argument: getattr(options, field.argument, None) for field in FIELDS}
    pin_env = getattr(options, "pin_env", None)
    if pin_env is not None:
        given["pin_code"] = os.environ.get(pin_env)
        if not given["pin_code"]:
            raise UsageError(f"{shown_variable(pin_env)}, named by --pin-env, is not set.")
    return {name: value for name, value in given.items() if value is not None}


def _read(path: Path | None) -> bytes:
    try:
        if path is None and sys.stdin is None:  # it was closed when the process began
            raise UsageError("stdin is closed; --headers and --body read files.")
        if path is None:
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path or 'stdin'} cannot be read: {error.strerror}.") from None
    if len(raw) > MAX_BYTES:
        raise VerificationError("unreadable", "This is longer than any callback.")
    return raw


def _dry_ladder(client: Client, people: list[escalation.Person], fields: dict[str, Any], console: Console) -> Exit:
    """Ask what each person's call would come to."""
    code = Exit.OK
    for position, person in enumerate(people, 1):
        shown = {"position": position, "name": person.name}
        try:
            answer = client.dry_run(**{**fields, "to": person.to, "pin_code": person.pin_code})
        except RefusedError as error:
            code = Exit.NOT_PLACED
            console.result({**shown, "error": error.code}, f"{position} {person.name}: {words.refused(error)}")
        else:
            judged, told = _judged_dry(answer)
            code = max(code, judged)
            console.result({**shown, **answer}, f"{position} {person.name}: {told}")
    return code


def _judged_dry(answer: Mapping[str, Any]) -> tuple[Exit, str]:
    """Return what the real request would come to."""
    credential = answer.get("credential")
    verdict = f"; credential: {examination.VERDICTS.get(str(credential), credential)}"
    if credential == "refused":
        return Exit.NOT_PLACED, f"would not be phoned{verdict}"
    return Exit.OK, f"would be phoned{verdict if credential == 'unknown' else ''}{words.warnings(answer)}"


def _ladder_exit(rungs: list[escalation.Rung], need: int) -> Exit:
    outcomes = [rung.outcome for rung in rungs if rung.outcome is not None]
    if sum(outcome.is_ok for outcome in outcomes) >= need:
        return Exit.OK
    if rungs[-1].unclear is not None:
        return Exit.UNCLEAR
    if not outcomes:
        return Exit.NOT_PLACED
    # Never "nobody was phoned" when somebody was, whatever kept the others from it.
    short = [outcome for outcome in outcomes if not outcome.is_ok]
    return of_outcome(short[-1]) if short else Exit.ERROR


def _rung_words(rung: escalation.Rung) -> str:
    if rung.outcome is not None:
        return words.outcome(rung.outcome)
    if rung.not_placed is not None:
        changed = " Has the list or the request changed since this run began?"
        is_conflict = rung.not_placed.code == "idempotency_conflict"
        return f"not phoned: {words.refused(rung.not_placed)}{changed if is_conflict else ''}"
    where = "" if rung.tid is None else f" (tid {rung.tid})"
    return f"unclear: {rung.unclear.detail if rung.unclear else ''}{where}"


def _rung_json(rung: escalation.Rung) -> dict[str, Any]:
    shown: dict[str, Any] = {"position": rung.position, "name": rung.person.name}
    if rung.outcome is not None:
        return shown | rung.outcome.as_json()
    if rung.not_placed is not None:
        return shown | {"error": rung.not_placed.code, "detail": rung.not_placed.detail}
    return shown | {"error": "unclear", **({"tid": rung.tid} if rung.tid else {})}
