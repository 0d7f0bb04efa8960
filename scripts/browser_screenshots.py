"""`python -m scripts.browser_screenshots`: the pictures of docs/explore.md, from a system of its own on the sample."""

import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from common.errors import RecommenderError
from common.settings import ROOT, Settings
from graph.database import Database
from graph.favourites import NAMES
from graph.repositories.recommendations import Recommendations
from scripts.neo4j_browser import Neo4jBrowser, open_neo4j_browser
from scripts.run import await_ready
from scripts.sandbox import START_SECONDS, running, sandbox_settings

IMAGES = ROOT / "docs" / "images"
STORE_SECONDS = 60
SETTLE_SECONDS = 4  # until the nodes of a graph have found their places
LIVE_SECONDS = 90  # until the simulated feed has shown something


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory(prefix="browser") as folder:
        settings = sandbox_settings(Path(folder))
        with running(settings, "scripts.run", stderr=None) as url:
            await_ready(url, START_SECONDS)
            take_all(settings, LIVE_SECONDS)


def take_all(settings: Settings, live_seconds: float) -> None:
    """Take all pictures of a running system, after so many seconds of its live feed."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    movie_id = tell_a_story(settings, user_id=1)
    time.sleep(live_seconds)
    with open_neo4j_browser(settings, width=1280, height=800) as browser:
        browser.set_parameters(userId=1, movieId=movie_id)
        for name in NAMES:
            take(browser, name)


def take(browser: Neo4jBrowser, name: str) -> None:
    """One favourite's picture: all of the page for the first, the answer alone for the others."""
    kind, _ = browser.run_favourite(name)
    time.sleep(SETTLE_SECONDS)
    if kind == "graph":
        browser.show_whole_graph()
        time.sleep(1)
    file = IMAGES / f"browser-{Path(name).name}.png"
    if name == NAMES[0]:
        browser.page.screenshot(path=file)
    else:
        browser.answer.screenshot(path=file)
    print(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB")


def tell_a_story(settings: Settings, user_id: int) -> int:
    """Let a user finish, like and list movies, start one that was recommended, and return another that was."""
    recommended_movies(settings, user_id)  # a cold Neo4j may answer a finish without a list
    post(settings, {"userId": user_id, "movieId": 1200, "type": "finished"})
    first, second = recommended_movies(settings, user_id)
    await_list(settings, user_id)
    post(settings, {"userId": user_id, "movieId": 1240, "type": "liked", "value": 1})
    post(settings, {"userId": user_id, "movieId": 541, "type": "listed"})
    post(settings, {"userId": user_id, "movieId": first, "type": "started"})
    return second


def post(settings: Settings, event: dict[str, Any]) -> None:
    """Send one event."""
    requests.post(f"http://127.0.0.1:{settings.port}/v1/events", json=event, timeout=30).raise_for_status()


def recommended_movies(settings: Settings, user_id: int) -> list[int]:
    """Ids of the two movies that a user is recommended first; waits until the service answers."""
    url = f"http://127.0.0.1:{settings.port}/v1/users/{user_id}/recommendations?limit=2"
    deadline = time.monotonic() + STORE_SECONDS
    while not (answer := requests.get(url, timeout=30)).ok:
        if time.monotonic() > deadline:
            answer.raise_for_status()
        time.sleep(0.5)
    return [movie["movieId"] for movie in answer.json()["recommendations"]]


def await_list(settings: Settings, user_id: int) -> None:
    """Wait until a user's list is stored, which happens after its answer."""
    deadline = time.monotonic() + STORE_SECONDS
    with Database.from_settings(settings) as database:
        recommendations = Recommendations(database)
        while recommendations.get_current_list(user_id) is None:
            if time.monotonic() > deadline:
                raise RecommenderError(f"no list of user {user_id} was stored")
            time.sleep(0.2)


if __name__ == "__main__":
    main()
