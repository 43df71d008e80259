"""A run tells what it left out, shown by running pytest with this project's plugin."""

from __future__ import annotations

import os
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
        timeout=60,
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
