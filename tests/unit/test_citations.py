"""What code and pages cite is in the repository: sections, decisions, pages, and the anchors of links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SUFFIXES: Final = frozenset({".html", ".in", ".js", ".json", ".md", ".mjs", ".py", ".sh", ".toml", ".yaml", ".yml"})
NAMES: Final = frozenset({"Makefile", "run"})
LOCKED: Final = re.compile(r"requirements.*\.txt")
ELSEWHERE: Final = frozenset({"build", "node_modules", "__pycache__"})
"""Folders that are made, not written; so are those whose names begin with a dot, but for `.ci` and `.github`."""

SIGN: Final = "\N{SECTION SIGN}"
SECTION: Final = re.compile(
    rf"(?:(?<!\w)(?P<document>RFC\s\d+|HTML\sstandard|[\w./-]+)\s+)?{SIGN}\s?(?P<number>\d+(?:\.\d+)*)"
)
JOINTS: Final = frozenset({"and", "by", "from", "in", "of", "or", "see", "to"})
"""Words that stand before a section and name no document."""
PUBLISHED: Final = re.compile(r"(RFC\s\d+|HTML\sstandard)$")
"""Documents that everybody can find, so their sections are not checked."""
PAGE: Final = re.compile(r"(?<![\w/.-])(?:\./|\.\./)*[\w.-]+(?:/[\w.-]+)*\.md\b")
IN_DOCS: Final = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")
DECISION: Final = re.compile(r"\b[Dd]ecisions?(?: |/)(?P<number>\d{1,4})\b")
LINK: Final = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
URL: Final = re.compile(r"https?://\S+")
NUMBERED: Final = re.compile(r"\[(?:decision )?(\d{4})\]\((?:[\w./-]*/)?(\d{4})-")
CODE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MODULE: Final = re.compile(r"python[\d.]* -m ([\w.]*\w)")
FILE: Final = re.compile(r"`((?:[\w.*-]+/)+[\w.*-]*|[\w*-]+\.py)`")


def written_files() -> Iterator[Path]:
    """Return what somebody wrote, also where there is no git: a build gets the files alone."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f in {".ci", ".github"} or not (f.startswith(".") or f in ELSEWHERE)]
        for name in names:
            path = Path(folder, name)
            if (path.suffix in SUFFIXES or name in NAMES) and not LOCKED.fullmatch(name):
                yield path


def faults(text: str, path: Path) -> list[str]:
    """Return what the text of a file cites and nobody can look up."""
    return [*_sections(text, path), *_pages(text, path.parent), *_decisions(text)]


def _sections(text: str, path: Path) -> Iterator[str]:
    """A section belongs to the document named right before it; in a list, or alone, to the last one named."""
    document = path.name if path.suffix == ".md" else ""
    for match in SECTION.finditer(text):
        named, number = match["document"], match["number"]
        if named is not None and named not in JOINTS:
            document = named
        if PUBLISHED.match(document):
            continue
        page = _find(document, path.parent) if document.endswith(".md") else None
        if page is None:
            yield f"{document} {SIGN}{number}: no such document"
        elif number not in _numbers(page):
            yield f"{document} {SIGN}{number}: no such section"


def _pages(text: str, home: Path) -> Iterator[str]:
    text = URL.sub("", text)
    for name in {*PAGE.findall(text), *IN_DOCS.findall(text)}:
        if "NNNN" not in name and _find(name, home) is None:
            yield f"{name}: no such page"


def _decisions(text: str) -> Iterator[str]:
    for match in DECISION.finditer(URL.sub("", text)):
        if not list((ROOT / "docs/decisions").glob(f"{match['number']}-*.md")):
            yield f"decision {match['number']}: no such decision"


def _find(name: str, home: Path) -> Path | None:
    """Return what is cited by a name: a path from the citing file, the root or `docs`, or a decision by its number."""
    for base in (home, ROOT, ROOT / "docs"):
        if (base / name).exists():
            return base / name
        if found := sorted((base / name).parent.glob(f"{Path(name).name}-*.md")):
            return found[0]
    return None


def _numbers(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", page.read_text(encoding="utf-8"), re.MULTILINE)
    return set(headings)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_everything_cited_is_in_the_repository() -> None:
    files = list(written_files())
    # A walk that finds nothing would prove nothing.
    assert len(files) > 200
    found = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in files
        for fault in faults(path.read_text(encoding="utf-8"), path)
    ]
    assert found == []


