"""Ctrl-C at the worst moment leaves no process behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devphone.processes.interrupts import SIGNALS, Interrupted, deferred, interrupt_once, pause, run_until_interrupted
from devphone.processes.service import ROOT


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {name: signal.getsignal(name) for name in SIGNALS}
    yield
    interrupt_once()  # forgets what has been
    for name, handler in before.items():
        signal.signal(name, handler)


@pytest.mark.parametrize("name", SIGNALS)
def test_the_first_signal_interrupts_and_the_next_leave_the_tidying_up_alone(name: signal.Signals) -> None:
    interrupt_once()

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(name)
    for again in SIGNALS:
        signal.raise_signal(again)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_in_the_midst_of_a_task_ends_all_tasks_in_order_and_nothing_is_printed(
    name: signal.Signals, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    interrupt_once()
    tidied = []

    async def one() -> None:
        signal.raise_signal(name)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            tidied.append(1)

    async def both() -> None:
        await asyncio.gather(one(), one())

    with pytest.raises(Interrupted):
        run_until_interrupted(both())

    assert tidied == [1, 1]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert capfd.readouterr() == ("", "")


def test_what_ends_before_a_signal_leaves_the_next_one_as_it_was() -> None:
    interrupt_once()

    run_until_interrupted(asyncio.sleep(0))

    with pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_is_held_back_while_a_process_is_being_started() -> None:
    interrupt_once()
    steps = []

    def start() -> None:
        with deferred():
            signal.raise_signal(signal.SIGTERM)
            steps.append("started")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert steps == ["started"]


def test_an_interrupt_in_the_midst_of_an_import_leaves_the_exit_code_to_us(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text("""
import signal, sys
from devphone.processes.interrupts import interrupt_once

interrupt_once()
try:
    exec("signal.raise_signal(signal.SIGINT)")  # as dataclasses and namedtuples do when they are imported
except KeyboardInterrupt:
    sys.exit(7)
""")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-m", "interrupted"]
    assert subprocess.run(command, env=env, check=False).returncode == 7


class Doomed:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_lost_ends_the_next_wait() -> None:
    interrupt_once()
    pause(0)
    Doomed()

    with pytest.raises(KeyboardInterrupt):
        pause(1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def child_of(process: subprocess.Popen[str], folder: Path) -> int:
    """Wait until a process notes its id, as all that are started here do."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for path in folder.glob("*.pid"):
            if int(path.stem) != process.pid:
                return int(path.stem)
        time.sleep(0.01)
    pytest.fail("no process was started")


@pytest.mark.parametrize(
    ("command", "code", "how"),
    [("demo", 1, signal.SIGINT), ("call", 1, signal.SIGTERM), ("run", 0, signal.SIGHUP), ("run", 0, signal.SIGINT)],
)
def test_a_service_that_is_only_starting_is_stopped_too(
    command: str, code: int, how: signal.Signals, tmp_path: Path
) -> None:
    arguments = ["--port", "0", "--phone-port", "0"] if command == "run" else []
    with started(command, *arguments, cwd=tmp_path) as process:
        child = child_of(process, tmp_path)
        process.send_signal(how)
        process.communicate(timeout=20)

    assert process.returncode == code
    assert not is_alive(child)


def test_an_emulator_that_is_only_starting_is_stopped_too(tmp_path: Path) -> None:
    for name in ("gcloud", "java"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n: >$$.pid\nexec sleep 60\n")
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    with started("demo", "--store", "firestore", cwd=tmp_path, PATH=path) as process:
        child = child_of(process, tmp_path)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert process.returncode == 1
    assert not is_alive(child)


def test_a_load_is_stopped_in_its_midst(tmp_path: Path) -> None:
    with started("load", "--calls", "1000", "--concurrency", "2", cwd=tmp_path) as process:
        assert process.stdout is not None
        printed = ""
        while "/1000" not in printed:
            printed = process.stdout.readline()
            assert printed, "it ended by itself"
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=20)

    assert process.returncode == 1
    assert told.splitlines()[-1] == "Failed: interrupted"
    assert "Traceback" not in told
    assert not any(is_alive(int(path.stem)) for path in tmp_path.glob("*.pid"))


def started(*arguments: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "devphone", *arguments]
    (cwd / "sitecustomize.py").write_text(f"import os\nopen(f'{cwd}/{{os.getpid()}}.pid', 'w').close()\n")
    env = os.environ | {"PYTHONPATH": f"{cwd}:{ROOT}"} | environment
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
