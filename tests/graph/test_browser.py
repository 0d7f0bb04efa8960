"""Neo4j Browser itself, in a real Chromium, at the embedded server: its favourites and its style."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunningSystem, wait_until

from graph.database import Database
from graph.favourites import NAMES, STYLE, draw_recommendation, title, write_favourites
from graph.queries import query
from scripts.browser_screenshots import tell_a_story
from scripts.neo4j_browser import Neo4jBrowser, open_neo4j_browser

USER = 42  # no other test has to do with
TABLES = {"count_the_data", "show_hits", "rank_connections", "check_quality"}


@pytest.fixture(scope="module")
def movie(system: RunningSystem) -> int:
    """A movie that is recommended to the user, who has started another one."""
    return tell_a_story(system.settings, USER)


@pytest.fixture(scope="module")
def browser(system: RunningSystem, movie: int) -> Iterator[Neo4jBrowser]:
    """Browser, connected, with favourites, style and parameters."""
    with open_neo4j_browser(system.settings) as opened:
        opened.set_parameters(userId=USER, movieId=movie)
        yield opened


@pytest.mark.parametrize("name", NAMES, ids=lambda name: Path(name).name)
def test_a_favourite_shows_something(browser: Neo4jBrowser, name: str) -> None:
    kind, size = browser.run_favourite(name)
    assert kind == ("table" if Path(name).name in TABLES else "graph")
    assert size >= (1 if kind == "table" else 2)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: Path(name).name)
def test_a_favourite_answers_fast(system: RunningSystem, movie: int, name: str) -> None:
    with Database.from_settings(system.settings) as database:
        wait_until(lambda: len(database.read(name, userId=USER, movieId=movie)) > 0)
        database.run_text(query(name), 2, userId=USER, movieId=movie)


def test_the_style_shows(browser: Neo4jBrowser) -> None:
    browser.run_favourite("browser/tell_a_users_story")
    kinds = browser.page.locator("[data-testid^=property-details-overview-]").all_inner_texts()
    assert {kind.split(" ")[0] for kind in kinds} >= {"User", "Movie", "RATED", "WATCHED", "RECOMMENDED"}
    movies = browser.page.locator("[data-testid=property-details-overview-node-label-Movie]")
    assert movies.evaluate("chip => getComputedStyle(chip).backgroundColor") == "rgb(242, 193, 78)"


def test_the_style_tells_every_kind_apart() -> None:
    style = STYLE.read_text(encoding="utf-8")
    for kind in ("RATED", "WATCHED", "SIMILAR", "RECOMMENDED", "LIKED", "LISTED", "CLICKED"):
        assert f"relationship.{kind} {{" in style


def test_the_cypher_of_an_explanation_is_its_favourite_with_the_ids() -> None:
    favourite = query("browser/explain_a_recommendation").replace("$userId", "7").replace("$movieId", "318")
    drawn = draw_recommendation(7, 318)
    assert drawn.startswith("MATCH ")
    assert "$" not in drawn
    assert favourite.endswith(f"\n{drawn}\n")


def test_favourites_have_titles_and_fit_into_one_file(tmp_path: Path) -> None:
    assert write_favourites(tmp_path / "favourites.zip") == len(NAMES) == 9
    with zipfile.ZipFile(tmp_path / "favourites.zip") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    assert texts == [query(name) for name in NAMES]
    assert [title(name)[0] for name in NAMES] == list("123456789")