def pages() -> list[Path]:
    """Return the pages that tell what is; decisions and the changelog tell what was."""
    found = [path for path in written_files() if path.suffix == ".md" and path.parent.name != "decisions"]
    return [path for path in found if path.name != "CHANGELOG.md"]


def test_every_module_that_a_page_runs_can_be_run() -> None:
    named = {
        (str(page.relative_to(ROOT)), name) for page in pages() for name in MODULE.findall(page.read_text("utf-8"))
    }

    assert len(named) > 5
    assert {(page, name) for page, name in named if not _runs(name)} == set()


def test_every_file_that_a_page_names_is_there() -> None:
    """A module may be named from its package on; of other things, those that begin with a folder of ours are meant."""
    files = {str(path.relative_to(ROOT)) for path in written_files()}
    named = {(page, name) for page in pages() for name in FILE.findall(CODE.sub("", page.read_text("utf-8")))}

    assert len(named) > 100
    assert {
        (str(page.relative_to(ROOT)), name) for page, name in named if not _is_there(name, page.parent, files)
    } == set()


def test_a_link_that_is_named_by_a_decisions_number_leads_to_that_decision() -> None:
    numbered = [(path, *found) for path in written_files() for found in NUMBERED.findall(path.read_text("utf-8"))]

    assert len(numbered) > 5
    assert [(str(path.relative_to(ROOT)), text, target) for path, text, target in numbered if text != target] == []


def _runs(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    ours = path.with_name(f"{path.name}.py").is_file() or (path / "__main__.py").is_file()
    return ours or ("." not in module and not path.exists() and find_spec(module) is not None)


def _is_there(name: str, home: Path, files: set[str]) -> bool:
    pattern = re.sub(r"\bNAME\b", "*", name).rstrip("/")
    if any([*ROOT.glob(pattern), *home.glob(pattern)]):
        return True
    if name.endswith(".py"):
        return any(fnmatch(f"/{file}", f"*/{pattern}") for file in files)
    return not any(file.startswith(f"{name.partition('/')[0]}/") for file in files)


def test_every_link_of_a_page_leads_to_a_file_and_a_heading_of_it() -> None:
    broken = []
    for path in (p for p in written_files() if p.suffix == ".md"):
        for match in LINK.finditer(CODE.sub("", path.read_text(encoding="utf-8"))):
            target = path.parent / match["path"] if match["path"] else path
            if not target.exists() or (match["anchor"] and match["anchor"] not in _anchors(target)):
                broken.append(f"{path.relative_to(ROOT)}: {match[0]}")
    assert broken == []


@pytest.mark.parametrize(
    "citation",
    [
        f"(docs/vonage.md {SIGN}3.9)",
        f"(docs/vonage.md {SIGN}1.1, {SIGN}7)",
        f"docs/vonage.md {SIGN}1.5 and {SIGN}8.3",
        f"the budget of the design ({SIGN}4)",
        f"design {SIGN}3.1",
        f"vonage-voice {SIGN}2",
        "cases" + f".md {SIGN}2",
        f"docs/reliability.md {SIGN}2",
        f"alone ({SIGN}2.1)",
        *(f"see {name}.md" for name in ("google", "cases", "style", "vonage-voice", "docs" + "/nothing")),
        "docs/" + "nowhere",
        "decision" + " 0099",
        "docs/decisions" + "/0099",
        "docs/decisions" + "/0001-another-name.md",
    ],
)
def test_a_citation_that_leads_nowhere_is_found(citation: str) -> None:
    assert faults(citation, ROOT / "main.py") != []


@pytest.mark.parametrize(
    "citation",
    [
        f"(docs/vonage.md {SIGN}3.4, {SIGN}4)",
        f"docs/vonage.md {SIGN}1.5 and {SIGN}3.3",
        f"(docs/vonage.md {SIGN}1.4, C)",
        f"(docs/vonage.md {SIGN}2.2) and later, alone ({SIGN}3.1)",
        f"RFC 9110 {SIGN}10.2.3, HTML standard {SIGN}9.2",
        "docs/decisions/0001, decision 0011, docs/operations.md, CONTRIBUTING.md, docs/decisions/README.md",
        "https://cloud.google.com/logging/docs/structured-logging",
    ],
)
def test_a_citation_that_leads_somewhere_is_not(citation: str) -> None:
    assert faults(citation, ROOT / "main.py") == []
