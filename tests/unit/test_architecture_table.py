"""The grid in docs/architecture.md is the one in the code, line for line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from ttsprompt.domain import call
from ttsprompt.domain.call import GRID

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
HANDLERS = sorted({handler for row in GRID.values() for handler in row}, key=lambda handler: str(handler.__name__))


def grid_in_the_code() -> str:
    source = inspect.getsource(call)
    return source.partition("# fmt: off\n")[2].partition("# fmt: on")[0].strip()


def test_the_documented_grid_is_the_code() -> None:
    documented = ARCHITECTURE.read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0].strip()

    assert documented == grid_in_the_code()


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: str(handler.__name__))
def test_every_handler_says_what_it_does(handler: object) -> None:
    assert inspect.getdoc(handler)
