"""Every gcloud command that the project runs or tells people to run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = ("bootstrap", "deploy", "run-setup", "schedule", "monitoring")
BUILD: Final[dict[str, Any]] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
PAGES: Final = ("README.md", "docs/operations.md")
_GIVEN: Final = {"PROJECT_ID": "my-project", "PROJECT_NUMBER": "123456789012"}


def substituted(text: str) -> str:
    """Return text of the build with its substitutions' defaults."""
    values = _GIVEN | BUILD["substitutions"]
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values[found[1] or found[2]], text)


def steps() -> dict[str, list[str]]:
    """Return the build's steps: program and arguments by id."""
    return {
        step["id"]: [step["entrypoint"], *(substituted(argument) for argument in step["args"])]
        for step in BUILD["steps"]
    }


def of_build() -> list[str]:
    """Return the commands that the build runs itself."""
    return [shlex.join(step) for step in steps().values() if step[0] == "gcloud"]


def run_script(name: str, folder: Path, **environment: str) -> str:
    """Run a script with the programs of a folder before all others; return what it prints."""
    done = subprocess.run(
        ["bash", str(ROOT / "deploy" / f"{name}.sh")],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PROJECT": "my-project", "ALLOWED_APPLICATIONS": "a,b"}
        | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    return done.stdout


def of_scripts(folder: Path) -> list[str]:
    """Return the commands that the scripts would run in an empty project."""
    printed = "".join(run_script(name, folder, DRY_RUN="1") for name in SCRIPTS)
    return [line for line in printed.splitlines() if line.startswith("gcloud ")]


def of_pages() -> list[str]:
    """Return the commands that the pages tell people to run, in blocks and in sentences."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text().replace("\\\n", " ")
        found += re.findall(r"^\w*=?\$?\(?(gcloud .+?)\)?$", text, re.MULTILINE)
        found += re.findall(r"`(gcloud [^`]+)`", text)
    return found
