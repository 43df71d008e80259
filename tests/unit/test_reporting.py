"""A run tells what it left out, and a failure what helps, shown by running pytest with this project's plugin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = "import pytest\ndef test_runs(): pass\n"
SKIPS_ONE = f"{RUNS}@pytest.mark.skip(reason='no emulator')\ndef test_skipped(): pass\n"
LOSES_ONE = f"{RUNS}def test_lost(): pass\n"
SWALLOWS = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    return True if item.name == "test_lost" else None
"""
NAMES_ALIKE = """
def pytest_collection_modifyitems(items):
    for item in items:
        item._id = item.parent.id.child("test_alike")
"""
FAILS_IN_A_LIBRARY = """
import logging
import httpx

def test_fails(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("ours").debug("said by us")
    warning = {"name": "httpx", "pathname": httpx.__file__, "levelno": logging.WARNING, "msg": "worth knowing"}
    logging.getLogger().handle(logging.makeLogRecord(warning))
    client = httpx.Client(trust_env=False)
    try:
        client.get("http://127.0.0.1:1/")
    finally:
        client.close()
        assert "httpcore.connection" in {record.name for record in caplog.records}
"""


def run_pytest(folder: Path, tests: str, *options: str, no_skips: bool = False) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(tests)
    environment = {name: value for name, value in os.environ.items() if name != "TTSPROMPT_NO_SKIPS"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.reporting",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
    ]
    return subprocess.run(
        [*command, *options, str(folder)],
        cwd=ROOT,
        env=environment | ({"TTSPROMPT_NO_SKIPS": "1"} if no_skips else {}),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_a_skipped_test_fails_the_run_on_ci_and_is_named(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, SKIPS_ONE, no_skips=True)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "skipped, which counts as a failure here: test_it.py::test_skipped" in run.stdout


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_a_test_that_was_collected_but_never_reported_fails_the_run_and_is_named(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "conftest.py").write_text(SWALLOWS)

    run = run_pytest(tmp_path, LOSES_ONE, *options)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "collected, but not reported: test_it.py::test_lost" in run.stdout


def test_tests_of_one_name_of_which_a_parallel_run_takes_one_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(NAMES_ALIKE)
    done = run_pytest(tmp_path, LOSES_ONE)

    assert done.returncode == 1
    assert "collected under one name with others, of which one may run: test_it.py::test_alike" in done.stdout


def test_of_a_failure_in_a_library_our_lines_are_shown_and_what_the_library_says_went_wrong(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, FAILS_IN_A_LIBRARY)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    for shown in (r"^> +client\.get\(", r"^E +httpx\.ConnectError: ", "said by us", "worth knowing"):
        assert re.search(shown, run.stdout, re.MULTILINE), run.stdout
    for left_out in ("site-packages", "httpcore.connection"):
        assert left_out not in run.stdout


def test_after_such_a_failure_a_skipped_test_is_still_reported(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, f"{FAILS_IN_A_LIBRARY}\n{SKIPS_ONE}")

    assert "1 failed, 1 passed, 1 skipped" in run.stdout


def test_the_whole_traceback_is_shown_to_whoever_asks_for_it(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, FAILS_IN_A_LIBRARY, "--full-trace")

    assert "site-packages/httpx/" in run.stdout
