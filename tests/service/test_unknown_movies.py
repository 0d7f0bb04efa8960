"""Movies without a title: kept, offered nowhere until they have one; in the app, on a real Neo4j."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from apps import open_app
from click.testing import CliRunner
from conftest import make_list, wait_until
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from common.settings import Settings
from common.times import utc_now
from graph.__main__ import main
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.models import Model, Models
from graph.repositories.recommendations import Recommendations
from graph.serving_rule import ServingRule
from scripts.sandbox import environment_of
from service.push.change_feed import FRESH_SECONDS
from stream.events import FEED, Event, EventType
from stream.viewings import FinishRules
from stream.writer import apply_events

UNKNOWN = 99_999_998
KNOWN = 12
VIEWER, STRANGER = 1, 999
# How a movie comes to have no title, or one that is none.
BLANKS = [None, "", "   ", "\u00a0\u2003", "\u200b"]


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[FlaskClient]:
    """Twelve movies, each finished by somebody."""
    database.run_text("UNWIND range(1, $movies) AS id CREATE (:Movie {movieId: id, title: 'M' + id})", movies=KNOWN)
    models = Models(database)
    models.create_catalogue("movielens")
    models.write_similar("v1", [(1, 2, 0.1, 1)], lambda _: None)
    models.switch_model(Model("v1", utc_now(), 1, 2, {}, {}, rule=ServingRule(current=0.5)))
    with open_app(settings.model_copy(update={"open": True, "deadline": 20})) as app:
        client = app.test_client()
        post(client, *((10 + movie, movie) for movie in range(1, KNOWN + 1)), (VIEWER, 1))
        yield client


def post(client: FlaskClient, *finishes: tuple[int, int], status: int = 200) -> Any:
    events = [{"userId": user, "movieId": movie, "type": "finished"} for user, movie in finishes]
    answer = client.post("/v1/events", json=events)
    assert answer.status_code == status, answer.text
    time.sleep(2 * FRESH_SECONDS)  # until then an answer of before holds
    return answer.get_json()


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def watch_unknown(client: FlaskClient, database: Database, viewers: int = 20) -> None:
    """Some finish movie 1 and the unknown one, so that it is popular, trending, and similar to movie 1."""
    post(client, *((user, movie) for user in range(100, 100 + viewers) for movie in (1, UNKNOWN)))
    database.run_text(
        "MATCH (a:Movie {movieId: 1}), (b:Movie {movieId: $id}) "
        "CREATE (a)-[:SIMILAR {weight: 0.9, rank: 1, version: 'v1'}]->(b)",
        id=UNKNOWN,
    )


def offered(client: FlaskClient) -> dict[str, set[tuple[int, str | None]]]:
    """All that is offered, by who offers it."""
    users = {"userIds": [VIEWER, STRANGER], "limit": 50}
    answers: dict[str, Any] = {
        f"user {user} {query}": get(client, f"/v1/users/{user}/recommendations?{query}")["recommendations"]
        for user in (VIEWER, STRANGER)
        for query in ("limit=50", "limit=50&current=0", "current=1", "diversity=0.5", "limit=3&offset=9", "stars=true")
    }
    for lists in client.post("/v1/recommendations", json=users).get_json()["lists"]:
        answers[f"batch {lists['userId']}"] = lists["recommendations"]
    session = client.post("/v1/sessions/recommendations", json={"movieIds": [1], "limit": 50})
    answers["session"] = session.get_json()["recommendations"]
    [finished] = post(client, (VIEWER, 3))["results"]
    answers["finish"] = finished["recommendations"]["recommendations"]
    for path in ("popular", "trending", "1/similar"):
        answers[path] = get(client, f"/v1/movies/{path}?limit=50")["movies"]
    answers["search"] = get(client, "/v1/movies?query=m12")["movies"]
    return {name: {(movie["movieId"], movie["title"]) for movie in movies} for name, movies in answers.items()}


def places_of(client: FlaskClient, movie_id: int) -> set[str]:
    return {place for place, movies in offered(client).items() if movie_id in {number for number, _ in movies}}


@pytest.mark.parametrize("title", BLANKS, ids=ascii)
def test_a_movie_without_a_title_is_offered_nowhere(client: FlaskClient, database: Database, title: str | None) -> None:
    seen = Event(type=EventType.WATCHING, source=FEED, at=utc_now(), user_id=90, movie_id=UNKNOWN, title=title)
    Ingest(database).transact(lambda batch: apply_events(batch, [seen], FinishRules()))
    watch_unknown(client, database)
    found = offered(client)
    assert all(movies for movies in found.values()), "all offer something"
    assert {place for place, movies in found.items() for movie_id, _ in movies if movie_id == UNKNOWN} == set()
    assert {title for movies in found.values() for _, title in movies if not (title or "").strip()} == set()
    get(client, f"/v1/users/{VIEWER}/recommendations/{UNKNOWN}/explanation", 404)
    history = get(client, "/v1/users/100/history")["history"]
    assert {(entry["movieId"], entry["title"]) for entry in history} == {(1, "M1"), (UNKNOWN, None)}


def name_by_put(client: FlaskClient, _: Database) -> None:
    assert client.put(f"/v1/movies/{UNKNOWN}", json={"title": "Found"}).status_code == 200


def name_by_feed(_: FlaskClient, database: Database) -> None:
    """Also if an event without a title comes behind it in its batch."""
    seen = Event(type=EventType.WATCHING, source=FEED, at=utc_now(), user_id=90, movie_id=UNKNOWN, title="Found")
    listed = Event(type=EventType.LISTED, source="api", at=utc_now(), user_id=91, movie_id=UNKNOWN)
    Ingest(database).transact(lambda batch: apply_events(batch, [seen, listed], FinishRules()))


def name_by_load(_: FlaskClient, database: Database) -> None:
    rows = [{"movieId": UNKNOWN, "title": "Found", "year": None, "genres": []}]
    Ingest(database).transact(lambda batch: batch.add_movies(rows))


@pytest.mark.parametrize("name", [name_by_put, name_by_feed, name_by_load])
def test_once_it_has_a_title_it_is_offered_with_the_figures_it_earned(
    client: FlaskClient, database: Database, name: Any
) -> None:
    watch_unknown(client, database)
    name(client, database)
    time.sleep(2 * FRESH_SECONDS)
    popular = get(client, "/v1/movies/popular?limit=2")["movies"]
    assert (popular[1]["movieId"], popular[1]["title"], popular[1]["score"]) == (UNKNOWN, "Found", 20.0)
    first = get(client, f"/v1/users/{STRANGER}/recommendations?limit=2")["recommendations"]
    assert UNKNOWN in {movie["movieId"] for movie in first}
    missing = set(offered(client)) - places_of(client, UNKNOWN)
    assert {place for place in missing if "offset" not in place and "diversity" not in place} == {"search"}


def test_stored_lists_offer_only_what_may_be_offered_by_now(client: FlaskClient, database: Database) -> None:
    """Whether they are answered, pushed, or read again by who comes back."""
    recommendations, ingest = Recommendations(database), Ingest(database)
    before = ingest.get_sequence()
    ingest.transact(lambda batch: batch.create_nodes({UNKNOWN: (None, None)}, {VIEWER}))
    ingest.store_lists([("list", make_list(VIEWER, utc_now(), 2, UNKNOWN, 4))])
    assert client.put("/v1/movies/4", json={"title": "M4", "available": False}).status_code == 200
    stored = recommendations.read_recommendations_since(before, ingest.get_sequence())
    [movies] = [batch.recommendations for batch in stored if batch.batch_id == "list"]
    assert [movie.movie_id for movie in movies] == [2]
    assert recommendations.find_offered([2, UNKNOWN, 4, 5_555_555]) == {2}


@pytest.mark.parametrize("title", [blank for blank in BLANKS if blank is not None], ids=ascii)
def test_a_blank_title_is_refused_where_a_client_gives_it(client: FlaskClient, database: Database, title: str) -> None:
    answer = client.put("/v1/movies/77", json={"title": title})
    assert (answer.status_code, answer.get_json()["errors"][0]["name"]) == (422, "title")


@pytest.fixture
def refusing(client: FlaskClient, settings: Settings) -> Iterator[FlaskClient]:
    """The same service where unknown movies are refused."""
    update = {"open": True, "deadline": 20, "unknown_movies": "refuse"}
    with open_app(settings.model_copy(update=update)) as app:
        yield app.test_client()


def listed(client: FlaskClient, query: str = "") -> list[tuple[int, int, int]]:
    found = get(client, f"/v1/movies/unknown{query}")["movies"]
    return [(movie["movieId"], movie["kept"], movie["refused"]) for movie in found]


def test_an_operator_can_have_events_of_unknown_movies_refused(refusing: FlaskClient, database: Database) -> None:
    before = Ingest(database).get_sequence()
    counted = REGISTRY.get_sample_value("recommender_refused_events_total") or 0
    problem = post(refusing, (5, 1), (5, UNKNOWN), (6, UNKNOWN), (5, 77), status=422)
    assert [error["name"] for error in problem["errors"]] == ["[1].movieId", "[2].movieId", "[3].movieId"]
    detail = problem["errors"][0]["detail"]
    for part in (str(UNKNOWN), f"PUT /v1/movies/{UNKNOWN}", "RECOMMENDER_UNKNOWN_MOVIES"):
        assert part in detail
    assert get(refusing, "/v1/users/5/history")["history"] == [], "nothing of the request is taken"
    assert Ingest(database).get_sequence() == before
    single = {"userId": 5, "movieId": 77, "type": "liked", "eventId": "of-77"}
    assert refusing.post("/v1/events", json=single).status_code == 422
    wait_until(lambda: listed(refusing) == [(77, 0, 2), (UNKNOWN, 0, 2)])
    assert get(refusing, "/v1/movies/unknown")["movies"][0]["lastSeenAt"]
    assert REGISTRY.get_sample_value("recommender_refused_events_total") == counted + 4
    assert refusing.put("/v1/movies/77", json={"title": "Now known", "available": False}).status_code == 201
    assert refusing.post("/v1/events", json=single).status_code == 200
    assert listed(refusing) == [(UNKNOWN, 0, 2)]
    assert refusing.delete("/v1/movies/77").status_code == 200
    assert refusing.post("/v1/events", json={**single, "eventId": "another"}).status_code == 422


def test_what_was_kept_is_refused_from_then_on(client: FlaskClient, refusing: FlaskClient) -> None:
    post(client, (5, UNKNOWN))
    post(refusing, (6, UNKNOWN), status=422)
    wait_until(lambda: listed(client) == [(UNKNOWN, 1, 1)])


def test_notes_of_what_was_refused_are_bounded(database: Database) -> None:
    """The newest stay."""

    def note(*movie_ids: int) -> None:
        Ingest(database).transact(lambda batch: batch.note_refused(dict.fromkeys(movie_ids, 1)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("graph.repositories.ingest_transaction.NOTED_MOVIES", 3)
        note(1, 2, 3)
        note(1)
        note(4, 5)
    rows = database.run_text("MATCH (note:RefusedMovie) RETURN note.movieId AS id, note.events AS events ORDER BY id")
    assert [(row["id"], row["events"]) for row in rows] == [(1, 2), (4, 1), (5, 1)]


def test_operators_see_which_unknown_movies_are_kept(client: FlaskClient, database: Database) -> None:
    """With all kinds of events counted, the most frequent first; without those that have a title by now."""
    assert listed(client) == []
    began = utc_now()
    events = [(5, UNKNOWN, "finished"), (6, UNKNOWN, "listed"), (5, 77, "clicked"), (7, 78, "started"), (8, 1, "liked")]
    body = [{"userId": user, "movieId": movie, "type": kind} for user, movie, kind in events]
    assert client.post("/v1/events", json=body).status_code == 200
    assert listed(client) == [(UNKNOWN, 2, 0), (77, 1, 0), (78, 1, 0)]
    assert listed(client, "?limit=1&offset=1") == [(77, 1, 0)]
    assert (
        datetime.fromisoformat(get(client, "/v1/movies/unknown")["movies"][0]["lastSeenAt"]).replace(tzinfo=None)
        >= began
    )
    assert client.put(f"/v1/movies/{UNKNOWN}", json={"title": "Found"}).status_code == 200
    assert listed(client) == [(77, 1, 0), (78, 1, 0)]
    get(client, "/v1/movies/unknown?limit=201", 422)


def test_a_command_lists_them_too(client: FlaskClient, settings: Settings) -> None:
    post(client, (5, UNKNOWN), (6, UNKNOWN), (5, 77))
    done = CliRunner().invoke(main, ["unknown", "--limit", "1"], env=environment_of(settings))
    assert done.exit_code == 0, done.output
    assert done.stdout.split()[:5] == [str(UNKNOWN), "kept", "2", "refused", "0"]
