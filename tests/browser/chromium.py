"""Debian's Chromium, driven from outside; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright


def installed() -> str | None:
    """Return where Chromium is, if it is here."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def running(path: str) -> Iterator[Browser]:
    """Give a browser without a window."""
    # Its sandbox does not work for root, which a CI machine may well run as.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*options, "--force-prefers-reduced-motion"])
        try:
            yield browser
        finally:
            browser.close()
