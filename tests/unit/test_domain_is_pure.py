"""The rules of a call depend on the standard library alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

DOMAIN = Path(__file__).parents[2] / "ttsprompt" / "domain"
IMPURE = {"asyncio", "http", "logging", "os", "random", "secrets", "socket", "subprocess", "sys", "threading", "time"}
"""Of the standard library, what asks or changes the world outside."""


def imported_by(module: Path) -> set[str]:
    tree = ast.parse(module.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return set(names)


@pytest.mark.parametrize("module", sorted(DOMAIN.glob("*.py")), ids=lambda path: str(path.name))
def test_the_domain_imports_the_pure_standard_library_and_itself(module: Path) -> None:
    foreign = {
        name
        for name in imported_by(module)
        if not name.startswith("ttsprompt.domain")
        and (name.partition(".")[0] not in sys.stdlib_module_names or name.partition(".")[0] in IMPURE)
    }

    assert foreign == set()


def test_what_is_impure_would_be_seen(tmp_path: Path) -> None:
    module = tmp_path / "impure.py"
    module.write_text("import time\nfrom ttsprompt.errors import FieldFault\nimport flask\n")

    assert imported_by(module) == {"time", "ttsprompt.errors", "flask"}
