"""`make screenshots`: pictures of the pages from a real run on ports and folders of its own, into docs/images/."""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page

from common.settings import ROOT
from scripts.browser import open_browser
from scripts.run import await_ready
from scripts.sandbox import START_SECONDS, running, sandbox_settings

IMAGES = ROOT / "docs" / "images"
# A cold Neo4j is no sight to see, nor is a page without viewings.
WARM_USERS = range(100, 160)
WARM_SECONDS = 60
WIDE = (1200, 820)
PHONE = (390, 780)
# Who finishes what while the Live page is open.
FINISHES = ((1, 1200), (15, 318), (42, 2571), (77, 260))


@dataclass(frozen=True)
class Shot:
    """One picture: a page in a size and a colour scheme, once a part of it is filled."""

    name: str
    path: str
    filled: str
    size: tuple[int, int] = WIDE
    dark: bool = False


SHOTS = (
    Shot("live", "/", ".offer li"),
    Shot("user", "/users/1", "#explanation svg"),
    Shot("movie", "/movies/1270", "#similar .side"),
    Shot("search", "/search?q=terminatr", ".results li"),
    Shot("model", "/model", "#popularity svg"),
    Shot("user-phone", "/users/1", "#explanation svg", PHONE),
    Shot("movie-dark", "/movies/1270", "#similar .side", WIDE, dark=True),
)


def take_shots(browser: Browser, url: str, folder: Path) -> None:
    """All pictures of the service at a URL."""
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        width, height = shot.size
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if shot.dark else "light",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(url + shot.path)
        if shot.path == "/":
            finish_movies(page, url)
        page.wait_for_selector(shot.filled)
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"{shot.name}.png")
        print(f"docs/images/{shot.name}.png", file=sys.stderr, flush=True)
        context.close()


def warm_up(url: str) -> None:
    """Ask for many users' lists, and let the simulator's viewers watch for a while."""
    for user_id in WARM_USERS:
        requests.get(f"{url}/v1/users/{user_id}/recommendations", timeout=30)
        finish_movie(url, user_id, 318)
    time.sleep(WARM_SECONDS)


def finish_movie(url: str, user_id: int, movie_id: int) -> None:
    """Tell that a user has finished a movie."""
    event = {"userId": user_id, "movieId": movie_id, "type": "finished"}
    requests.post(f"{url}/v1/events", json=event, timeout=30).raise_for_status()


def finish_movies(page: Page, url: str) -> None:
    """Let some people finish movies, one after the other."""
    for user_id, movie_id in FINISHES:
        finish_movie(url, user_id, movie_id)
        page.wait_for_timeout(1500)


def main() -> None:
    """Start a system, take the pictures, stop it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(sandbox_settings(Path(folder)), "scripts.run", stderr=None) as url,
    ):
        await_ready(url, START_SECONDS)
        warm_up(url)
        with open_browser() as browser:
            take_shots(browser, url, IMAGES)


if __name__ == "__main__":
    main()
