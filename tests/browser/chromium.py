"""Debian's Chromium, driven from outside; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Error, Page, Playwright, sync_playwright


def installed() -> str | None:
    """Return where Chromium is, if it is here."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """A browser without a window."""

    def __init__(self, playwright: Playwright, path: str) -> None:
        self._playwright = playwright
        self._path = path
        self._browser = self._launch()

    def new_page(self, **context: Any) -> Page:
        """Open an empty page in a context of its own.

        Chromium crashes on its own account now and then, one empty page in a thousand: another one takes its place.
        """
        try:
            return self._browser.new_context(**context).new_page()
        except Error:
            if self._browser.is_connected():
                raise
        self._browser = self._launch()
        return self._browser.new_context(**context).new_page()

    def close(self) -> None:
        """End it."""
        self._browser.close()

    def _launch(self) -> Browser:
        # Its sandbox does not work for root, which a CI machine may well run as.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        options += ["--force-prefers-reduced-motion"]
        return self._playwright.chromium.launch(executable_path=self._path, args=options)


@contextmanager
def running(path: str) -> Iterator[Chromium]:
    """Give a browser."""
    with sync_playwright() as playwright:
        chromium = Chromium(playwright, path)
        try:
            yield chromium
        finally:
            chromium.close()
