"""The document and the service, held against each other by generated requests, good and bad (schemathesis)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import schemathesis
from flask import Request
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.config import ChecksConfig, GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.config._checks import NegativeDataRejectionConfig
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance, use_after_free

from tests.world import bearer, make_world
from ttsprompt.web.routes import ROUTES

BASE_URL: Final = "https://calls.example.com"

# What JSON Schema cannot say of a value; each format is a subset of what the service takes.
schemathesis.openapi.format("e164", st.integers(0, 99_999).map(lambda number: f"4479705{number:05}"))
schemathesis.openapi.format("plain-text", st.text(st.characters(codec="utf-8", categories=("L", "N", "P"))))
schemathesis.openapi.format("spoken-text", st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1))
schemathesis.openapi.format(
    "callback-url", st.text("abcdefgh", min_size=1, max_size=20).map(lambda path: f"https://example.com/{path}")
)

# At import, since there is a test for each operation; the folder goes with the process.
FOLDER: Final = TemporaryDirectory()
WORLD: Final = make_world(Path(FOLDER.name), BASE_URL=BASE_URL)


def app(environ: Any, start: Any) -> Any:
    return WORLD.app(Request(environ))(environ, start)


project = ProjectConfig(
    headers=bearer(WORLD.clock),
    generation=GenerationConfig(max_examples=60, deterministic=True),
    checks=ChecksConfig(negative_data_rejection=NegativeDataRejectionConfig(expected_statuses=["4XX"])),
)
schema = schemathesis.openapi.from_wsgi(
    "/openapi.json", app, config=SchemathesisConfig(projects=ProjectsConfig(default=project))
)


OPERATIONS: Final = [schema[route.path][route.method] for route in ROUTES]


def says_only_what_schemas_can(body: Any) -> bool:
    """Tell whether a schema can say if a body is good.

    Only words say: rules between two fields, that an empty field counts as absent, that 3.0 is not taken for a whole
    number, and that a credential of the body is not looked at beside a header.
    """
    if not isinstance(body, dict):
        return True
    pin, code = body.get("pin_code"), body.get("reject_code")
    return not (
        any(value in ("", None) or isinstance(value, float) for value in body.values())
        or body.keys() & {"private_key", "app_id"}
        or body.get("to") == body.get("from")
        or (isinstance(pin, str) and isinstance(code, str) and (pin.startswith(code) or code.startswith(pin)))
    )


@pytest.mark.shows_secrets  # the PINs it makes up may be anything, even the number that is called
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_operation_keeps_to_its_description(operation: APIOperation[Any, Any, Any, Any]) -> None:
    # Not by `schema.parametrize()`, which makes all requests up while tests are collected, in each process anew.
    build_operation_test(
        config=schema.config,
        operation=operation,
        test_func=keeps_to_its_description,
        given_kwargs={},
        feedback=FeedbackSources(),
        explicit_settings=settings(suppress_health_check=list(HealthCheck), deadline=None),
    )()


def keeps_to_its_description(case: schemathesis.Case[Any]) -> None:
    # A cancelled call is still there: DELETE ends a phone call, not a record.
    excluded: list[Any] = [use_after_free]
    if not says_only_what_schemas_can(case.body):
        excluded += [negative_data_rejection, positive_data_acceptance]
    case.call_and_validate(excluded_checks=excluded)
