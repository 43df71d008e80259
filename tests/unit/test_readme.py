"""README is short, and repeats no figure that the page it comes from does not have."""

from __future__ import annotations

import re
from pathlib import Path

from ttsprompt.domain.verdict import Reason, Status
from ttsprompt.web import problems

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_under_120_lines() -> None:
    assert len(README.splitlines()) < 120


def test_its_costs_are_those_of_the_page_on_capacity() -> None:
    figures = re.findall(r"\$[0-9.]*[0-9]", README)
    page = (ROOT / "docs/capacity.md").read_text(encoding="utf-8")

    assert len(figures) >= 5
    assert [figure for figure in figures if not re.search(rf"{re.escape(figure)}(?![0-9.]*[0-9])", page)] == []


def test_its_statuses_and_reasons_are_there_and_belong_together() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", README, re.MULTILINE)
    told = {status: re.findall(r"`(\w+)`", words) for status, words in rows}

    assert set(told) == set(Status)
    assert [r for status, reasons in told.items() for r in reasons if Reason(r).status is not Status(status)] == []


def test_an_unclear_answer_is_told_with_what_a_repeat_gets_wherever_it_is_told() -> None:
    pages = ["README.md", "docs/api.md", "docs/errors.md", "docs/client.md", "ttsprompt/web/openapi.py"]
    texts = {page: re.sub(r'["\s]+', " ", (ROOT / page).read_text(encoding="utf-8")) for page in pages}
    told = (
        r"vendor_unclear.{0,400}phone may be ringing.{0,700}"
        r"repeat under the same (`Idempotency-Key`|key) gets \w+( same)? tid as a replay\b.{0,50} and dials nobody"
    )

    assert [page for page, text in texts.items() if not re.search(told, text)] == []
    assert problems.STATUSES["vendor_unclear"] == (504,)
