"""The client's commands and library, as a caller uses them, against the real service and the dev phone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import SIGNING_SECRET, Stack, wait_for
from tests.proxy import Mode, Proxy
from ttsprompt_client import Client, NotPlacedError, Outcome, verify

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"


@pytest.fixture(autouse=True)
def settings(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what somebody at a shell sets."""
    key = tmp_path / "private.key"
    key.write_text(stack.application.private_key)
    key.chmod(0o600)
    monkeypatch.setenv("TTSPROMPT_URL", stack.service.url)
    monkeypatch.setenv("VONAGE_APPLICATION_ID", stack.application.id)
    monkeypatch.setenv("VONAGE_PRIVATE_KEY", str(key))
    monkeypatch.setenv("PYTHONPATH", str(CLIENT))


def ttsprompt(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ttsprompt_client", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **options)


def options(request: dict[str, Any]) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in request.items()]


def without_callback(stack: Stack) -> dict[str, Any]:
    """Return a request whose outcome is fetched."""
    request = stack.request()
    del request["callback"]
    return request


def dialled(stack: Stack, number: str) -> int:
    """Return how often a number was dialled, as the phone has it."""
    calls = httpx.get(f"{stack.board.url}/devphone/calls", trust_env=False).json()
    return sum(call["to"]["number"] == number for call in calls)


def people(folder: Path, *requests: dict[str, Any]) -> Path:
    file = folder / "people.toml"
    entries = [
        f'[[person]]\nname = "P{n}"\nto = "{r["to"]}"\npin_code = "{r["pin_code"]}"\n'
        for n, r in enumerate(requests, 1)
    ]
    file.write_text("\n".join(entries))
    return file


def shared(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in {"to", "pin_code"}}


@pytest.mark.parametrize(
    ("callee", "code", "status", "reason"),
    [("1111,1234", 0, "ok", "pin_matched"), ("1,2,3", 1, "failed", "wrong_pin"), ("busy", 2, "error", "busy")],
)
def test_a_call_from_the_shell_ends_with_its_outcome(
    stack: Stack, callee: str, code: int, status: str, reason: str
) -> None:
    request = without_callback(stack)
    stack.script(request, callee)

    done = ttsprompt("call", *options(request), "--wait")

    assert done.returncode == code, done.stderr
    tid, outcome = done.stdout.splitlines()
    told = json.loads(outcome)
    assert (told["tid"], told["status"], told["reason"], told["to"]) == (tid, status, reason, request["to"])
    assert "rings" in done.stderr
    if code == 0:
        assert done.stderr.index("answered") < done.stderr.index("entry 1 wrong") < done.stderr.index("entry 2 right")
    assert dialled(stack, request["to"]) == 1


def test_a_call_is_cancelled(stack: Stack) -> None:
    client = Client(stack.service.url, stack.application.id, stack.application.private_key)
    for _ in range(10):  # until we are faster than a phone that rings for three seconds
        request = stack.request(ringing_timeout=120)
        stack.script(request, "no-answer")
        tid = client.place(**_arguments(request)).tid
        outcome = client.cancel(tid).outcome
        if outcome is not None and outcome.reason == "cancelled":
            break

    cancelled = ttsprompt("cancel", tid)
    ended = ttsprompt("status", tid, "--wait", "--json")

    assert cancelled.returncode == 0, cancelled.stderr
    assert (ended.returncode, json.loads(ended.stdout)["reason"]) == (2, "cancelled")


