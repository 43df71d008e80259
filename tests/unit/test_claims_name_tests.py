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
    for path in (*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("client/tests/test_*.py")):
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


ROW = re.compile(r"^\| (?!-)(.+) \|$", re.MULTILINE)
HEADS = re.compile(r"^\| .+ \|\n(?=\|---)", re.MULTILINE)
COMMAND = re.compile(r"`(?:make \w+|python -m [\w.]+|tests/canaries\.py)`")
REPORT = re.compile(r"\[[\w.-]+/([\w.-]+)#(\d+)\]\(https://github\.com/[\w.-]+/([\w.-]+)/(?:issues|pull)/(\d+)\)")


def evidence() -> list[str]:
    """Return the rows of the page's tables."""
    return ROW.findall(HEADS.sub("", (ROOT / "docs/evidence.md").read_text(encoding="utf-8")))


def test_every_row_of_the_evidence_names_its_test_or_command() -> None:
    rows = evidence()

    assert len(rows) > 60
    assert [row for row in rows if not NAMED.search(cells(row)[-1]) and not COMMAND.search(cells(row)[-1])] == []


def cells(row: str) -> list[str]:
    return row.split(" | ")


def test_a_report_is_called_by_what_its_link_leads_to() -> None:
    links = [link for row in evidence() for link in re.findall(r"\[[^\]]+#\d+\]\([^)]+\)", row)]

    assert len(links) > 20
    for link in links:
        match = REPORT.fullmatch(link)
        assert match, link
        assert match.group(1, 2) == match.group(3, 4), link


def test_what_was_never_tried_is_said() -> None:
    never = (ROOT / "docs/evidence.md").read_text(encoding="utf-8").partition("## Never tried")[2]

    assert all(word in never for word in ("Vonage account", "Google's cloud", "Chromium", "Windows", "macOS"))
