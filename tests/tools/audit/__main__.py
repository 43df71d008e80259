"""`make audit`: the licences of all that is installed, and what is known against it (pip-audit)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
RUNTIME, DEVELOPMENT = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"
UNSTATED = "not stated"


def main(pip_audit: str) -> int:
    """Print both; return the exit code: 0 only if the vulnerabilities were looked up and there is none."""
    _say("Licences of what runs in the cloud:")
    for name, packages in sorted(licences(RUNTIME).items()):
        _say(f"  {name}: {', '.join(packages)}")
    _say("\nKnown vulnerabilities:")
    good = True
    for requirements in (RUNTIME, DEVELOPMENT):
        sentence, is_good = vulnerabilities(pip_audit, requirements)
        _say(f"  {requirements.name}: {sentence}")
        good = good and is_good
    return 0 if good else 1


def licences(requirements: Path) -> dict[str, list[str]]:
    """Return the installed packages of a lock file by licence, as their own metadata state it."""
    found = defaultdict(list)
    for name in re.findall(r"^([\w.-]+)==", requirements.read_text(), re.MULTILINE):
        try:
            found[licence_of(distribution(name))].append(name)
        except PackageNotFoundError:
            continue  # for another platform
    return dict(found)


def licence_of(package: Distribution) -> str:
    """Return a package's licence: the SPDX expression, else the classifiers, else the first line of free text."""
    metadata: Any = package.metadata
    classifiers = [c.rpartition(" :: ")[2] for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
    text = (metadata.get("License") or "").strip().partition("\n")[0]
    return metadata.get("License-Expression") or ", ".join(classifiers) or text or UNSTATED


def vulnerabilities(pip_audit: str, requirements: Path) -> tuple[str, bool]:
    """Return what is known against the packages of a lock file, in words, and whether that is nothing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [pip_audit, "--requirement", str(requirements), "--disable-pip", "--require-hashes"]
        command += ["--progress-spinner", "off", "--format", "json", "--output", str(report)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if not report.exists() or not report.read_text().strip():
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"NOT CHECKED: the database of vulnerabilities could not be asked ({last[:200]})", False
        packages = json.loads(report.read_text())["dependencies"]
    return summary(packages)


def summary(packages: list[dict[str, Any]]) -> tuple[str, bool]:
    """Return pip-audit's report in words, and whether it is good."""
    bad = [f"{p['name']} {p['version']}: {', '.join(v['id'] for v in p['vulns'])}" for p in packages if p.get("vulns")]
    skipped = [p["name"] for p in packages if "skip_reason" in p]
    if len(skipped) == len(packages):
        reason = packages[0]["skip_reason"] if packages else "no packages"
        return f"NOT CHECKED: nothing could be learnt about any of {len(packages)} packages ({reason})", False
    sentence = f"{len(packages) - len(skipped)} packages checked, {len(bad) or 'none'} with a known vulnerability"
    sentence += "".join(f"\n    {line}" for line in bad)
    sentence += f"\n    NOT CHECKED: {', '.join(skipped)}" if skipped else ""
    return sentence, not bad and not skipped


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command prints


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
