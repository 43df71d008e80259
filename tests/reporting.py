"""A run says that no test was silently left out, and of libraries only what helps. A plugin, see pyproject.toml."""

from __future__ import annotations

import logging
import os
import sysconfig
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

LIBRARIES: Final = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))


def pytest_configure(config: pytest.Config) -> None:
    """Watch the run, in the process that the reports come together in."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Completeness(config), "completeness")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Leave out of what is shown of a failed test what libraries log below WARNING; `caplog` has it all."""
    capture = session.config.pluginmanager.get_plugin("logging-plugin")
    if capture is not None:
        capture.report_handler.addFilter(_helps)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[None]:
    """Leave out of tracebacks what happens within libraries; --full-trace shows it."""
    if call.excinfo is not None:
        _hide_libraries(call.excinfo.value)
    return (yield)


def _helps(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or not record.pathname.startswith(LIBRARIES)


def _hide_libraries(error: BaseException) -> None:
    seen: set[int] = set()
    errors: list[BaseException | None] = [error]
    while errors:
        each = errors.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        errors += [each.__cause__, each.__context__, *(each.exceptions if isinstance(each, BaseExceptionGroup) else ())]
        entry = each.__traceback__
        while entry is not None:
            names = entry.tb_frame.f_globals
            # pytest takes its own frames out itself, and needs them to say where a test was skipped.
            is_pytest = str(names.get("__name__")).partition(".")[0] in {"_pytest", "pluggy"}
            if entry.tb_frame.f_code.co_filename.startswith(LIBRARIES) and not is_pytest:
                names["__tracebackhide__"] = True  # it is looked for among a frame's names, its module's too
            entry = entry.tb_next


class Completeness:
    """Fails a run in which a collected test was not reported, or, where TTSPROMPT_NO_SKIPS is set, was skipped.

    A worker process that dies, or a hook that swallows a report, otherwise shows as fewer tests and a green run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._collected: set[str] = set()
        self._reported: set[str] = set()
        self._skipped: set[str] = set()
        self._repeated: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what this process collected."""
        self._collect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:  # noqa: ARG002 - the hook's names
        """Remember what a worker collected."""
        self._collect(ids)

    def _collect(self, ids: list[str]) -> None:
        self._collected |= set(ids)
        self._repeated |= {name for name, times in Counter(ids).items() if times > 1}

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
        faults += [
            f"collected under one name with others, of which one may run: {name}" for name in sorted(self._repeated)
        ]
        if os.environ.get("TTSPROMPT_NO_SKIPS"):
            # There, everything is installed.
            faults += [f"skipped, which counts as a failure here: {name}" for name in sorted(self._skipped)]
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        for fault in faults:
            if reporter is not None:
                reporter.write_line(fault, red=True)
        if faults:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
