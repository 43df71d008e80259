"""What CI installs before it checks, and what it takes from others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.deploy.commands import ROOT

GIVEN = ("bash", "dirname", "cat")


def bare_machine(folder: Path, **programs: str) -> Path:
    """Make a PATH that has these programs, and what a Debian always has."""
    folder.mkdir()
    for name in GIVEN:
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, body in programs.items():
        (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    return folder


def ci(folder: Path) -> str:
    """Run CI there; return what it asked others to do."""
    subprocess.run(["bash", str(ROOT / ".ci/run")], env={"PATH": str(folder)}, check=True, timeout=60)
    return (folder / "asked").read_text()


def recorder(folder: Path, name: str) -> str:
    return f'echo "{name} $* $TTSPROMPT_NO_SKIPS" >> {folder}/asked'


def test_on_googles_image_what_it_lacks_is_installed(tmp_path: Path) -> None:
    """It has curl, Java, Python and gcloud with beta, but no alpha component, no git, make, node or browser."""
    folder = tmp_path / "bin"
    bare_machine(
        folder,
        curl="true",
        java="true",
        make=recorder(folder, "make"),
        python3=f'exec {sys.executable} "$@"',
        apt_get=recorder(folder, "apt-get"),
        gcloud=f'[ "$1" != alpha ] && {recorder(folder, "gcloud")}',
    )
    (folder / "make").rename(folder / "make-it")
    (folder / "apt-get").write_text(f"#!/bin/sh\necho apt-get $* >> {folder}/asked\nln -sf make-it {folder}/make\n")
    (folder / "ln").symlink_to(str(shutil.which("ln")))
    if os.geteuid() != 0:  # only root installs packages
        (folder / "make-it").rename(folder / "make")
    asked = ci(folder).splitlines()

    assert "gcloud components install alpha --quiet " in asked
    assert asked[-1] == "make check 1"
    if os.geteuid() == 0:
        (installed,) = [line for line in asked if line.startswith("apt-get install")]
        assert {"make", "git", "nodejs", "chromium"} <= set(installed.split())
        assert "curl" not in installed.split()


def test_where_everything_is_there_nothing_is_installed(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    asked_for = set(re.findall(r"command -v ([\w-]+)", (ROOT / ".ci/run").read_text()))
    there = dict.fromkeys(asked_for - {"make", "apt-get"}, "true")
    bare_machine(
        folder,
        **there,
        make=recorder(folder, "make"),
        python3=f'exec {sys.executable} "$@"',
        apt_get=recorder(folder, "apt-get"),
    )

    assert ci(folder) == "make check 1\n"


def test_actions_of_others_are_pinned_by_commit() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    used = [step["uses"] for step in yaml.safe_load(workflow)["jobs"]["check"]["steps"] if "uses" in step]

    assert len(used) >= 4
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []


def test_the_image_and_the_workflow_have_one_version_of_gcloud() -> None:
    """Newer ones know other commands, and older ones fewer."""
    places = (".github/workflows/ci.yml", "cloudbuild.yaml", "deploy/check.yaml")
    text = "".join((ROOT / place).read_text() for place in places)

    assert set(re.findall(r"google-cloud-cli:([\d.]+)-|version: ([\d.]+)\n", text)) == {
        ("528.0.0", ""),
        ("", "528.0.0"),
    }
