"""The table of fields in docs/api.md is the model's."""

from __future__ import annotations

from pathlib import Path

from tests.tools.request_table import BEGIN, END, request_table

PAGE = Path(__file__).parents[2] / "docs/api.md"


def test_the_table_of_the_page_is_the_models() -> None:
    """Renew it with `python -m tests.tools.request_table`."""
    documented = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]

    assert documented.strip() == request_table()
