"""CI's rule about skipped tests, shown by running pytest with this project's conftest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPS_ONE = "import pytest\ndef test_runs(): pass\n@pytest.mark.skip(reason='no emulator')\ndef test_skipped(): pass\n"


def run_pytest(folder: Path, tests: str, *, no_skips: bool) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(tests)
    environment = {name: value for name, value in os.environ.items() if name != "TTSPROMPT_NO_SKIPS"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", folder, folder],
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
    assert "test_it.py::test_skipped" in run.stdout


def test_a_skipped_test_is_fine_on_a_users_machine(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, SKIPS_ONE, no_skips=False)

    assert run.returncode == pytest.ExitCode.OK


def test_a_run_without_skips_passes_on_ci(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, "def test_runs(): pass\n", no_skips=True)

    assert run.returncode == pytest.ExitCode.OK
