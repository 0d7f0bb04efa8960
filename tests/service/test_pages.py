"""The pages in a real Chromium, on the whole running system."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from conftest import RunningSystem, wait_until
from pages_under_test import PAGES, PAINT, SCROLLS, OpenPage, open_page
from playwright.sync_api import Browser, Page, Route, expect

from scripts.browser import open_browser

MEASURE = "ndcg@10 of the next movie"
MOST_BYTES = 300_000
SERIOUS = {"serious", "critical"}
EVERY_TITLE_IS_NEW = """() => [...document.querySelectorAll('#recommendations .title')]
    .every(title => /\\(20\\d\\d\\)/.test(title.textContent))"""
# Users of these tests alone.
LIVE_USER, LOST_USER, PAUSED_USER, TRYING_USER, NOBODY, SEEN_USER = range(870_001, 870_007)


@pytest.fixture(scope="module")
def browser(system: RunningSystem) -> Iterator[Browser]:
    tell(system, SEEN_USER, 318)  # there is a list for the pages to tell of
    with open_browser() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, system: RunningSystem) -> Iterator[OpenPage]:
    with open_page(browser, system.url) as opened:
        yield opened


def tell(system: RunningSystem, user_id: int, movie_id: int, **event: object) -> None:
    event = {"userId": user_id, "movieId": movie_id, "type": "finished", **event}
    requests.post(f"{system.url}/v1/events", json=event, timeout=10).raise_for_status()


def movies_of(page: Page) -> list[int]:
    page.wait_for_selector("#recommendations[aria-busy=false] li")
    page.wait_for_selector("#explanation[aria-busy=false]")  # of the first one, asked for with the list
    return [int(str(item.get_attribute("data-movie"))) for item in page.query_selector_all("#recommendations li")]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads(opened: OpenPage, path: str) -> None:
    page = opened.go(path)
    page.wait_for_timeout(300)
    assert opened.complaints == []
    assert {url for url in opened.asked if not url.startswith(opened.url + "/")} == set()
    assert 0 < opened.received <= MOST_BYTES
    print(f"\n{path}: {opened.received / 1000:.0f} kB, first contentful paint after {page.evaluate(PAINT):.0f} ms")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_phones_and_wide_screens(opened: OpenPage, path: str) -> None:
    page = opened.go(path)
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(300)
        assert not page.evaluate(SCROLLS), width
    page.locator("details.behind summary").click()
    assert not page.evaluate(SCROLLS)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(opened: OpenPage, path: str) -> None:
    page = opened.go(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        told = [(found["id"], node["html"]) for found in found if found["impact"] in SERIOUS for node in found["nodes"]]
        assert told == [], scheme


def test_a_finish_shows_up_live_with_its_list(opened: OpenPage, system: RunningSystem) -> None:
    page = opened.go("/")
    expect(page.locator("#connection")).to_have_text("Connected")
    began = time.monotonic()
    tell(system, LIVE_USER, 318)
    entry = page.locator(f"#feed li[data-user='{LIVE_USER}'].finished")
    expect(entry.locator(".offer li")).to_have_count(3, timeout=2000)
    assert time.monotonic() - began < 2.5
    expect(entry).to_contain_text("finished The Shawshank Redemption (1994)")
    offered = [item.inner_text() for item in entry.locator(".offer .because").all()]
    reasons = {"popular right now", "because of The Shawshank Redemption"}
    assert [text for text in offered if not reasons & set(text.split("; "))] == []
    expect(page.locator("#latency")).to_contain_text("s")


def test_a_lost_connection_is_told_and_made_good(opened: OpenPage, system: RunningSystem) -> None:
    page = opened.go("/")
    expect(page.locator("#connection")).to_have_text("Connected")
    page.context.set_offline(True)
    tell(system, LOST_USER, 260)
    page.context.set_offline(False)
    expect(page.locator(f"#feed li[data-user='{LOST_USER}'].finished .offer li")).to_have_count(3)


def test_a_page_without_the_stream_says_so_and_tries_again(opened: OpenPage) -> None:
    page = opened.page
    page.route("**/v1/stream*", lambda route: route.abort())
    page.goto(opened.url)
    expect(page.locator("#connection")).to_have_text("Connection lost; trying again …")
    page.unroute("**/v1/stream*")
    expect(page.locator("#connection")).to_have_text("Connected", timeout=10_000)


def test_the_feed_can_be_paused(opened: OpenPage, system: RunningSystem) -> None:
    page = opened.go("/")
    page.locator("#pause").click()
    tell(system, PAUSED_USER, 296)
    expect(page.locator("#pause")).to_contain_text("new)")
    entry = page.locator(f"#feed li[data-user='{PAUSED_USER}']")
    expect(entry).to_have_count(0)
    page.locator("#pause").click()
    expect(entry).to_have_count(1)


def test_the_explanation_is_the_answers(opened: OpenPage, system: RunningSystem) -> None:
    """Of a movie that the history leads to, and of the first one, whatever puts it there."""
    with opened.page.expect_response("**/explanation") as told:
        page = opened.go("/users/1")
    compare_explanation(page, told.value.json())
    item = page.locator("#recommendations li", has_text="because of").first
    with page.expect_response(f"**/{item.get_attribute('data-movie')}/explanation") as told:
        item.get_by_role("button", name="Why").click()
    page.wait_for_selector("#explanation[aria-busy=false] svg a")
    compare_explanation(page, told.value.json())


def compare_explanation(page: Page, answer: dict[str, Any]) -> None:
    """Told, drawn and summed are the same."""
    wanted = {str(reason["movieId"]): reason["contribution"] for reason in answer["because"]}
    parts = page.query_selector_all("#explanation svg [data-weight]")
    drawn = {part.get_attribute("data-movie"): float(str(part.get_attribute("data-weight"))) for part in parts}
    assert drawn == {None: answer["current"], **wanted}
    assert sum(drawn.values()) == pytest.approx(answer["score"], rel=1e-9)
    assert len(page.query_selector_all("#explanation svg path")) == len(drawn)
    expect(page.locator("#explanation p").first).to_contain_text(f"scores {answer['score']:.3f}")


def test_a_movie_is_popular_right_now_where_that_adds_most(opened: OpenPage) -> None:
    with opened.page.expect_response("**/recommendations?*") as told:
        page = opened.go("/users/1")
    shown = [item.inner_text() for item in page.query_selector_all("#recommendations .because")]
    for movie, text in zip(told.value.json()["recommendations"], shown, strict=True):
        most = max((reason["contribution"] for reason in movie["because"]), default=0)
        assert text.startswith("popular right now") == (movie["current"] >= most)
        assert ("because of" in text) == bool(movie["because"])


def test_the_model_page_shows_the_dial_and_the_rule(opened: OpenPage, system: RunningSystem) -> None:
    model = system.get("/v1/stats/model").json()["current"]
    page = opened.go("/model")
    expect(page.locator("#accuracy p").first).to_contain_text(f"NDCG@10 of {model['metrics'][MEASURE]:.4f}")
    expect(page.locator("#accuracy p").first).to_contain_text(f"{model['metrics']['lately']:.4f} with what was watched")
    expect(page.locator("#dial .dot")).to_have_count(len(model["metrics"]["dial"]))
    expect(page.locator("#dial .shipped")).to_have_text(f"in use: {model['rule']['current']:g}")
    expect(page.locator("#rule tr", has_text="half as current")).to_contain_text(f"{model['rule']['halfLife']} days")


def test_predicted_stars_stand_beside_the_list(opened: OpenPage, system: RunningSystem) -> None:
    movies = movies_of(page := opened.go("/users/1"))
    answer = system.get(f"/v1/users/1/predictions?movies={','.join(map(str, movies))}").json()
    assert "ratings" in {entry["basis"] for entry in answer["predictions"]}  # a new movie has no neighbours yet
    shown = [element.inner_text() for element in page.query_selector_all("#recommendations .stars")]
    assert shown == [f"{entry['stars']:.1f} ★" for entry in answer["predictions"]]


def test_a_search_finds_a_misspelt_title(opened: OpenPage) -> None:
    page = opened.go("/search")
    page.locator("#query").press_sequentially("shawshenk redemtion")
    expect(page.locator(".results li").first).to_contain_text("Shawshank Redemption")
    expect(page.locator("#results-title")).to_contain_text("shawshenk redemtion")
    page.locator("#query").fill("qqqqzzzz")
    expect(page.locator("#results .state")).to_contain_text("No title is like that")


def test_controls_change_the_list(opened: OpenPage, system: RunningSystem) -> None:
    tell(system, TRYING_USER, 1, type="rated", rating=5)
    wait_until(lambda: system.get(f"/v1/users/{TRYING_USER}/history").ok)
    page = opened.page
    page.goto(f"{opened.url}/users/{TRYING_USER}")
    first = movies_of(page)[0]
    item = page.locator("#recommendations li")
    item.first.get_by_text("Finish", exact=True).click()
    expect(page.locator(f"#recommendations li[data-movie='{first}']")).to_have_count(0)
    expect(page.locator("#history li")).to_have_count(2)
    unwanted = movies_of(page)[0]
    item.first.get_by_text("Exclude").click()
    expect(page.locator(f"#recommendations li[data-movie='{unwanted}']")).to_have_count(0)
    expect(page.locator("#excluded button")).to_have_count(1)
    disliked = movies_of(page)[0]
    item.first.get_by_text("Not interested").click()
    expect(page.locator(f"#recommendations li[data-movie='{disliked}']")).to_have_count(0)
    rated = movies_of(page)[0]
    item.first.locator("select").select_option("5")
    expect(page.locator(f"#recommendations li[data-movie='{rated}']")).to_have_count(0)
    expect(page.locator("#history")).to_contain_text("5 ★")
    assert opened.complaints == []


def test_filters_change_the_list(opened: OpenPage) -> None:
    page = opened.go("/users/1")
    before = movies_of(page)
    page.locator("select[name=genre]").select_option("Animation")
    page.wait_for_function("old => document.querySelector('#recommendations li')?.dataset.movie != old", arg=before[0])
    page.locator("input[name=yearFrom]").fill("2000")
    page.wait_for_function(EVERY_TITLE_IS_NEW)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("old => document.querySelector('#recommendations li')?.dataset.movie == old", arg=before[0])


def test_a_walk_along_similar_movies(opened: OpenPage) -> None:
    page = opened.go("/movies/318")
    link = page.locator("#similar a").first
    target = link.get_attribute("href")
    link.focus()
    link.press("Enter")
    expect(page).to_have_url(f"{opened.url}{target}")
    expect(page.locator("#trail")).to_contain_text("Shawshank")
    page.go_back()
    expect(page.locator("h1")).to_contain_text("Shawshank")
    assert opened.complaints == []


def test_a_failure_is_told_and_can_be_tried_again(opened: OpenPage) -> None:
    page = opened.page

    def fail(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "Neo4j does not answer now; try again"})

    page.route("**/v1/movies/popular*", fail)
    page.goto(f"{opened.url}/search")
    expect(page.get_by_role("alert")).to_contain_text("Neo4j does not answer now")
    page.unroute("**/v1/movies/popular*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".results li")).to_have_count(20)


def test_what_is_empty_says_so(opened: OpenPage) -> None:
    page = opened.page
    page.goto(f"{opened.url}/users/{NOBODY}")
    expect(page.locator("#history .state")).to_contain_text("has watched nothing yet")
    expect(page.locator("#explanation p").first).to_contain_text("nothing in this user’s history leads to it")
    answer = page.goto(f"{opened.url}/movies/870870")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("h1")).to_have_text("There is no movie 870870")
