"""`make mutants`: changes the code in small ways, in a copy of it, and counts the changes that no test notices.

By mutmut, a package at a time, with the tests that belong to it; each mutant gets those of them that run its function.
It changes what functions do. Numbers at the top of modules are held by `tests/unit/test_contract_numbers.py`.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tools.claims import COPIED, ROOT, Copy

NOT_HERE: Final = (
    *("test_audit", "test_citations", "test_domain_is_pure", "test_reporting"),
    *("test_every_history", "test_promises_by_machine"),
)
"""Unit and service tests that look at files alone; and those that search for minutes what others show with one case."""

NOTICED: Final = frozenset({"killed", "timeout", "caught by type check", "segfault"})


@dataclass(frozen=True)
class Package:
    """What is changed together. `bar`: the least part of its mutants, in percent, that has to be noticed."""

    name: str
    bar: float
    tests: tuple[str, ...] = ("tests/unit", "tests/service")

    @property
    def files(self) -> str:
        """The files, as a pattern."""
        return (
            f"ttsprompt/{self.name}.py" if (ROOT / f"ttsprompt/{self.name}.py").exists() else f"ttsprompt/{self.name}/*"
        )


UNIT: Final = ("transitions", "endings", "overdue_and_delivery", "ncco", "timing", "verdict", "timeline", "identifiers")
DOMAIN: Final = (
    *(f"tests/unit/test_{name}.py" for name in UNIT),
    *(
        f"tests/unit/test_{name}.py"
        for name in ("callback_payload", "retry_delay", "spoken_text", "contract_numbers", "times_of_transitions")
    ),
    *(f"tests/service/test_{name}.py" for name in ("call_to_outcome", "idempotency", "placed_calls", "who_delivers")),
)
"""Far fewer than all, as they show the rules one by one; and so in minutes."""

PACKAGES: Final = (
    Package("domain", 97, DOMAIN),
    Package("service", 97),
    Package("vonage", 93),
    Package("callbacks", 93, ("tests/unit", "tests/functional/test_rude_receivers.py")),
    Package("stores", 93, ("tests/unit", "tests/service", "tests/contract")),
    Package("net", 93, ("tests/unit",)),
    Package(
        "web", 93, ("tests/unit", "tests/service", "tests/functional/test_http.py", "tests/functional/test_routes.py")
    ),
    Package("call_request", 93),
    Package("field_types", 93),
    Package("config", 93, ("tests/unit",)),
)


@dataclass
class Result:
    """What became of the mutants of a package."""

    package: Package
    statuses: Counter[str]
    survivors: list[str]

    @property
    def score(self) -> float:
        """How many were noticed, in percent."""
        total = self.statuses.total()
        return 100 * sum(count for status, count in self.statuses.items() if status in NOTICED) / max(total, 1)


def changed_files(since: str) -> list[str]:
    """Return the files of ours that differ from a revision."""
    done = subprocess.run(
        ["git", "diff", "--name-only", since, "--", "ttsprompt"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split() if (ROOT / name).exists()]


def run(package: Package, files: list[str], jobs: int, folder: Path) -> Result:
    """Change these files of a package in a copy under `folder`."""
    Copy(folder)
    tests = [path for path in package.tests if (ROOT / path).exists()]
    # JSON's lists and texts are TOML's too.
    settings = {
        "source_paths": ["ttsprompt"],
        "only_mutate": files,
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-k", f"not firestore and {' and '.join(f'not {name}' for name in NOT_HERE)}"],
        "also_copy": sorted({*COPIED, *(path.name for path in ROOT.iterdir() if path.is_file())}),
        # What does not end is noticed; a busy machine is no end.
        "timeout_constant": 20.0,
    }
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    with (folder / "pyproject.toml").open("a") as file:
        file.write(f"\n[tool.mutmut]\n{lines}\n")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    mutmut = [sys.executable, "-m", "mutmut"]
    log = folder / "mutmut.log"
    with log.open("w") as output:
        command = [*mutmut, "run", "--max-children", str(jobs)]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, check=False)
    if done.returncode:
        raise SystemExit(f"{package.name}: mutmut failed\n{log.read_text()[-3000:]}")
    said = _ask([*mutmut, "results", "--all", "true"], folder, environment)
    found = [tuple(line.strip().rsplit(": ", 1)) for line in said.splitlines() if ": " in line]
    survivors = [name for name, status in found if status not in NOTICED]
    return Result(
        package,
        Counter(status for _, status in found),
        [_shown(name, _ask([*mutmut, "show", name], folder, environment)) for name in survivors],
    )


def _ask(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def _shown(name: str, diff: str) -> str:
    changed = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}]
    return "\n".join([f"  {name}", *(f"    {line}" for line in changed)])


def main() -> int:
    """Change what is asked for; return the exit code: 0 if every package reaches its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", nargs="*", help="packages, or files of ttsprompt; all if none is named")
    parser.add_argument("--changed", action="store_true", help="only files that differ from --since")
    parser.add_argument("--since", default="main")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="work here, and leave it there")
    options = parser.parse_args()
    changed = changed_files(options.since) if options.changed else None
    is_good = True
    for package in PACKAGES:
        files = [name for name in options.package if fnmatch.fnmatch(name, package.files)]
        if options.package and not files and package.name not in options.package:
            continue
        if changed is not None:
            files = [name for name in changed if fnmatch.fnmatch(name, package.files)]
            if not files:
                continue
        folder = options.keep / package.name if options.keep else Path(tempfile.mkdtemp(prefix="mutants-"))
        folder.mkdir(parents=True, exist_ok=True)
        result = run(package, files or [package.files], options.jobs, folder)
        if not options.keep:
            shutil.rmtree(folder)
        counts = ", ".join(f"{count} {status}" for status, count in result.statuses.most_common())
        sys.stdout.write("\n".join([*result.survivors, f"{package.name}: {result.score:.1f} % ({counts})", ""]))
        sys.stdout.flush()
        is_good = is_good and result.score >= package.bar
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
