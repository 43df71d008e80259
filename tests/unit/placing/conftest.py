"""No thread is left of a call that was placed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.placing.order import join_all, placing_threads


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    join_all(placing_threads())
    assert placing_threads() == []
