"""What requests cost, and what is not done at all."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import open_app
from conftest import wait_until
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from small_catalogue import MOVIES, SMALL_CATALOGUE, USERS
from werkzeug.test import TestResponse

from common.settings import Settings
from graph.database import Database
from service.access.keys import add_key
from service.components import components_of

LIST = "/v1/users/1/recommendations"
BATCH = "/v1/recommendations"
SESSION = "/v1/sessions/recommendations"
EVENTS = "/v1/events"
MANY = list(range(1, 1001))
Ask = Callable[..., TestResponse]


def events(count: int, users: int, kind: str = "clicked") -> list[dict[str, Any]]:
    return [{"userId": 1 + place % users, "movieId": 1 + place % MOVIES, "type": kind} for place in range(count)]


PRICES: list[tuple[str, Any, int]] = [
    (LIST, None, 1),
    (f"{LIST}?limit=100&exclude=1,2&current=0.5", None, 1),
    (f"{LIST}?limit=101", None, 2),
    (f"{LIST}?genre=Comedy", None, 2),
    (f"{LIST}?yearFrom=1990&yearTo=1980&genre=Comedy", None, 2),
    (f"{LIST}?yearTo=1980", None, 2),
    (f"{LIST}?diversity=0.5", None, 3),
    (f"{LIST}?stars=true", None, 2),
    (f"{LIST}?offset=1", None, 2),
    (f"{LIST}?offset=251", None, 3),
    (f"{LIST}?offset=1000000", None, 5),
    (f"{LIST}?limit=200&offset=1000&diversity=1&stars=true&genre=Comedy", None, 10),
    ("/v1/users/1/predictions?movies=1", None, 1),
    ("/v1/users/1/predictions?movies=" + ",".join(map(str, range(1, 201))), None, 2),
    ("/v1/users/1/history?limit=200", None, 1),
    ("/v1/stats/reach", None, 2),
    ("/v1/movies/popular?limit=200&offset=1000000", None, 1),
    (SESSION, {"movieIds": [1]}, 1),
    (SESSION, {"movieIds": MANY[:499]}, 1),
    (SESSION, {"movieIds": MANY}, 3),
    (SESSION, {"movieIds": MANY, "exclude": MANY, "offset": 300, "limit": 200, "genre": "Comedy"}, 9),
    (BATCH, {"userIds": [1]}, 1),
    (BATCH, {"userIds": MANY[:100]}, 100),
    (BATCH, {"userIds": MANY[:100], "exclude": MANY, "genre": "Comedy"}, 400),
    (EVENTS, events(1, 1)[0], 1),
    (EVENTS, events(50, 50), 1),
    (EVENTS, events(51, 1, "finished"), 2),
    (EVENTS, events(1000, 1000), 20),
    (EVENTS, events(1000, 1000, "finished"), 39),
    (EVENTS, events(3, 3, "finished"), 3),
]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """Asks, with a key of so many units a minute, a service that has no Neo4j: it charges before it finds out."""
    settings = Settings(data=tmp_path / "data", neo4j_uri="bolt://127.0.0.1:9", neo4j_password="x", deadline=0.5)
    with open_app(settings) as app:
        yield asker(app.test_client(), settings)


@pytest.fixture
def ask_graph(database: Database, settings: Settings) -> Iterator[Ask]:
    """The same of a service with a small catalogue."""
    database.run_text(SMALL_CATALOGUE)
    settings = settings.model_copy(update={"deadline": 60})
    with open_app(settings) as app:
        yield asker(app.test_client(), settings)


def asker(client: FlaskClient, settings: Settings) -> Ask:
    keys: dict[str, str] = {}

    def ask_with(path: str, body: Any = None, units: int = 1000, key: str = "key") -> TestResponse:
        name = f"{key}-{units}"
        if name not in keys:
            keys[name] = add_key(settings.keys_path, name, "write", units)
        method = "GET" if body is None else "POST"
        return client.open(path, method=method, json=body, headers={"Authorization": f"Bearer {keys[name]}"})

    return ask_with


def remaining(answer: TestResponse) -> int:
    return int(answer.headers["RateLimit"].split(";")[1].removeprefix("r="))


def traversals() -> float:
    return REGISTRY.get_sample_value("recommender_traversal_seconds_count") or 0.0


def test_a_request_costs_what_it_leads_to(ask_graph: Ask) -> None:
    """Who has just so much can pay it, and to who has one less it is told."""
    for number, (path, body, price) in enumerate(PRICES):
        if price > 1:
            refused = ask_graph(path, body, units=price - 1, key=f"poor-{number}")
            assert refused.status_code == 422, path
            assert f"costs {price} units" in refused.get_json()["detail"], path
        answer = ask_graph(path, body, units=price, key=f"rich-{number}")
        assert answer.status_code not in (422, 429), (path, answer.text)
        assert answer.headers["RateLimit-Policy"] == f'"key";q={price};w=60'
        assert remaining(answer) <= price // 20  # of so many one may have come back meanwhile


@pytest.mark.parametrize(
    ("path", "body"), [(BATCH, {"userIds": []}), (EVENTS, [{}] * 1000), ("/v1/stats/reach?days=x", None)]
)
def test_what_is_refused_unread_costs_one(ask: Ask, path: str, body: Any) -> None:
    answer = ask(path, body, units=10)
    assert (answer.status_code, remaining(answer)) == (422, 9)


def test_who_has_not_so_much_left_waits_as_long_as_is_told(ask: Ask) -> None:
    """A unit comes back every six seconds."""
    assert remaining(ask(BATCH, {"userIds": MANY[:6]}, units=10)) in (4, 5)
    refused = ask(BATCH, {"userIds": MANY[:6]}, units=10)
    assert refused.status_code == 429
    assert remaining(refused) in (3, 4)  # the unit at the door is spent
    assert 7 <= int(refused.headers["Retry-After"]) <= 18
    assert f";t={refused.headers['Retry-After']}" in refused.headers["RateLimit"]
    assert "costs 6 of the 10 units" in refused.get_json()["detail"]
    assert remaining(ask(BATCH, {"userIds": MANY[:2]}, units=10)) in (1, 2)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (BATCH, {"userIds": MANY[:20]}),
        (EVENTS, events(1000, 1)),
        (SESSION, {"movieIds": [1], "offset": 1000, "limit": 200, "genre": "Comedy"}),
    ],
)
def test_what_a_key_can_never_pay_is_refused_for_good(ask: Ask, path: str, body: Any) -> None:
    answer = ask(path, body, units=6)
    assert (answer.status_code, remaining(answer)) == (422, 5)
    assert "Retry-After" not in answer.headers
    assert re.search(r"costs (20|7) units, more than the 6 a minute of the key 'key-6'", answer.get_json()["detail"])


def test_without_a_key_nothing_is_counted(tmp_path: Path) -> None:
    with open_app(Settings(data=tmp_path, neo4j_uri="bolt://127.0.0.1:9", neo4j_password="x", open=True)) as app:
        answer = app.test_client().post(EVENTS, json=events(1000, 1))
    assert (answer.status_code, "RateLimit" in answer.headers) == (202, False)


def test_an_answer_that_is_kept_costs_one(ask_graph: Ask) -> None:
    path = f"{LIST}?diversity=0.5&limit=20"
    first, again = ask_graph(path, units=5), ask_graph(path, units=5)
    assert first.get_json() == again.get_json()
    assert (remaining(first), remaining(again)) == (2, 1)


def test_a_list_of_which_nothing_can_be_there_is_not_made(ask_graph: Ask) -> None:
    """An unknown genre, years without a movie, and pages behind the longest list; also for many users."""
    assert ask_graph(f"{LIST}?genre=Comedy").get_json()["recommendations"]
    before = traversals()
    filters = [{"genre": "Nothing"}, {"yearFrom": 1970, "yearTo": 1969}, {"yearFrom": 1961 + MOVIES}, {"offset": 1000}]
    for asked in [*filters, {"genre": "Comedy", "yearTo": 1900}, {"offset": 100_000}]:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        lists = [ask_graph(f"{LIST}?{query}&diversity=0.5").get_json(), ask_graph(f"{LIST}?{query}").get_json()]
        lists += [ask_graph(SESSION, {"movieIds": [1], **asked}).get_json()]
        lists += ask_graph(BATCH, {"userIds": [1, 2], **asked}).get_json()["lists"]
        assert [(found["recommendations"], found["basis"]) for found in lists] == [([], "popular")] * 5
    assert traversals() == before


def test_a_batch_answers_what_was_made_in_time(ask_graph: Ask, settings: Settings) -> None:
    users = MANY[: USERS * 5]
    whole = ask_graph(BATCH, {"userIds": users, "limit": 50})
    assert (whole.status_code, list(whole.get_json())) == (200, ["lists"])
    with open_app(settings.model_copy(update={"deadline": 0.3, "data": settings.data / "hasty"})) as app:
        hasty = app.test_client()
        answers: list[TestResponse] = []

        def answers_a_part() -> bool:
            answers.append(hasty.post(BATCH, json={"userIds": users, "limit": 50}))
            return answers[-1].status_code == 207

        wait_until(answers_a_part)
        components_of(app).views._pool.shutdown()  # a late list needs its connection
    body = answers[-1].get_json()
    made = len(body["lists"])
    assert 0 < made < len(users)
    assert [found["userId"] for found in body["lists"]] == users[:made]
    expected = [{"userId": user, "status": 200 if place < made else 503} for place, user in enumerate(users)]
    assert body["results"] == expected
    told = [[movie["movieId"] for movie in found["recommendations"]] for found in whole.get_json()["lists"]]
    assert [[movie["movieId"] for movie in found["recommendations"]] for found in body["lists"]] == told[:made]
    assert {answer.status_code for answer in answers} <= {207, 503}


def test_a_batch_of_which_nothing_can_be_made_is_refused(ask: Ask) -> None:
    answer = ask(BATCH, {"userIds": [1, 2]})
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert "Retry-After" in answer.headers
