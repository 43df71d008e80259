"""Servers for what sends requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.raw_server import Serve, raw_servers


@pytest.fixture
def serve() -> Iterator[Serve]:
    """What starts a server; all of them end with the test."""
    with raw_servers() as start:
        yield start