def test_a_script_of_eight_lines_does_it(stack: Stack) -> None:
    request = without_callback(stack)
    stack.script(request, "1234")
    script = f"""
import os
from ttsprompt_client import Client

client = Client(os.environ["TTSPROMPT_URL"], os.environ["VONAGE_APPLICATION_ID"], os.environ["VONAGE_PRIVATE_KEY"])
outcome = client.call(to={request["to"]!r}, from_="447520616161", text="Enter the PIN", pin_code="1234")
print(outcome.status, outcome.attempts)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split() == ["ok", "1"], done.stderr


def test_one_request_waits_until_the_call_is_settled(stack: Stack) -> None:
    """A service that did not let it wait would be asked again and again, after a pause each time."""
    request = without_callback(stack)
    stack.script(request, "1,2,1234")
    pauses: list[float] = []
    client = Client(stack.service.url, stack.application.id, stack.application.private_key, sleep=pauses.append)

    outcome = client.call(**_arguments(request))

    assert (outcome.attempts, pauses) == (3, [])


def test_a_lost_answer_is_asked_for_again_and_nobody_is_dialled_twice(stack: Stack) -> None:
    request = stack.request()
    stack.script(request, "1234")
    proxy = Proxy(f"127.0.0.1:{stack.service.port}")
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        wait_for(lambda: dialled(stack, request["to"]))
        proxy.be(Mode.PASS)

    client = Client(f"http://{proxy.address}", stack.application.id, stack.application.private_key, sleep=sleep)
    proxy.lose_next_reply()
    try:
        placement = client.place(**_arguments(request))
    finally:
        proxy.close()

    assert placement.replayed
    assert pauses
    assert stack.outcome(placement.tid)["status"] == "ok"
    assert dialled(stack, request["to"]) == 1


def _arguments(request: dict[str, Any]) -> Any:
    return {("from_" if name == "from" else name): value for name, value in request.items()}


def test_the_service_says_what_is_wrong_with_which_option(stack: Stack) -> None:
    done = ttsprompt("call", *options(stack.request(pin_code="12a4", attempts=11)))

    assert done.returncode == 3
    assert "--pin-code: " in done.stderr
    assert "--attempts: " in done.stderr


def test_a_key_used_for_another_request_is_a_conflict(stack: Stack) -> None:
    first = stack.request()
    stack.script(first, "1234")
    client = Client(stack.service.url, stack.application.id, stack.application.private_key)
    client.place(**_arguments(first), idempotency_key=f"key-{first['to']}")

    with pytest.raises(NotPlacedError) as caught:
        client.place(**_arguments(stack.request()), idempotency_key=f"key-{first['to']}")

    assert caught.value.code == "idempotency_conflict"


def test_a_ladder_goes_up_to_the_first_ok_and_the_same_run_dials_nobody_again(stack: Stack, tmp_path: Path) -> None:
    busy, right, beyond = (stack.request() for _ in range(3))
    for request, callee in ((busy, "busy"), (right, "1234"), (beyond, "1234")):
        stack.script(request, callee)
    command = ["ladder", str(people(tmp_path, busy, right, beyond)), *options(shared(busy)), "--json"]

    first = ttsprompt(*command)
    run = json.loads(first.stdout.splitlines()[0])["run"]
    again = ttsprompt(*command, "--run", run)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    told = [[(r.get("tid"), r.get("reason")) for r in map(json.loads, x.stdout.splitlines())] for x in (first, again)]
    assert told[0] == told[1]
    assert [reason for _, reason in told[0]] == [None, "busy", "pin_matched", None]
    assert json.loads(first.stdout.splitlines()[-1])["confirmed"] == ["P2"]
    assert [dialled(stack, r["to"]) for r in (busy, right, beyond)] == [1, 1, 0]


def test_a_list_that_changed_during_a_run_stops_it_before_anybody_is_dialled(stack: Stack, tmp_path: Path) -> None:
    busy, other = stack.request(), stack.request()
    stack.script(busy, "busy")
    command = ["ladder", str(people(tmp_path, busy)), *options(shared(busy)), "--run", f"run-{busy['to']}"]
    assert ttsprompt(*command).returncode == 2

    people(tmp_path, other, busy)
    changed = ttsprompt(*command)

    assert changed.returncode == 3
    assert "Has the list or the request changed" in changed.stdout
    assert [dialled(stack, r["to"]) for r in (busy, other)] == [1, 0]


def test_a_ladder_stops_at_vonages_unclear_answer_and_the_next_is_not_dialled(stack: Stack, tmp_path: Path) -> None:
    unclear, beyond = stack.request(to="447700900015"), stack.request()
    command = ["ladder", str(people(tmp_path, unclear, beyond)), *options(shared(unclear)), "--json"]

    done = ttsprompt(*command)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 4, done.stderr
    assert (lines[1]["error"], len(lines)) == ("unclear", 3)
    assert ttsprompt("status", lines[1]["tid"]).returncode == 4
    assert f"--run {lines[0]['run']}" in done.stderr
    assert dialled(stack, beyond["to"]) == 0


@contextmanager
def one_request() -> Iterator[tuple[str, list[bytes]]]:
    """Take one HTTP request just as it comes over the wire, and answer it 204."""
    found: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                raw = b""
                while b"\r\n\r\n" not in raw or len(raw.partition(b"\r\n\r\n")[2]) < _length(raw):
                    raw += connection.recv(65536)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                found.append(raw)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/cb?own=%41", found


def _length(raw: bytes) -> int:
    head = raw.lower().partition(b"content-length:")[2]
    return int(head.split(b"\r\n")[0]) if head else 0


@pytest.mark.parametrize("fields", [{}, {"callback_format": "json"}, {"callback_method": "GET"}], ids=str)
def test_verify_believes_the_callback_that_came_and_no_other(stack: Stack, fields: dict[str, str]) -> None:
    public = httpx.get(f"{stack.service.url}/", trust_env=False).json()["callback_public_keys"][0]
    with one_request() as (callback, found):
        request = stack.request(callback=callback, reference="Zoë & co", **fields)
        stack.script(request, "1,2,1234")
        tid = stack.post(request).json()["tid"]
        (raw,) = wait_for(lambda: found)

    for key in (public, SIGNING_SECRET):
        good = subprocess.run(
            [sys.executable, "-m", "ttsprompt_client", "verify", "--key", key, "-q"],
            input=raw,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert good.returncode == 0, good.stderr
        told = json.loads(good.stdout)
        assert (told["tid"], told["status"], told["attempts"], told["reference"]) == (tid, "ok", 3, "Zoë & co")
    forged = raw.replace(b"pin_matched", b"pin_watched")
    other = [b"--key", b"whsec_" + b"A" * 32]
    for sent, keys in ((forged, ["--key", public]), (raw, other)):
        bad = subprocess.run(
            [sys.executable, "-m", "ttsprompt_client", "verify", *keys], input=sent, capture_output=True, check=False
        )
        assert (bad.returncode, bad.stdout) == (1, b"")


def test_the_library_verifies_what_a_framework_hands_on(stack: Stack) -> None:
    public = httpx.get(f"{stack.service.url}/", trust_env=False).json()["callback_public_keys"]
    tid = stack.play("1234")["tid"]
    (callback,) = [
        x for x in httpx.get(f"{stack.board.url}/devphone/callbacks", trust_env=False).json() if tid in x["body"]
    ]

    outcome = verify(callback["headers"], callback["body"], public)

    assert isinstance(outcome, Outcome)
    assert (outcome.tid, outcome.is_ok) == (tid, True)


def test_doctor_finds_good_settings_good_and_bad_ones_bad(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ttsprompt("doctor", "--json")
    monkeypatch.setenv("TTSPROMPT_URL", stack.board.url)  # it is the phone's
    bad = ttsprompt("doctor")

    assert good.returncode == 0, good.stdout
    found = {finding["name"]: finding["ok"] for finding in json.loads(good.stdout)["findings"]}
    names = ("TTSPROMPT_URL", "VONAGE_PRIVATE_KEY", "service", "request", "credential", "callback keys")
    assert found == dict.fromkeys(names, True)
    assert bad.returncode == 3
    assert "FAULT service" in bad.stdout
