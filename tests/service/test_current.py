"""What is current in the answers: its part of a score, the dial, and how old it may be; in the app, on a real Neo4j."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import wait_until
from flask.testing import FlaskClient

from common.settings import Settings
from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.models import Model, Models
from graph.repositories.recommendations import LIST_LENGTH, Recommendations
from graph.serving_rule import ServingRule
from service.app import create_app
from service.components import KEY
from service.push.change_feed import FRESH_SECONDS

WATCHED, SUITED, CURRENT = 1, 2, 3
MOVIES = 14
VIEWER, STRANGER = 1, 999
DIALLED = 0.25
METRICS = {
    "ndcg@10 of the next movie": 0.12,
    "lately": 0.11,
    "popular": 0.04,
    "halfWidth": 0.01,
    "judges": 1203,
    "chosenBy": "time",
    "dial": [[0.0, 0.06, -0.06, 0.01], [0.5, 0.12, 0.0, 0.0], [1.0, 0.11, -0.01, 0.005]],
}
LIST = f"/v1/users/{VIEWER}/recommendations"
Get = Callable[[str], Any]


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[FlaskClient]:
    """A movie suits those who finished WATCHED, ten users have just finished CURRENT, and one all the others."""
    database.run_text("UNWIND range(1, $movies) AS id CREATE (:Movie {movieId: id, title: 'M' + id})", movies=MOVIES)
    models = Models(database)
    models.create_catalogue("movielens")
    models.write_similar("v1", [(WATCHED, SUITED, 1.0, 1)], lambda _: None)
    rule = ServingRule(current=0.5)
    models.switch_model(Model("v1", utc_now(), 1, 2, parameters={}, snapshot={}, metrics=METRICS, rule=rule))
    app = create_app(settings.model_copy(update={"open": True, "deadline": 20, "current": DIALLED}))
    client = app.test_client()
    finish(client, *((user, CURRENT) for user in range(11, 21)), (VIEWER, WATCHED))
    finish(client, *((21, movie) for movie in range(1, MOVIES + 1) if movie != CURRENT))
    yield client
    app.extensions[KEY].close()


@pytest.fixture
def get(client: FlaskClient) -> Get:
    def call(path: str) -> Any:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    return call


def finish(client: FlaskClient, *finishes: tuple[int, int]) -> list[dict[str, Any]]:
    events = [{"userId": user, "movieId": movie, "type": "finished"} for user, movie in finishes]
    answer = client.post("/v1/events", json=events)
    assert answer.status_code == 200, answer.text
    time.sleep(2 * FRESH_SECONDS)  # until then an answer of before holds
    results: list[dict[str, Any]] = answer.get_json()["results"]
    return results


def order(answer: dict[str, Any]) -> list[int]:
    return [movie["movieId"] for movie in answer["recommendations"]]


def tag(client: FlaskClient, path: str) -> str:
    return client.get(path).headers["ETag"]


def add_up(movie: dict[str, Any]) -> float:
    return float(movie["current"]) + sum(reason["contribution"] for reason in movie["because"])


def test_the_parts_of_a_score_add_up_to_it(get: Get) -> None:
    answer = get(LIST)
    assert answer["basis"] == "history"
    movies = {movie["movieId"]: movie for movie in answer["recommendations"]}
    assert [reason["movieId"] for reason in movies[SUITED]["because"]] == [WATCHED]
    assert (movies[CURRENT]["because"], movies[CURRENT]["current"]) == ([], movies[CURRENT]["score"])
    for movie in movies.values():
        assert add_up(movie) == pytest.approx(movie["score"], rel=1e-12)
        assert movie["current"] > 0


@pytest.mark.parametrize(("movie_id", "reasons"), [(SUITED, [WATCHED]), (CURRENT, [])])
def test_the_parts_of_an_explanation_add_up_to_its_score(
    get: Get, database: Database, movie_id: int, reasons: list[int]
) -> None:
    told = get(f"{LIST}/{movie_id}/explanation")
    assert [reason["movieId"] for reason in told["because"]] == reasons
    assert add_up(told) == pytest.approx(told["score"], rel=1e-12)
    [row] = database.run_text(told["cypher"])
    assert row["movie"]["movieId"] == movie_id
    assert [node["movieId"] for node in row["path"].nodes[1:]] == [WATCHED, SUITED] if reasons else row["path"] is None


@pytest.mark.parametrize("dial", [0, 0.6, 1])
def test_an_explanation_takes_the_dial_of_its_list(get: Get, dial: float) -> None:
    for movie in get(f"{LIST}?current={dial}")["recommendations"]:
        explained = get(f"{LIST}/{movie['movieId']}/explanation?current={dial}")
        parts = {name: explained[name] for name in ("score", "current", "because")}
        assert parts == {name: movie[name] for name in parts}


def test_the_dial_leads_from_the_history_to_what_is_current(client: FlaskClient, get: Get) -> None:
    history, current = get(f"{LIST}?current=0"), get(f"{LIST}?current=1")
    assert (order(history)[0], history["basis"]) == (SUITED, "history")
    assert (order(current)[0], current["basis"]) == (CURRENT, "trending")
    assert not any(movie["because"] for movie in current["recommendations"])
    for dial, told in ((0, history), (1, current)):
        batch = client.post("/v1/recommendations", json={"userIds": [VIEWER], "current": dial}).get_json()
        assert order(batch["lists"][0]) == order(told)
        body = {"movieIds": [WATCHED], "current": dial}
        session = client.post("/v1/sessions/recommendations", json=body).get_json()
        assert order(session) == order(told)
    assert client.post("/v1/sessions/recommendations", json={"movieIds": [1], "current": 2}).status_code == 422


def test_the_operators_dial_stands_in_for_the_models(get: Get) -> None:
    assert order(get(f"{LIST}?limit=9")) == order(get(f"{LIST}?limit=9&current={DIALLED}"))
    plain, dialled = (get(f"{LIST}?limit=9{query}")["recommendations"] for query in ("", f"&current={DIALLED}"))
    assert [movie["score"] for movie in plain] == [movie["score"] for movie in dialled]


def test_a_finish_is_answered_with_what_is_current(client: FlaskClient) -> None:
    [result] = finish(client, (STRANGER, WATCHED))
    movies = {movie["movieId"]: movie for movie in result["recommendations"]["recommendations"]}
    assert movies[CURRENT]["current"] == movies[CURRENT]["score"] > 0
    assert 0 < movies[SUITED]["current"] < movies[SUITED]["score"]


def test_the_stored_list_is_served_unless_a_dial_is_asked_for(client: FlaskClient, get: Get) -> None:
    get(LIST)  # from now on the app follows the graph
    [result] = finish(client, (VIEWER, 4))
    told = result["recommendations"]
    wait_until(lambda: get(f"{LIST}?limit=8")["generatedAt"] == told["generatedAt"])
    assert get(LIST) == told
    dialled = get(f"{LIST}?current={DIALLED}")
    assert dialled["generatedAt"] > told["generatedAt"]


@pytest.mark.parametrize("user_id", [VIEWER, STRANGER])
def test_what_others_do_leaves_a_list_and_what_the_user_does_renews_it(
    client: FlaskClient, get: Get, user_id: int
) -> None:
    path = f"/v1/users/{user_id}/recommendations?limit=12"
    before, first = get(path), tag(client, path)
    finish(client, (30, 5), (31, 5), (32, 6))
    assert (tag(client, path), get(path)) == (first, before), "the very same answer"
    fresh = get(f"{path}&exclude=888")
    assert fresh["recommendations"] != before["recommendations"], "which others have changed meanwhile"
    finish(client, (user_id, 7))
    renewed = get(path)
    assert tag(client, path) != first
    assert 7 not in order(renewed)
    assert renewed["generatedAt"] > before["generatedAt"]


def test_lists_for_everybody_follow_what_anybody_does(client: FlaskClient) -> None:
    before = [tag(client, f"/v1/movies/{name}") for name in ("trending", "popular")]
    finish(client, *((user, 8) for user in range(40, 60)))
    assert [tag(client, f"/v1/movies/{name}") for name in ("trending", "popular")] != before


def test_a_list_stored_nine_minutes_ago_is_kept_for_one_more(client: FlaskClient, get: Get, database: Database) -> None:
    get(LIST)  # from now on the app follows the graph
    client.post("/v1/events", json={"userId": VIEWER, "movieId": 4, "type": "clicked"})
    found = Recommendations(database).recommend_for_user(VIEWER, LIST_LENGTH)
    old = found.model_copy(update={"generated_at": found.generated_at - timedelta(minutes=9)})
    Ingest(database).store_lists([("old", old)])
    path = f"{LIST}?limit=7"
    cache = client.application.extensions[KEY].cache

    def kept() -> float | None:
        """How old the kept answer is; the one that was asked for before the service had seen the list is not kept."""
        get(path)
        answer = cache.get(path)
        return time.monotonic() - answer.made_at if answer else None

    wait_until(lambda: (kept() or 0) > 8 * 60)
    assert kept() == pytest.approx(9 * 60, abs=60)


def test_a_version_is_told_with_its_rule_and_what_stands_in_for_it(get: Get) -> None:
    told = get("/v1/stats/model")
    assert told["overrides"] == {"current": DIALLED, "historyLimit": None}
    assert told["versions"] == [told["current"]]
    assert told["current"]["metrics"] == METRICS
    assert told["current"]["rule"] == ServingRule(current=0.5).to_properties()
