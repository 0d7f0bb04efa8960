"""What the pages draw, over HTTP on the running system: ratings counted, genres, the model, reach, recent changes."""

from collections import Counter
from itertools import pairwise

import requests
from conftest import RunningSystem, wait_until
from contract import Contract

from graph.database import Database
from graph.recency import HALF_LIVES

RECENT_USER = 880_001


def test_ratings_are_counted_by_stars_and_year(contract: Contract, system: RunningSystem) -> None:
    with Database.from_settings(system.settings) as database:
        rows = database.run_text(
            "MATCH (:Movie {movieId: 318})<-[rated:RATED]-() RETURN rated.rating AS rating, rated.at.year AS year"
        )
    stars, years = Counter(row["rating"] for row in rows), Counter(row["year"] for row in rows)
    answer = contract.call("get", "/v1/movies/318/ratings")
    assert {entry["rating"]: entry["count"] for entry in answer["stars"]} == stars
    assert {entry["year"]: entry["count"] for entry in answer["years"]} == years
    assert answer["counted"] == len(rows)
    contract.call("get", "/v1/movies/870870/ratings", 404)


def test_genres_are_listed_by_name(contract: Contract) -> None:
    genres = [entry["genre"] for entry in contract.call("get", "/v1/movies/genres")["genres"]]
    assert "Film-Noir" in genres
    assert genres == sorted(genres)


def test_the_model_in_use_is_told_with_the_others(contract: Contract) -> None:
    answer = contract.call("get", "/v1/stats/model")
    assert answer["catalogue"] == "movielens"
    assert answer["current"] in answer["versions"]
    assert answer["current"]["snapshot"]["ratings"] > 100_000
    assert answer["current"]["metrics"]["judges"] > 0
    assert answer["current"]["rule"]["halfLife"] in HALF_LIVES
    assert answer["overrides"] == {"current": None, "historyLimit": None}


def test_reach_counts_each_movie_once(contract: Contract, system: RunningSystem) -> None:
    recommended = contract.call("post", "/v1/events", json={"userId": RECENT_USER, "movieId": 318, "type": "finished"})
    assert recommended["results"][0]["recommendations"]["recommendations"]
    wait_until(lambda: contract.call("get", "/v1/stats/reach")["recommendations"] > 0)  # a list is told, then stored
    answer = contract.call("get", "/v1/stats/reach")
    groups = answer["groups"]
    assert [entry["group"] for entry in groups] == list(range(1, 11))
    assert sum(entry["movies"] for entry in groups) == answer["movies"] > 9_000
    assert max(entry["movies"] for entry in groups) - min(entry["movies"] for entry in groups) <= 1
    assert all(one["ratings"] * other["movies"] >= other["ratings"] * one["movies"] for one, other in pairwise(groups))
    assert 0 < answer["recommendedMovies"] <= answer["recommendations"]
    assert answer["coverage"] == answer["recommendedMovies"] / answer["movies"]


def test_a_new_listener_may_begin_with_what_was_recent(system: RunningSystem) -> None:
    event = {"userId": RECENT_USER, "movieId": 296, "type": "finished"}
    requests.post(f"{system.url}/v1/events", json=event, timeout=10).raise_for_status()
    path = f"{system.url}/v1/stream?userId={RECENT_USER}&recent=100"
    with requests.get(path, stream=True, timeout=10) as answer:
        lines = answer.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(line for line in lines if line.startswith("event:")) == "event: watch"
