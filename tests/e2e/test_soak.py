"""The promises under kill -9: a short soak for each store. `make soak` is the long one."""

from __future__ import annotations

import pytest

from tests.soak.run import Soak, soak

SHORT = Soak(seconds=5, seed=7, rate=10, stale_after_s=20, patient=False)


@pytest.mark.parametrize("store", ["sqlite", "firestore"])
def test_whatever_is_killed_each_request_gets_one_call_and_one_outcome(
    store: str, request: pytest.FixtureRequest
) -> None:
    result = soak(SHORT, None if store == "sqlite" else request.getfixturevalue("emulator"))

    report = result.report
    assert (report.lost, report.changed, report.wrong, report.dialled_twice) == ([], [], [], [])
    assert result.left == []
    assert result.troubles.keys() >= {"ttsprompt killed"}
    assert len(report.outcomes) > 1
