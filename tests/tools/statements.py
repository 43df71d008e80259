"""`make statements`: takes one statement after the other out of the code, in a copy, and tells which no test misses.

`make mutants` changes what a statement says and takes none away, so that one which says nothing but its name, such as
`handle.reset()`, stands there untried. Those that no test should miss are in `mutants.toml`, as what they are `now` put
as `pass`. A package's tests are those of `mutants.py`.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.tools.claims import PASSED, ROOT, Copies, Copy, say
from tests.tools.mutants import NOT_HERE, PACKAGES, Package, Survivor, known_same


@dataclass(frozen=True)
class Statement:
    """A statement that is there for what it does: a call whose value is not used, or a deletion."""

    package: Package
    file: str
    first: int
    last: int
    indent: int
    text: str

    def broken(self, text: str) -> str:
        """Return the file without it."""
        lines = text.splitlines(keepends=True)
        lines[self.first - 1 : self.last] = [" " * self.indent + "pass\n"]
        return "".join(lines)

    @property
    def gone(self) -> Survivor:
        """It as a mutant."""
        return Survivor(f"{self.file.removesuffix('.py').replace('/', '.')}.{self.first}", self.text, "pass")


def statements() -> list[Statement]:
    """Return all of them, those first that name nothing but what is called."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / "ttsprompt").rglob("*.py")):
            file = str(path.relative_to(ROOT))
            if fnmatch.fnmatch(file, package.files) and not any(fnmatch.fnmatch(file, one) for one in package.without):
                found += _statements_of(package, file, path.read_text())
    return sorted(found, key=lambda one: not one.text.endswith("()"))


def _statements_of(package: Package, file: str, source: str) -> list[Statement]:
    lines = source.splitlines()
    return [
        Statement(
            package,
            file,
            node.lineno,
            node.end_lineno or node.lineno,
            node.col_offset,
            " ".join(line.strip() for line in lines[node.lineno - 1 : node.end_lineno]),
        )
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Delete) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    ]


def run(copy: Copy, package: Package) -> tuple[int, str]:
    """Run a package's tests; return pytest's exit code and what it said."""
    # The emulator's tests take minutes.
    left_out = " and ".join(f"not {name}" for name in (*NOT_HERE, "firestore"))
    return copy.run([*package.tests], "-k", left_out, "--timeout", "40")


def is_missed(one: Statement, copies: Copies) -> bool:
    """Tell whether a test of its package fails, or hangs, without it."""
    try:
        with copies.lend() as copy, copy.broken(one):
            return run(copy, one.package)[0] != PASSED
    except subprocess.TimeoutExpired:
        return True


def main() -> int:
    """Take out those of the packages or files that are named; return the exit code: 0 if each is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", help="packages, or files of ttsprompt; all if none is named")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    same = known_same()
    chosen = [
        one
        for one in statements()
        if (not options.name or {one.package.name, one.file} & set(options.name))
        and not any(known.covers(one.gone) for known in same)
    ]
    left = 0
    with tempfile.TemporaryDirectory(prefix="statements-") as folder, ThreadPoolExecutor(options.jobs) as threads:
        copies = Copies(folder, options.jobs)
        for package in dict.fromkeys(one.package for one in chosen):
            with copies.lend() as whole:
                code, said = run(whole, package)
            if code != PASSED:
                say(f"{package.name}, with all statements:\n{said[-3000:]}")
                return 1
        for one, missed in zip(chosen, threads.map(lambda one: is_missed(one, copies), chosen), strict=True):
            left += not missed
            if not missed:
                say(f"no test misses {one.file}:{one.first}: {one.text}")
    say(f"{len(chosen)} statements taken out, {len(chosen) - left} missed")
    return 1 if left or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
