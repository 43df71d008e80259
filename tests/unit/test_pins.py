"""What is installed first and what is added to it are the same releases."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(name: str) -> set[str]:
    found = set(re.findall(r"^[\w.-]+==[^\s;]+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
    assert len(found) > 50, name
    return found


def test_what_runs_it_is_all_pinned_alike_for_the_tests_and_for_the_cloud() -> None:
    """So `make test` after `make demo` only adds, and both run what the functions run."""
    assert pins("requirements.txt") <= pins("requirements-running.txt") <= pins("requirements-dev.txt")
