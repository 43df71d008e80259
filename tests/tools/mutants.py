"""`make mutants`: changes the code in small ways, in a copy of it, and counts the changes that no test notices.

By mutmut, a package at a time, with the tests that belong to it; each mutant gets those of them that run its function.
It changes what functions do. Numbers at the top of modules are held by `tests/unit/test_contract_numbers.py`.

Two scores are told. The first counts every mutant. The second, which has to reach the bar, leaves out survivors that no
test should notice: those in `mutants.toml`, each with its reason, and those that change nothing but the words of a
sentence or the capitals of a codec's or header's name. Firestore's adapter is left out: its tests are the emulator's,
in minutes.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tools.claims import COPIED, ROOT, Copy

NOT_HERE: Final = (
    *("test_audit", "test_citations", "test_domain_is_pure", "test_reporting"),
    *("test_every_history", "test_promises_by_machine"),
    "test_every_handler_is_in_the_table",
)
"""Tests that look at files alone; those that search for minutes what others show with one case; and the one that counts
a module's functions, of which mutmut makes many."""

NOTICED: Final = frozenset({"killed", "timeout", "caught by type check", "segfault"})


@dataclass(frozen=True)
class Package:
    """What is changed together, but `without` some. `bar`: the least part, in percent, that has to be noticed."""

    name: str
    bar: float
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """Those of the tests that run its code in another process: mutmut does not see it, so each mutant gets them all."""

    is_run_by_imports: bool = False
    """What it does, it does while modules are imported: each mutant imports them anew, for a second or more, and gets
    all tests, since the first that imports a module is not the only one that what it made is there for."""

    @property
    def tests_of_each(self) -> tuple[str, ...]:
        """The tests that each mutant gets, whichever mutmut thinks run its function."""
        return self.tests if self.is_run_by_imports else self.elsewhere

    @property
    def files(self) -> str:
        """The files, as a pattern."""
        return (
            f"ttsprompt/{self.name}.py" if (ROOT / f"ttsprompt/{self.name}.py").exists() else f"ttsprompt/{self.name}/*"
        )


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/test_{name}.py" for name in names)


