"""The tests that pages name are there, and what SECURITY.md claims names one."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["SECURITY.md", "README.md", "CONTRIBUTING.md", *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md"))]
NAMED = re.compile(r"`((?:tests/)?[\w/]*test_[\w*]+(?:\.py)?)(?:::(\w+))?`")


def names_there() -> set[str]:
    """Return the paths and names of all test files and functions."""
    found = set()
    for path in ROOT.glob("tests/**/test_*.py"):
        found |= {path.name, str(path.relative_to(ROOT))}
        found |= set(re.findall(r"^ *def (test_\w+)", path.read_text(), re.MULTILINE))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    there = names_there()
    named = {name for match in NAMED.finditer((ROOT / page).read_text()) for name in match.groups() if name}

    assert {name for name in named if not any(fnmatch(test, name) for test in there)} == set()


def test_pages_do_name_tests() -> None:
    assert len(NAMED.findall((ROOT / "SECURITY.md").read_text())) > 30
    assert len(NAMED.findall((ROOT / "docs/reliability.md").read_text())) > 30


def test_every_defence_of_the_threat_table_names_its_test() -> None:
    rows = re.findall(
        r"^\| (?!Threat|Request|-)(.+?) \|.*\| (.*?) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE
    )

    assert len(rows) > 20
    assert [threat for threat, tests in rows if not NAMED.search(tests)] == []
