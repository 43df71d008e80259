"""The commands a newcomer runs: `make demo`, and an honest failure when something is wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from devphone.processes.emulator import is_installed
from devphone.processes.service import Service, StartError, free_port
from tests.canaries import by_itself

ROOT = Path(__file__).parents[2]
DEVPHONE = [sys.executable, "-m", "devphone"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEVPHONE, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("store", ["sqlite", "firestore"])
def test_the_demo_shows_a_wrong_and_the_right_pin_and_the_callback(store: str) -> None:
    if store == "firestore" and not is_installed():
        pytest.skip("the Firestore emulator needs gcloud and Java")  # a user's machine may lack them; CI fails then
    done = run("demo", "--store", store, "--speed", "20", LOG_LEVEL="nonsense of the caller's environment")

    assert done.returncode == 0, done.stdout + done.stderr
    for expected in (
        "callee    keys ••••",
        "/input step 2 → 200",
        "attempts          2",
        "signature         verified",
    ):
        assert expected in done.stdout
    assert re.search(by_itself("1234"), done.stdout) is None


def test_a_demo_that_goes_wrong_says_so_and_exits_with_one(tmp_path: Path) -> None:
    """Without Java and gcloud on the path there is no emulator."""
    done = run("demo", "--store", "firestore", PATH=str(tmp_path))

    assert done.returncode == 1
    assert "Failed: The Firestore emulator needs gcloud" in done.stdout


def test_a_service_that_does_not_start_tells_why(tmp_path: Path) -> None:
    service = Service({"ANSWER_MODE": "later"}, log=tmp_path / "service.log")

    with pytest.raises(StartError, match="ANSWER_MODE must be inline or webhook"):
        service.start()


def test_run_stays_up_until_it_is_told_to_stop() -> None:
    port, phone_port = free_port(), free_port()
    process = subprocess.Popen(
        [*DEVPHONE, "run", "--port", str(port), "--phone-port", str(phone_port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        printed = ""
        assert process.stdout is not None
        deadline = time.monotonic() + 60
        while "curl -X POST" not in printed and time.monotonic() < deadline:
            printed += process.stdout.readline()
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).json()["name"] == "ttsprompt"
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)

    assert process.returncode == 0, printed + rest
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
