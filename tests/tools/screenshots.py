"""Takes pictures of the dev phone's page: `python -m tests.tools.screenshots` (`make screenshots`).

Into build/screenshots, at three widths, light and dark; with `--readme` also docs/devphone.png, which the README shows.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import expect

from devphone.callee.script import Callee, PickUp
from devphone.customer.desk import Desk
from devphone.processes.pair import make_phone, running_pair
from devphone.vendor.tokens import make_application
from tests.browser.chromium import Chromium, installed, running

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "build" / "screenshots"
README: Final = ROOT / "docs" / "devphone.png"
SIZES: Final = {360: 780, 800: 1100, 1600: 900}
README_SIZE: Final = (1200, 660)


def main(arguments: list[str]) -> str | None:
    """Take the pictures; return why there are none."""
    path = installed()
    if path is None:
        return "The pictures need Chromium (apt-get install chromium)."
    FOLDER.mkdir(parents=True, exist_ok=True)
    application = make_application()
    phone = make_phone(application, Callee(pick_up=PickUp.PERSON), speed=1)
    with (
        running_pair(phone, "sqlite") as pair,
        pair.sweeper() as sweeper,
        running(path) as chromium,
    ):
        phone.open_desk(Desk(pair.service.url, f"{sweeper.url}/", application.token))
        if "--readme" in arguments:
            _take(chromium, pair.board.url, README_SIZE, "light", README.with_suffix(""), only_the_middle=True)
        for width, height in SIZES.items():
            for scheme in ("light", "dark"):
                _take(chromium, pair.board.url, (width, height), scheme, FOLDER / f"{width}-{scheme}")
    return None


def _take(
    chromium: Chromium, url: str, size: tuple[int, int], scheme: str, to: Path, *, only_the_middle: bool = False
) -> None:
    """Picture the page at rest, ringing, in the middle of a PIN, and after the call; whole, or what a window shows."""
    page = chromium.new_page(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )

    def picture(name: str) -> None:
        page.mouse.move(0, 0)
        if only_the_middle and name == "pin":
            page.screenshot(path=to.with_suffix(".png"))
        if not only_the_middle:
            page.screenshot(path=f"{to}-{name}.png", full_page=size[0] < min(README_SIZE))

    page.goto(url)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture("rest")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#state")).to_have_text("Incoming call")
    picture("ringing")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Waiting for keys")
    page.keyboard.type("1111")
    expect(page.locator("#caption")).to_contain_text("not right")
    page.keyboard.type("12")
    expect(page.get_by_label("2 of 4 keys")).to_be_visible()
    picture("pin")
    page.keyboard.type("34")
    expect(page.locator("#outcome")).to_contain_text("ok", timeout=20_000)
    page.locator("#timeline > li").filter(has_text="reports the keys").last.locator("summary").click()
    picture("over")
    page.context.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
