"""What a run must say besides what pytest says: no test is silently left out. A plugin, see pyproject.toml."""

from __future__ import annotations

import os
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run, in the process that the reports come together in."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Completeness(config), "completeness")


class Completeness:
    """Fails a run in which a collected test was not reported, or, where TTSPROMPT_NO_SKIPS is set, was skipped.

    A worker process that dies, or a hook that swallows a report, otherwise shows as fewer tests and a green run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collected: set[str] = set()
        self._reported: set[str] = set()
        self._skipped: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what this process collected."""
        self._collected |= {item.nodeid for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:  # noqa: ARG002 - the hook's names
        """Remember what a worker collected."""
        self._collected |= set(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember that a test was reported."""
        self._reported.add(report.nodeid)
        if report.skipped:
            self._skipped.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run for what it left out."""
        if session.exitstatus != pytest.ExitCode.OK or self._config.option.collectonly:
            return
        faults = [f"collected, but not reported: {name}" for name in sorted(self._collected - self._reported)]
        if os.environ.get("TTSPROMPT_NO_SKIPS"):
            # There, everything is installed.
            faults += [f"skipped, which counts as a failure here: {name}" for name in sorted(self._skipped)]
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        for fault in faults:
            if reporter is not None:
                reporter.write_line(fault, red=True)
        if faults:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
