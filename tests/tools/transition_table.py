"""Prints the call's table of transitions as Markdown: `python -m tests.tools.transition_table`."""

from __future__ import annotations

import inspect
from typing import get_args

from ttsprompt.domain.call import TRANSITIONS
from ttsprompt.domain.events import Event
from ttsprompt.domain.model import Phase

BEGIN = "<!-- transitions -->"
END = "<!-- /transitions -->"


def transition_table() -> str:
    """Return a row for each event and a column for each phase, and below them what each handler does."""
    lines = [
        _row("event", *(phase.value for phase in Phase)),
        _row(*["---"] * (len(Phase) + 1)),
    ]
    for kind in get_args(Event):
        handlers = [TRANSITIONS[phase, kind].__name__ for phase in Phase]
        lines.append(_row(kind.__name__, *(_cell(name) for name in handlers)))
    lines += ["", *(f"* {_cell(name)}: {meaning}" for name, meaning in _legend().items())]
    return "\n".join(lines)


def _cell(name: str) -> str:
    return "·" if name == "ignore" else f"`{name}`"


def _legend() -> dict[str, str]:
    """Return each handler's docstring, in the order in which the table first names them."""
    in_order = [TRANSITIONS[phase, kind] for kind in get_args(Event) for phase in Phase]
    return {handler.__name__: " ".join((inspect.getdoc(handler) or "").split()) for handler in in_order}


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(transition_table())  # noqa: T201 - printing is what this command is for
