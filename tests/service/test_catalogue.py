"""Putting movies, lists for many users, and pages to the very end; over HTTP on the running system."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import RunningSystem, wait_until
from contract import Contract

from graph.database import Database
from graph.repositories.ingest import Ingest

NEW_MOVIE = 1_900_001


@pytest.fixture(scope="module")
def sequence(system: RunningSystem) -> Iterator[Ingest]:
    with Database.from_settings(system.settings) as database:
        yield Ingest(database)


def recommended(contract: Contract, user_id: int, query: str = "limit=200") -> list[int]:
    answer = contract.call("get", f"/v1/users/{user_id}/recommendations?{query}")
    return [movie["movieId"] for movie in answer["recommendations"]]


def listed(contract: Contract, path: str) -> dict[int, bool]:
    return {movie["movieId"]: movie["available"] for movie in contract.call("get", path)["movies"]}


def test_a_movie_that_is_not_available_is_recommended_to_nobody(contract: Contract, sequence: Ingest) -> None:
    first = "limit=1&current=0"  # which does not change as others watch
    [movie_id] = recommended(contract, 2, first)
    movie = contract.call("get", f"/v1/movies/{movie_id}")
    told = {name: movie[name] for name in ("title", "year", "genres")}
    [neighbour] = list(listed(contract, f"/v1/movies/{movie_id}/similar?limit=1"))
    before = sequence.get_sequence()
    contract.call("put", f"/v1/movies/{movie_id}", json={**told, "available": False})
    try:
        assert sequence.get_sequence() > before, "followers notice"
        assert movie_id not in recommended(contract, 2)
        batch = contract.call("post", "/v1/recommendations", json={"userIds": [2, 888_001], "limit": 50})
        session = contract.call("post", "/v1/sessions/recommendations", json={"movieIds": [neighbour], "limit": 200})
        for answer in (*batch["lists"], session):
            assert movie_id not in {found["movieId"] for found in answer["recommendations"]}
        for path in ("popular", "trending", f"{neighbour}/similar"):
            assert movie_id not in listed(contract, f"/v1/movies/{path}?limit=200")
        contract.call("get", f"/v1/users/2/recommendations/{movie_id}/explanation", 404)
        found = listed(contract, f"/v1/movies?query={movie['title']}&limit=200")
        assert found[movie_id] is False
    finally:
        assert contract.call("put", f"/v1/movies/{movie_id}", json=told) == movie
    assert recommended(contract, 2, first) == [movie_id]


def test_a_movie_is_made_then_changed(contract: Contract) -> None:
    path = f"/v1/movies/{NEW_MOVIE}"
    first = {"title": "Zzyzxian Nights", "year": 2026, "genres": ["Drama", "Comedy"], "available": True}
    made = contract.call("put", path, 201, json=first)
    assert made == {**first, "movieId": NEW_MOVIE, "ratingCount": 0, "ratingMean": None}
    assert contract.call("put", path, 200, json=first) == made
    changed = contract.call("put", path, 200, json={"title": "Zzyzxian Days", "available": False})
    assert (changed["title"], changed["year"], changed["genres"]) == ("Zzyzxian Days", None, [])
    assert contract.call("get", path) == changed
    assert contract.call("get", path + "/similar")["movies"] == []


def test_many_users_get_what_each_would_get_alone(contract: Contract) -> None:
    """Others go on watching meanwhile: each try is of its own moment, not of one that is remembered."""
    filters = {"limit": 5, "offset": 2, "genre": "Comedy", "yearFrom": 1980, "yearTo": 2005}
    users = [3, 1, 888_002, *range(20, 40)]
    query = "limit=5&offset=2&genre=Comedy&yearFrom=1980&yearTo=2005"
    nobodys = itertools.count(1_950_000)

    def told(answer: dict[str, Any]) -> tuple[str, list[int]]:
        return answer["basis"], [movie["movieId"] for movie in answer["recommendations"]]

    def are_equal() -> bool:
        exclude = [356, next(nobodys)]
        body = {"userIds": users, "exclude": exclude, **filters}
        lists = contract.call("post", "/v1/recommendations", json=body)["lists"]
        assert [answer["userId"] for answer in lists] == users
        path = f"recommendations?{query}&exclude={exclude[0]},{exclude[1]}"
        alone = [contract.call("get", f"/v1/users/{user}/{path}") for user in users[:6]]
        return list(map(told, lists[:6])) == list(map(told, alone))

    wait_until(are_equal)


@pytest.mark.parametrize("users", [[], [1, 1], list(range(1, 102)), [0], ["1"], "1"])
def test_a_batch_has_bounds(contract: Contract, users: object) -> None:
    problem = contract.call("post", "/v1/recommendations", 422, json={"userIds": users})
    assert problem["errors"][0]["name"].startswith("userIds")


@pytest.mark.parametrize("user_id", [4, 888_003])
def test_pages_go_on_until_nothing_is_left(contract: Contract, system: RunningSystem, user_id: int) -> None:
    nobodys = itertools.count(1_960_000)
    found: list[int] = []

    def read_pages() -> bool:
        """Whether they fit together: what others watch between two of them may move a movie from one to the other."""
        query = f"limit=200&genre=Horror&exclude={next(nobodys)}"
        pages = [recommended(contract, user_id, f"{query}&offset={offset}") for offset in range(0, 1200, 200)]
        assert pages[-1] == []
        found[:] = [movie_id for page in pages for movie_id in page]
        return len(set(found)) == len(found)

    wait_until(read_pages)
    with Database.from_settings(system.settings) as database:
        [row] = database.run_text(
            """
            MATCH (movie:Movie)
            WHERE 'Horror' IN movie.genres AND coalesce(movie.available, true) AND movie.viewers > 0
              AND NOT EXISTS { (:User {userId: $userId})-[:RATED|WATCHED]->(movie) }
            RETURN collect(movie.movieId) AS movies
            """,
            userId=user_id,
        )
    assert set(found) == set(row["movies"])


def test_a_user_just_created_without_a_history_gets_what_everybody_gets(contract: Contract) -> None:
    contract.call("post", "/v1/events", json={"userId": 888_004, "movieId": 1, "type": "listed", "eventId": "u-888004"})
    contract.call("delete", "/v1/events/u-888004")
    known, unknown = (contract.call("get", f"/v1/users/{user}/recommendations") for user in (888_004, 888_005))
    assert known["basis"] == unknown["basis"] != "history"
    assert known["recommendations"]
