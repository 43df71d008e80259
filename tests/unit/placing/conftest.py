"""Servers to place a call at, and no thread left of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.raw_server import raw_servers
from tests.unit.placing.order import Serve, join_all, placing_threads


@pytest.fixture
def serve() -> Iterator[Serve]:
    with raw_servers() as start:
        yield start


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    join_all(placing_threads())
    assert placing_threads() == []
