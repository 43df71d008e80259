"""Another project's suite, in an environment of its own and without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from devphone.processes.service import ROOT

NOT_COPIED = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "*.db")
NO_NETWORK = """
import sys
def hook(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in ("127.0.0.1", "::1"):
        raise OSError(f"no network: {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"no network: {arguments[0]}")
sys.addaudithook(hook)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with this repository installed by its path, and the libraries it depends on."""
    folder = tmp_path_factory.mktemp("elsewhere")
    repository = shutil.copytree(ROOT, folder / "ttsprompt", ignore=NOT_COPIED)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (packages / "no_network.py").write_text(NO_NETWORK)
    (packages / "no_network.pth").write_text("import no_network\n")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", *options, repository], check=True)
    return python


def suite(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a suite with nothing of this repository in sight."""
    hidden = ("PYTHON", "PYTEST", "COV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_sample_project_passes_its_tests(python: Path, tmp_path: Path) -> None:
    project = shutil.copytree(ROOT / "examples" / "oncall", tmp_path / "oncall")

    ran = suite(python, project)

    assert re.search(r"^=+ 7 passed in", ran.stdout, re.MULTILINE), ran.stdout + ran.stderr


def test_nothing_of_one_test_is_left_for_the_next(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
def test_first(ttsprompt_devphone):
    ttsprompt_devphone.callee("no-answer")
    ttsprompt_devphone.callee("busy", "447700900100")
    ttsprompt_devphone.faults(drop=1)
    ttsprompt_devphone.habits("plain-uuids")
    assert ttsprompt_devphone.place().status_code == 200
    ttsprompt_devphone.rate(0)
    assert ttsprompt_devphone.place().status_code == 429

def test_second(ttsprompt_devphone):
    assert (ttsprompt_devphone.calls, ttsprompt_devphone.callbacks) == ([], [])
    place = lambda: ttsprompt_devphone.place(to="447700900100")
    first, second = place(), place()
    assert (first.status_code, second.status_code) == (200, 200)
    tid = second.json()["tid"]
    ttsprompt_devphone.wait_for_callback(tid)
    uuids = {x.body["uuid"] for x in ttsprompt_devphone.happenings if x.kind == "webhook_sent" and "uuid" in x.body}
    assert uuids and all("-" in uuid for uuid in uuids)
    tid = first.json()["tid"]
    assert ttsprompt_devphone.wait_for_callback(tid).fields["status"] == "ok"
"""
    )
    ran = suite(python, tmp_path)

    assert re.search(r"^=+ 2 passed in", ran.stdout, re.MULTILINE), ran.stdout + ran.stderr


def test_a_setting_that_is_none_is_named_and_a_callback_that_never_comes_tells_the_story(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(
        """
def test_it(ttsprompt_devphone):
    ttsprompt_devphone.callee("no-answer")
    ttsprompt_devphone.place()
    ttsprompt_devphone.wait_for_callback(within_s=0.5)
"""
    )
    wrong = suite(python, tmp_path, "-o", "ttsprompt_devphone_settings=ANSWER_MODE")
    refused = suite(python, tmp_path, "-o", "ttsprompt_devphone_settings=ANSWER_MODE=later")
    late = suite(python, tmp_path)

    assert "ttsprompt_devphone_speed and …_settings" in wrong.stdout
    assert "ANSWER_MODE must be inline or webhook" in refused.stdout
    assert "No callback came within 0.5 s; this happened: service asks for a call; vonage rings" in late.stdout
