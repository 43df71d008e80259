"""`make claims`: breaks the code a line at a time, in a copy of it, and sees the test fail that is named for it.

A claim is worth its test, and a test what it notices. The breaks are in `claims.toml`.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("ttsprompt", "devphone", "tests", "deploy", "docs", "benchmarks", "examples")
PYTEST: Final = (
    *("-q", "-x", "-p", "no:cacheprovider", "--no-header", "-W", "ignore::pytest.PytestWarning"),
    *("-W", "error::pytest.PytestUnraisableExceptionWarning"),
    *("-W", "error::pytest.PytestUnhandledThreadExceptionWarning"),
)
PASSED, FAILED = 0, 1
"""pytest's exit codes; others mean that no test was found, or that it could not be run."""


@dataclass(frozen=True)
class Break:
    """One line to break. `find` stands once in `file`; `test` is a test's id, or a file and the beginning of a name."""

    claim: str
    file: str
    find: str
    replace: str
    test: str

    def broken(self, text: str) -> str:
        """Return the file with the break in it.

        Raises:
            ValueError: the line is not there, or not once.
        """
        if text.count(self.find) != 1:
            raise ValueError(f"{self.file} has {text.count(self.find)} times: {self.find}")
        return text.replace(self.find, self.replace)


class Change(Protocol):
    """What can be done to a file."""

    @property
    def file(self) -> str:
        """Which."""

    def broken(self, text: str) -> str:
        """Return it changed."""


def breaks() -> list[Break]:
    """Return all of them."""
    with (ROOT / "tests/tools/claims.toml").open("rb") as file:
        return [Break(**row) for row in tomllib.load(file)["break"]]


class Copy:
    """A copy of the code, to break and to mend."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy(path, folder / path.name)

    def run(self, tests: list[str], *options: str) -> tuple[int, str]:
        """Run tests; return pytest's exit code and what it said."""
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [
            sys.executable,
            "-m",
            "pytest",
            *PYTEST,
            *options,
            *(word for test in tests for word in test.split()),
        ]
        done = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        return done.returncode, done.stdout + done.stderr

    @contextmanager
    def broken(self, one: Change) -> Iterator[None]:
        """Have a file changed for a while."""
        path = self._folder / one.file
        text = path.read_text()
        path.write_text(one.broken(text))
        try:
            yield
        finally:
            path.write_text(text)


class Copies:
    """So many copies, each lent to one thread at a time."""

    def __init__(self, folder: str, jobs: int) -> None:
        self._free: queue.Queue[Copy] = queue.Queue()
        for number in range(jobs):
            self._free.put(Copy(Path(folder, str(number))))

    @contextmanager
    def lend(self) -> Iterator[Copy]:
        """Lend one, when one is free."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)


def judge(one: Break, copies: Copies) -> str:
    """Return what is wrong with a claim, or nothing."""
    try:
        with copies.lend() as copy, copy.broken(one):
            code, said = copy.run([one.test])
    except ValueError as error:
        return str(error)
    if code == FAILED:
        return ""
    return f"not noticed by {one.test}" if code == PASSED else f"{one.test} cannot be run:\n{said[-1500:]}"


def main() -> int:
    """Try all breaks, or those whose claim or file contains a word; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("word", nargs="*", help="only claims and files that contain one of these")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    chosen = [
        one for one in breaks() if not options.word or any(word in f"{one.claim} {one.file}" for word in options.word)
    ]
    with tempfile.TemporaryDirectory(prefix="claims-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies = Copies(folder, options.jobs)
        with copies.lend() as whole:
            code, said = whole.run(sorted({one.test for one in chosen}))
        if code != PASSED:
            say(f"Without any break:\n{said[-3000:]}")
            return 1
        faults = 0
        for one, fault in zip(chosen, pool.map(lambda one: judge(one, copies), chosen), strict=True):
            say(f"{'!!' if fault else 'ok'}  {one.claim}" + (f": {fault}" if fault else ""))
            faults += bool(fault)
    say(f"{len(chosen)} breaks, {len(chosen) - faults} noticed")
    return 1 if faults or not chosen else 0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
