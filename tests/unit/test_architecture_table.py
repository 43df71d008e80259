"""The table in docs/architecture.md is the one in the code."""

from __future__ import annotations

from pathlib import Path

from tests.tools.transition_table import BEGIN, END, transition_table
from ttsprompt.domain.call import TRANSITIONS

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


def test_the_documented_table_is_what_the_code_does() -> None:
    """Renew it with `python -m tests.tools.transition_table`."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    documented = text.partition(BEGIN)[2].partition(END)[0]
    assert documented.strip() == transition_table()


def test_every_handler_says_what_it_does() -> None:
    assert all(handler.__doc__ for handler in TRANSITIONS.values())
