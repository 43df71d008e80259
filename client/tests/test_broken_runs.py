"""A small part of what `broken_runs.py` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest
from broken_runs import break_runs


@pytest.mark.timeout(600)  # it may be a busy machine
def test_nobody_is_dialled_twice_however_a_run_is_broken(tmp_path: Path) -> None:
    result = break_runs(range(8), tmp_path, seed=7, workers=4)

    assert result.faults() == []
    assert len(result.runs) == 8
    assert sum(result.dialled.values()) >= 8
    # The faults were there.
    assert sum(result.front.values()) > result.front["pass"]
    assert any(end not in {0, 1, 2} for told in result.runs for end in told.ends)