def _service(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/service/test_{name}.py" for name in names)


PACKAGES: Final = (
    Package(
        "domain",
        97,
        (
            *_unit("transitions", "endings", "overdue_and_delivery", "ncco", "timing", "verdict", "timeline"),
            *_unit("identifiers", "callback_payload", "retry_delay", "spoken_text", "contract_numbers"),
            *_unit("times_of_transitions"),
            *_service("call_to_outcome", "idempotency", "placed_calls", "who_delivers"),
        ),
    ),
    Package("service", 97, ("tests/service", *_unit("lost_replies", "late", "vonage_look_up"))),
    Package(
        "vonage",
        93,
        (
            *_unit("application_jwt", "bulkhead", "private_key", "vonage_errors", "vonage_look_up"),
            "tests/unit/placing",
            *_unit("webhook_bodies", "contract_numbers", "endings"),
            *_service("webhook_authentication", "captured_webhooks", "nobody"),
        ),
    ),
    Package(
        "callbacks",
        93,
        (*_unit("callback_sender", "exchange", "signing", "late"), "tests/functional/test_rude_receivers.py"),
        elsewhere=("tests/functional/test_rude_receivers.py",),
    ),
    Package(
        "stores",
        93,
        (*_unit("call_document", "lost_replies", "store_steps"), "tests/contract"),
        ("ttsprompt/stores/firestore*.py",),
    ),
    Package(
        "net",
        93,
        (
            *_unit("addresses", "attempt", "callback_url", "callback_sender"),
            "tests/unit/placing",
            "tests/functional/test_rude_receivers.py",
        ),
    ),
    Package(
        "web",
        93,
        (
            *_unit("bodies", "reading", "messages", "contract_numbers"),
            *_service("call_to_outcome", "captured_webhooks", "webhook_authentication", "idempotency", "nobody"),
            *_service("placed_calls", "placing", "waiting", "admission", "dry_run", "number_limit", "key_in_body"),
            *(f"tests/functional/test_{name}.py" for name in ("http", "framework_errors", "routes", "openapi")),
        ),
    ),
    Package(
        "call_request",
        93,
        (*_unit("call_request", "messages", "spoken_text", "callback_url"), *_service("dry_run", "idempotency")),
    ),
    Package(
        "field_types",
        93,
        (*_unit("call_request", "messages", "spoken_text"), "tests/functional/test_openapi.py"),
        is_run_by_imports=True,
    ),
    Package("config", 93, (*_unit("config", "contract_numbers"), *_service("admission"))),
)
"""Each with the tests that show it in milliseconds; far fewer than all, and so in minutes."""


@dataclass(frozen=True)
class Same:
    """A change that does the same as the code does, or nothing that matters: these texts differ in one of its lines."""

    file: str
    was: str
    now: str
    why: str

    def covers(self, survivor: Survivor) -> bool:
        """Tell whether this is about that survivor."""
        return survivor.file == self.file and self.was in survivor.was and self.now in survivor.now


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed: the lines that it changed, as they were and as they are now."""

    name: str
    was: str
    now: str

    @property
    def file(self) -> str:
        """The file that it is in."""
        return "/".join(self.name.rpartition(".")[0].split(".")) + ".py"

    @property
    def is_other_words(self) -> bool:
        """Whether only the words of a sentence (a text with a blank in it) differ, or capitals of a codec or header."""
        was, now = (_HEADER.sub(lambda found: found[0].lower(), text) for text in (self.was, self.now))
        if was == now:
            return True
        one, other = _LITERAL.split(was), _LITERAL.split(now)
        if one == other or len(one) != len(other):
            return False
        differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        return all(
            _LITERAL.fullmatch(a) is not None
            and (" " in a.strip("'\" ") or (a.lower() == b.lower() and a.strip("'\"").lower() in _CODECS))
            for a, b in differing
        )

    def __str__(self) -> str:
        return f"  {self.name}\n    - {self.was}\n    + {self.now}"


_LITERAL: Final = re.compile(r"""(f?"[^"]*"|f?'[^']*')""")
_HEADER: Final = re.compile(r"""headers(\[|\.get\()"[^"]*"|"[^"]*"(?= in request\.headers)""")
_CODECS: Final = frozenset({"ascii", "utf-8", "utf-8-sig", "latin-1"})


def known_same() -> list[Same]:
    """Return what `mutants.toml` has."""
    with (ROOT / "tests/tools/mutants.toml").open("rb") as file:
        return [Same(**row) for row in tomllib.load(file)["same"]]


@dataclass
class Result:
    """What became of the mutants of a package: how many are of each status, and which of the survivors count."""

    package: Package
    statuses: Counter[str]
    survivors: list[Survivor]
    excused: int

    @property
    def total(self) -> int:
        """All that were tried."""
        return self.statuses.total()

    @property
    def noticed(self) -> int:
        """Those that a test noticed."""
        return sum(count for status, count in self.statuses.items() if status in NOTICED)

    @property
    def score(self) -> float:
        """The noticed ones in percent of all."""
        return 100 * self.noticed / max(self.total, 1)

    @property
    def score_of_real(self) -> float:
        """The noticed ones in percent of those that a test could notice."""
        return 100 * self.noticed / max(self.total - self.excused, 1)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.statuses.most_common())
        return (
            f"{self.package.name}: {self.score:.1f} % of {self.total} ({counts}); "
            f"{self.excused} of them no test should notice, {self.score_of_real:.1f} % of the rest"
        )


