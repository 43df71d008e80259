"""The table of routes, and what it names."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import ttsprompt.web
from tests.world import World, json_of
from ttsprompt.web import schemas
from ttsprompt.web.problems import STATUSES
from ttsprompt.web.routes import ROUTES, Route, Who

WEB = Path(ttsprompt.web.__file__).parent


def module_of(route: Route) -> ModuleType:
    return import_module(f"ttsprompt.web.{route.handler.partition(':')[0]}")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_what_the_table_names_is_there(route: Route) -> None:
    handler = getattr(module_of(route), route.handler.partition(":")[2])

    in_path = {"tid"} if "{tid}" in route.path else set()
    assert set(inspect.signature(handler).parameters) - {"app", "request", "_request", "body", "_body"} == in_path
    assert {*route.answers, *([route.body] if route.body else [])} <= schemas.BODIES.keys()
    assert set(route.all_codes) <= STATUSES.keys()
    assert len(set(route.all_codes)) == len(route.all_codes)


@pytest.mark.parametrize("path", ["/call/x", "/answer/x", "/"])
def test_a_query_longer_than_any_of_ours_is_refused_before_it_is_read(path: str, world: World) -> None:
    """The server bounds no target, and to parse one of megabytes takes seconds."""
    longest, longer = (world.client.get(f"{path}?{'a' * size}") for size in (16 * 1024, 16 * 1024 + 1))

    assert longer.status_code == 400
    assert json_of(longer)["detail"] == "The query may have at most 16384 bytes."
    assert "16384" not in longest.text


def test_every_handler_is_in_the_table_and_has_one_kind_of_caller() -> None:
    modules = {
        module_of(route).__name__: {r.who for r in ROUTES if module_of(r) is module_of(route)} for route in ROUTES
    }
    handlers = {
        f"{name.rpartition('.')[2]}:{function}"
        for name in modules
        for function, found in inspect.getmembers(import_module(name), inspect.isfunction)
        if found.__module__ == name and not function.startswith("_")
    }

    assert handlers == {route.handler for route in ROUTES}
    assert [who for who in modules.values() if len(who) > 1] == []
    assert {next(iter(who)) for who in modules.values()} == set(Who)


@pytest.mark.parametrize("path", sorted(WEB.glob("*.py")), ids=lambda path: path.name)
def test_modules_of_the_web_import_at_their_top_alone(path: Path) -> None:
    """What comes late comes as a module that the table names."""
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]

    assert [n.name for n in functions if any(isinstance(x, ast.Import | ast.ImportFrom) for x in ast.walk(n))] == []
