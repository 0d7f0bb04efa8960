"""A real Chromium, as the system has it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from common.errors import RecommenderError

NAMES = ("chromium", "google-chrome", "chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """Path of the browser. Raises RecommenderError if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise RecommenderError("there is no Chromium: apt-get install chromium, or install Google Chrome")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The browser without a window, until the end of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS), headless=True)
        yield browser
        browser.close()