def changed_files(since: str) -> dict[str, list[str]]:
    """Return the files of ours that differ from a revision, and the functions in each as mutmut names their mutants."""
    done = subprocess.run(
        ["git", "diff", "--unified=0", "--no-color", "--no-ext-diff", "--diff-filter=d", since, "--", "ttsprompt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines: dict[str, set[int]] = {}
    name = ""
    for line in done.stdout.splitlines():
        if line.startswith("+++ b/"):
            name = line.removeprefix("+++ b/")
        elif name.endswith(".py") and (hunk := _HUNK.match(line)):
            start, count = int(hunk[1]), int(hunk[2] or 1)
            # Where lines were taken out, the ones around the gap.
            lines.setdefault(name, set()).update(range(start, start + max(count, 2)))
    return {name: _functions(name, numbers) for name, numbers in lines.items()}


_HUNK: Final = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def _functions(name: str, lines: set[int]) -> list[str]:
    module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    found: list[str] = []
    for node in ast.parse((ROOT / name).read_text()).body:
        kind = node.name if isinstance(node, ast.ClassDef) else ""
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and lines & _lines_of(function):
                mangled = f"xǁ{kind}ǁ{function.name}" if kind else f"x_{function.name}"
                found.append(f"{module}.{mangled}__mutmut_*")
    return found


def _lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    return set(range(function.lineno, (function.end_lineno or function.lineno) + 1))


@dataclass(frozen=True)
class Sample:
    """So many mutants of a package, drawn by chance."""

    size: int
    seed: int

    def of(self, names: list[str]) -> list[str]:
        """Draw."""
        return sorted(random.Random(self.seed).sample(names, min(self.size, len(names))))


_GENERATE: Final = """
import sys
from pathlib import Path
from mutmut import __main__ as mutmut
Path("mutants").mkdir(exist_ok=True)
mutmut.copy_src_dir()
mutmut.copy_also_copy_files()
mutmut.setup_source_paths()
mutmut.store_lines_covered_by_tests()
mutmut.create_mutants(1)
for _, name, _ in mutmut.collect_source_file_mutation_data(mutant_names=())[0]:
    print("mutant", name)
if sys.argv[1:] == ["stats"]:
    mutmut.collect_or_load_stats(mutmut.get_mutant_runner(1))
"""


def _give_all(tests: tuple[str, ...], folder: Path, names: list[str]) -> None:
    """Have mutmut think that each of these functions is run by all of these tests."""
    path = folder / "mutants/mutmut-stats.json"
    stats = json.loads(path.read_text())
    all_tests = [name for name in stats["duration_by_test"] if name.startswith(tests)]
    by_function = stats["tests_by_mangled_function_name"]
    for function in {name.rpartition("__mutmut_")[0] for name in names}:
        by_function[function] = sorted({*by_function.get(function, []), *all_tests})
    path.write_text(json.dumps(stats))


def run(
    package: Package, files: list[str], names: list[str], jobs: int, folder: Path, sample: Sample | None = None
) -> Result:
    """Change these files of a package in a copy under `folder`; with `names`, only the mutants of these names."""
    Copy(folder)
    tests = [path for path in package.tests if (ROOT / path).exists()]
    # The emulator's tests take minutes.
    not_here = [*NOT_HERE, *(["firestore"] if "tests/contract" in tests else [])]
    # JSON's lists and texts are TOML's too.
    settings = {
        "source_paths": ["ttsprompt"],
        "only_mutate": files,
        "do_not_mutate": list(package.without),
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-k", " and ".join(f"not {name}" for name in not_here)],
        "also_copy": sorted({*COPIED, *(path.name for path in ROOT.iterdir() if path.is_file())}),
        **({"process_isolation": "forkserver", "forkserver_warmup": "none"} if package.is_run_by_imports else {}),
        # What does not end is noticed; a busy machine is no end.
        "timeout_constant": 20.0 if package.is_run_by_imports else 5.0,
        "timeout_multiplier": 5.0,
    }
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    with (folder / "pyproject.toml").open("a") as file:
        file.write(f"\n[tool.mutmut]\n{lines}\n")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    mutmut = [sys.executable, "-m", "mutmut"]
    if sample or package.tests_of_each:
        said = _ask([sys.executable, "-c", _GENERATE, *(["stats"] * bool(package.tests_of_each))], folder, environment)
        all_names = [line.removeprefix("mutant ") for line in said.splitlines() if line.startswith("mutant ")]
        if package.tests_of_each:
            _give_all(package.tests_of_each, folder, all_names)
        if sample:
            asked = [name for name in all_names if not names or any(fnmatch.fnmatch(name, one) for one in names)]
            sys.stdout.write(f"{package.name}: {sample.size} of {len(asked)}, drawn with the seed {sample.seed}\n")
            names = sample.of(asked)
    log = folder / "mutmut.log"
    with log.open("w") as output:
        command = [*mutmut, "run", "--max-children", str(jobs), *names]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, check=False)
    if done.returncode and "nothing matches" not in log.read_text(errors="replace"):
        raise SystemExit(f"{package.name}: mutmut failed\n{log.read_text(errors='replace')[-3000:]}")
    said = _ask([*mutmut, "results", "--all", "true"], folder, environment)
    found = [tuple(line.strip().rsplit(": ", 1)) for line in said.splitlines() if ": " in line]
    tried = [(name, status) for name, status in found if status != "not checked"]
    survivors = _survivors([name for name, status in tried if status not in NOTICED], folder, environment)
    same = known_same()
    real = [one for one in survivors if not one.is_other_words and not any(known.covers(one) for known in same)]
    if not names:
        _tell_stale(same, survivors, files)
    return Result(package, Counter(status for _, status in tried), real, len(survivors) - len(real))


def _tell_stale(same: list[Same], survivors: list[Survivor], files: list[str]) -> None:
    """Say which of the known ones no longer are survivors: their line, or what notices it, has changed."""
    for known in same:
        is_here = any(fnmatch.fnmatch(known.file, pattern) for pattern in files)
        if is_here and not any(known.covers(one) for one in survivors):
            sys.stdout.write(f"mutants.toml, no survivor any more: {known.file}: {known.was} -> {known.now}\n")


_SHOW: Final = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for name in sys.stdin.read().split():
    print("mutant", name)
    print(get_diff_for_mutant(name))
"""


def _survivors(names: list[str], folder: Path, environment: dict[str, str]) -> list[Survivor]:
    """Return what these changed, from one process for all: mutmut takes two seconds to start."""
    said = subprocess.run(
        [sys.executable, "-c", _SHOW],
        input="\n".join(names),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = []
    for part in ("\n" + said).split("\nmutant ")[1:]:
        name, *diff = part.splitlines()
        changed = [line for line in diff if line[:3] not in {"+++", "---"}]
        was, now = (" ".join(line[1:].strip() for line in changed if line[:1] == sign) for sign in "-+")
        found.append(Survivor(name, was, now))
    return found


def _ask(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def main() -> int:
    """Change what is asked for; return the exit code: 0 if every package reaches its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", nargs="*", help="packages, or files of ttsprompt; all if none is named")
    parser.add_argument("--changed", action="store_true", help="only functions that differ from --since")
    parser.add_argument("--since", default="main", help="a revision (main)")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants of each package, drawn by chance")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="work here, and leave it there")
    options = parser.parse_args()
    changed = changed_files(options.since) if options.changed else None
    is_good = True
    for package in PACKAGES:
        names: list[str] = []
        files = [name for name in options.package if fnmatch.fnmatch(name, package.files)]
        if options.package and not files and package.name not in options.package:
            continue
        if changed is not None:
            files = [name for name in changed if fnmatch.fnmatch(name, package.files)]
            names = [mutants for name in files for mutants in changed[name]]
            if not names:
                continue
        folder = options.keep / package.name if options.keep else Path(tempfile.mkdtemp(prefix="mutants-"))
        folder.mkdir(parents=True, exist_ok=True)
        sample = Sample(options.sample, options.seed) if options.sample else None
        result = run(package, files or [package.files], names, options.jobs, folder, sample)
        if not options.keep:
            shutil.rmtree(folder)
        sys.stdout.write("\n".join([*map(str, result.survivors), str(result), ""]))
        sys.stdout.flush()
        is_good = is_good and result.score_of_real >= package.bar
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
