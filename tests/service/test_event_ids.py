"""Whose the ids of events are, and what a retry counts."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import open_app
from flask.testing import FlaskClient
from small_catalogue import SMALL_CATALOGUE

from common.settings import Settings
from graph.database import Database
from service.access.keys import add_key

Send = Callable[..., dict[str, Any]]
KEYS = ("player", "website")
USERS = iter(range(1001, 2000))


@pytest.fixture
def client(database: Database, settings: Settings) -> Iterator[FlaskClient]:
    """The app with two keys."""
    database.run_text(SMALL_CATALOGUE)
    settings = settings.model_copy(update={"deadline": 60})  # a Neo4j that has just started plans its first queries
    secrets = {name: add_key(settings.keys_path, name, "write", 10_000) for name in KEYS}
    with open_app(settings) as app:
        app.config["SECRETS"] = secrets
        yield app.test_client()


@pytest.fixture
def send(client: FlaskClient) -> Send:
    """Sends with a key, by its name; returns the answer's body."""

    def call(method: str, path: str, key: str, body: Any = None, status: int = 200, **headers: str) -> dict[str, Any]:
        headers |= {"Authorization": f"Bearer {client.application.config['SECRETS'][key]}"}
        answer = client.open(path, method=method, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        if method != "GET":
            time.sleep(0.1)  # from then on nothing is answered from before it
        return dict(answer.get_json())

    return call


@pytest.fixture
def user() -> int:
    return next(USERS)


@pytest.fixture
def movies(send: Send, user: int) -> Callable[[int], list[int]]:
    """The movies of a user's history."""

    def read(user_id: int = user) -> list[int]:
        history = send("GET", f"/v1/users/{user_id}/history", "player")["history"]
        return sorted(entry["movieId"] for entry in history)

    return read


def post(send: Send, key: str, *events: dict[str, Any], status: int = 200, **headers: str) -> Any:
    body = send("POST", "/v1/events", key, list(events), status, **headers)
    return [result["outcome"] for result in body["results"]] if status == 200 else body


def finish(user_id: int, movie_id: int, **more: Any) -> dict[str, Any]:
    return {"userId": user_id, "movieId": movie_id, "type": "finished", **more}


def test_two_keys_may_use_the_same_id(send: Send, user: int, movies: Callable[..., list[int]]) -> None:
    other = next(USERS)
    assert post(send, "player", finish(user, 2, eventId="one")) == ["applied"]
    assert post(send, "website", finish(other, 1, eventId="one")) == ["applied"]
    assert (movies(), movies(other)) == ([2], [1])
    assert post(send, "player", finish(user, 2, eventId="one")) == ["repeated"]
    problem = post(send, "website", finish(user, 2, eventId="one"), status=409)
    assert "website" not in problem["detail"]


def test_only_the_keys_own_events_are_taken_back(send: Send, user: int, movies: Callable[..., list[int]]) -> None:
    [result] = send("POST", "/v1/events", "player", finish(user, 2))["results"]
    event_id = result["eventId"]
    assert " " not in event_id
    assert send("DELETE", f"/v1/events/{event_id}", "website")["effects"] == 0
    assert movies() == [2]
    assert send("DELETE", f"/v1/events/{event_id}", "player") == {"eventId": event_id, "applied": True, "effects": 1}
    assert movies() == []
    assert post(send, "website", finish(user, 1, eventId=event_id)) == ["undone"], "taken back in advance, by its key"


def test_an_id_is_shown_as_its_client_gave_it(send: Send, user: int) -> None:
    event_id = f"shown-{user}"
    post(send, "player", finish(user, 2, eventId=event_id))
    [entry] = send("GET", f"/v1/users/{user}/history", "website")["history"]
    assert entry["eventId"] == event_id


def test_events_of_a_time_without_owners_can_be_taken_back(
    send: Send, settings: Settings, user: int, movies: Callable[..., list[int]], tmp_path: Path
) -> None:
    with open_app(settings.model_copy(update={"data": tmp_path / "earlier", "open": True, "deadline": 60})) as app:
        answer = app.test_client().post("/v1/events", json=finish(user, 2, eventId=f"old-{user}"))
        assert answer.status_code == 200
    assert send("DELETE", f"/v1/events/old-{user}", "player")["effects"] == 1
    assert movies() == []


@pytest.mark.parametrize("kind", ["finished", "liked", "clicked", "progress", "listed"])
def test_a_request_with_a_key_of_its_own_counts_once(
    send: Send, user: int, movies: Callable[..., list[int]], kind: str
) -> None:
    events = [{"userId": user, "movieId": movie, "type": kind} for movie in (1, 2)]
    headers = {"Idempotency-Key": f"request-{user}"}
    first = send("POST", "/v1/events", "player", events, **headers)["results"]
    again = send("POST", "/v1/events", "player", events, **headers)["results"]
    assert [result["outcome"] for result in first] == ["applied"] * 2
    assert [result["outcome"] for result in again] == ["repeated"] * 2
    assert [result["eventId"] for result in first] == [result["eventId"] for result in again]
    if kind == "finished":
        assert movies() == [1, 2]
        assert {result["recommendations"]["userId"] for result in again} == {user}
    assert post(send, "player", *events, **{"Idempotency-Key": f"another-{user}"})
    assert post(send, "website", *events, **headers)


def test_the_key_of_another_request_is_refused(send: Send, user: int, movies: Callable[..., list[int]]) -> None:
    headers = {"Idempotency-Key": f"reused-{user}"}
    post(send, "player", finish(user, 2), **headers)
    problem = post(send, "player", finish(user, 1), status=409, **headers)
    assert [error["name"] for error in problem["errors"]] == ["Idempotency-Key"]
    assert f"reused-{user}" in problem["detail"]
    assert movies() == [2]
    problem = post(send, "player", finish(user, 1), status=422, **{"Idempotency-Key": "x" * 201})
    assert [error["name"] for error in problem["errors"]] == ["Idempotency-Key"]


def test_an_id_of_an_event_that_left_no_edge_is_known_from_the_log(send: Send, user: int) -> None:
    """The second like replaces the first, of which the graph then knows nothing."""
    first = {"userId": user, "movieId": 2, "type": "liked", "eventId": f"first-{user}"}
    post(send, "player", first)
    post(send, "player", {**first, "value": -1, "eventId": f"second-{user}"})
    assert post(send, "player", first) == ["outdated"]
    problem = post(send, "player", finish(next(USERS), 1, eventId=f"first-{user}"), status=409)
    assert [error["name"] for error in problem["errors"]] == ["[0].eventId"]
