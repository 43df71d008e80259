"""The demo tells the truth about what it saw, and leaves nothing behind."""

from __future__ import annotations

import http.client
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from devphone.commands.cli import main
from devphone.commands.demo import demo
from devphone.processes.service import ROOT, Service, StartError
from tests.canaries import by_itself

FAST = 60
FUNCTION = "def ttsprompt(request):\n"


@pytest.fixture
def broken_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a function that runs in place of the service."""
    monkeypatch.setattr("devphone.processes.service.ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path / "main.py"


def test_a_demo_of_the_service_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo("sqlite", FAST) == 0
    shown = capsys.readouterr().out
    assert "pin_matched" in shown
    assert re.search(by_itself("1234"), shown) is None


def test_a_service_that_does_not_start_fails_the_demo_with_its_last_words(
    broken_service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_service.write_text("raise SystemExit('no good setting')")

    assert demo("sqlite", FAST) == 1
    assert "no good setting" in capsys.readouterr().out


def test_a_service_that_refuses_the_call_fails_the_demo(
    broken_service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_service.write_text(f"{FUNCTION}    return 'no calls today', 503")

    assert demo("sqlite", FAST) == 1
    assert "no calls today" in capsys.readouterr().out


def test_a_callback_that_never_comes_fails_the_demo(
    broken_service: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devphone.commands.demo.DEMO_LIMIT_S", 0.1)
    broken_service.write_text(f"{FUNCTION}    return {{'tid': 't'}}")

    assert demo("sqlite", FAST) == 1
    assert "no callback" in capsys.readouterr().out


def test_a_wrong_outcome_fails_the_demo(broken_service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken_service.write_text(
        "import requests\n"
        f"{FUNCTION}"
        "    if request.path == '/call':\n"
        "        requests.post(request.form['callback'], data={'tid': 't', 'status': 'failed'})\n"
        "    return {'tid': 't'}"
    )

    assert demo("sqlite", FAST) == 1
    shown = capsys.readouterr().out
    assert "status is failed, not ok" in shown
    assert "the signature is not verified" in shown


def test_a_stranger_on_the_port_is_not_taken_for_the_service(tmp_path: Path) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        service = Service({}, port=stranger.server_port, log=tmp_path / "service.log")
        try:
            with pytest.raises(StartError, match="already"):
                service.start()
        finally:
            service.stop()
            stranger.shutdown()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_stopped_takes_the_service_with_it(how: signal.Signals) -> None:
    command = [sys.executable, "-m", "devphone", "demo", "--speed", "0.1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        port = None
        for line in process.stdout:
            match = re.search(r"functions-framework .*:(\d+)$", line)
            port = int(match[1]) if match else port
            if "rings" in line:
                break
        process.send_signal(how)
        process.communicate(timeout=20)

    assert port is not None
    assert process.returncode == 1
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port).connect()


@pytest.mark.parametrize(
    ("option", "value"), [("--speed", "0"), ("--speed", "-1"), ("--speed", "nan"), ("--callee", "12x")]
)
def test_a_wrong_option_is_explained(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", option, value])

    assert ended.value.code == 2
    assert option in capsys.readouterr().err
