"""A pytest plugin: the service and the phone for a suite of any project that installs this repository.

def test_it(ttsprompt_devphone):
ttsprompt_devphone.callee("1111,1234")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devphone.testing import DevPhone, Running


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's settings."""
    parser.addini("ttsprompt_devphone_speed", "telephone seconds in a real one", default="20")
    parser.addini("ttsprompt_devphone_settings", "settings of the service, a NAME=VALUE a line", "linelist", default=[])


@pytest.fixture(scope="session")
def _ttsprompt_running(pytestconfig: pytest.Config) -> Iterator[Running]:
    from devphone.testing import running  # noqa: PLC0415 - suites that do not ask for it pay nothing

    speed = pytestconfig.getini("ttsprompt_devphone_speed")
    try:
        settings = dict(line.split("=", 1) for line in pytestconfig.getini("ttsprompt_devphone_settings"))
        with running(float(speed), settings) as started:
            yield started
    except ValueError as error:
        pytest.fail(f"ttsprompt_devphone_speed and …_settings: {error}", pytrace=False)


@pytest.fixture
def ttsprompt_devphone(_ttsprompt_running: Running) -> Iterator[DevPhone]:
    """Give the phone, with the service beside it; callees, faults and callbacks are this test's alone."""
    with _ttsprompt_running.phone_of_a_test() as phone:
        yield phone
