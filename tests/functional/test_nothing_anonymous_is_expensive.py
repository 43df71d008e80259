"""The most expensive anonymous request of each kind that a short search finds; the figures are in SECURITY.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.expensive_requests import FAMILIES, Send, worst_of
from tests.world import make_world

CPU_MS = 100
"""Some ten times what the worst costs, as other work on the machine slows this down too."""

ANSWER_BYTES = 96 * 1024
"""The description has two thirds of it; no other answer comes near."""

ROUNDS = 12


@pytest.mark.parametrize("send", FAMILIES, ids=lambda send: send.__name__)
def test_no_anonymous_request_is_expensive(tmp_path: Path, send: Send) -> None:
    cost = worst_of(send, make_world(tmp_path), ROUNDS)

    assert cost.cpu_ms < CPU_MS
    assert cost.answer_bytes < ANSWER_BYTES
    assert cost.status < 500
