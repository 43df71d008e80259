"""`make audit` says what it knows, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.audit.__main__ import RUNTIME, UNSTATED, licences, main, summary, vulnerabilities


def test_every_package_that_runs_in_the_cloud_states_a_licence() -> None:
    found = licences(RUNTIME)

    assert UNSTATED not in found
    assert not [name for name in found if "GPL" in name and "LGPL" not in name]
    assert "flask" in [package for packages in found.values() for package in packages]


def an_audit(folder: Path, script: str) -> str:
    program = folder / "pip-audit"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_a_database_that_cannot_be_asked_is_no_clean_bill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unreachable = an_audit(tmp_path, "echo 'ERROR: no route to host' >&2; exit 1")

    assert main(unreachable) == 1
    printed = capsys.readouterr().out
    assert "NOT CHECKED" in printed
    assert "no route to host" in printed
    assert "flask" in printed


def test_an_empty_report_is_not_taken_for_a_good_one(tmp_path: Path) -> None:
    silent = an_audit(tmp_path, 'for last; do :; done; : > "$last"')

    assert vulnerabilities(silent, RUNTIME)[1] is False


CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1"}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "words", "good"),
    [
        ([CLEAN], "1 packages checked, none with a known vulnerability", True),
        ([CLEAN, BAD], "b 2: CVE-1", False),
        ([CLEAN, UNKNOWN], "NOT CHECKED: c", False),
        ([UNKNOWN], "NOT CHECKED: nothing could be learnt about any of 1 packages (not found)", False),
        ([], "NOT CHECKED", False),
    ],
)
def test_only_packages_that_were_checked_and_are_clean_are_good(
    packages: list[dict[str, object]], words: str, good: bool
) -> None:
    sentence, is_good = summary(packages)

    assert words in sentence
    assert is_good is good
