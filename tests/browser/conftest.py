"""The real service and the phone, with its page open in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from devphone.callee.script import Callee, PickUp
from devphone.customer.desk import Desk
from devphone.processes.pair import Pair, make_phone, running_pair
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.tokens import make_application
from tests.browser.chromium import Chromium, installed, running

expect.set_options(timeout=15_000)  # a script thinks and speaks as long as a person

SETTINGS = {"CALLBACK_RETRY_SCHEDULE": "1,1,1"}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One browser for a module; beyond it, the loop it runs in would keep other tests from having theirs."""
    path = installed()
    if path is None:
        pytest.skip(
            "the page's tests need Chromium (apt-get install chromium)"
        )  # a user's machine may lack it; CI fails then
    with running(path) as started:
        yield started


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """The service, its sweep, and a phone whose calls ring on the page."""
    application = make_application()
    phone = make_phone(application, Callee(pick_up=PickUp.PERSON), speed=1)
    with (
        running_pair(phone, "sqlite", settings=SETTINGS) as started,
        started.sweeper() as sweeper,
    ):
        phone.open_desk(Desk(started.service.url, f"{sweeper.url}/", application.token))
        yield started


@pytest.fixture
def page(chromium: Chromium, pair: Pair) -> Iterator[Page]:
    """The page, just opened, by somebody whom no earlier call concerns; the page must not complain of anything."""
    phone = pair.board.phone
    phone.behaviour.habits, phone.behaviour.faults, phone.behaviour.rate = frozenset(), Faults(), None
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(10_000)
    lines = phone.timeline.count()
    opened.add_init_script(f"addEventListener('DOMContentLoaded', () => {{ document.body.dataset.lines = {lines} }})")
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    opened.goto(pair.board.url)
    opened.get_by_text("Live", exact=True).wait_for()
    if lines:  # what happened before is told first
        opened.locator(f"#timeline > li[data-line='{lines}']").wait_for(state="attached")
    yield opened
    opened.context.close()
    with httpx.Client(base_url=f"{pair.board.url}/devphone/calls", trust_env=False) as client:
        for leg in [leg for leg in list(phone.exchange.legs.values()) if not leg.is_over]:
            for action in ("reject", "hang-up"):
                client.post(f"/{leg.uuid}/{action}")
    assert complaints == []
