"""Every gcloud command that the project runs or tells people to run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = ("bootstrap", "deploy", "logs", "function", "run-setup", "schedule", "monitoring")
BUILD: Final[dict[str, Any]] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
FUNCTIONS: Final = ("ttsprompt", "expire-stale-calls", "setup")
PAGES: Final = ("README.md", "docs/operations.md", "docs/capacity.md")


def run_script(name: str, folder: Path, *arguments: str, root: Path = ROOT, **environment: str) -> str:
    """Run a script with the programs of a folder before all others; return what it prints."""
    done = subprocess.run(
        ["bash", str(root / "deploy" / f"{name}.sh"), *arguments],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "PROJECT": "my-project", "ENV": "prod"} | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    return done.stdout


def of_scripts(root: Path, folder: Path) -> list[str]:
    """Return the commands that the scripts would run in an empty project."""
    printed = ""
    for name in SCRIPTS:
        for argument in FUNCTIONS if name == "function" else ("",):
            printed += run_script(name, folder, *filter(None, [argument]), root=root, DRY_RUN="1")
    return [line for line in printed.splitlines() if line.startswith("gcloud ")]


def blocks(page: str, heading: str) -> list[str]:
    """Return the blocks of commands under a heading of a page."""
    section = (ROOT / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def of_pages() -> list[str]:
    """Return the commands that the pages tell people to run, in blocks and in sentences."""
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text().replace("\\\n", " ")
        found += re.findall(r"^\w*=?\$?\(?(gcloud .+?)\)?$", text, re.MULTILINE)
        found += re.findall(r"`(gcloud [^`]+)`", text)
    return found
