"""What every test gets: a clean environment, untouched logging, and a service on demand."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from devphone.processes.emulator import Emulator, is_installed, start_emulator
from tests.canaries import noting_assertions, watching
from tests.world import World, make_world
from ttsprompt.config import PLATFORM_NAMES, SETTING_NAMES

# A busy machine is no fault of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

OUR_SETTINGS = (*SETTING_NAMES, *PLATFORM_NAMES)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have any of our settings set."""
    for name in OUR_SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def in_another_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is not in UTC's time zone."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Starting the service replaces the root logger's handlers."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(autouse=True)
def no_assertion_that_is_answered_with_500(untouched_logging: None) -> Iterator[list[str]]:
    """An assertion in what a fake runs meanwhile fails its test, and not only the request that it interrupts."""
    with noting_assertions() as swallowed:
        yield swallowed
    assert swallowed == []


@pytest.fixture(autouse=True)
def no_secret_where_none_may_be(
    no_assertion_that_is_answered_with_500: None, request: pytest.FixtureRequest
) -> Iterator[None]:
    """A leak fails the test in which it happened; `shows_secrets` marks those that are about taking secrets out."""
    if request.node.get_closest_marker("shows_secrets"):
        yield
        return
    with watching() as canaries:
        yield
    assert canaries.leaks == []


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The Firestore emulator, started for the first test that needs it."""
    if not is_installed():
        pytest.skip("the Firestore emulator needs gcloud and Java")  # a user's machine may lack them; CI fails then
    started = start_emulator()
    yield started
    started.stop()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A service with a scripted outside."""
    return make_world(tmp_path)
