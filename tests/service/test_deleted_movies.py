"""DELETE /v1/movies/{movieId} over HTTP: gone in all processes with the answer, and finished after a kill."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from conftest import wait_until
from gunicorn_service import GunicornService, serving
from small_catalogue import SMALL_CATALOGUE

from common.settings import ROOT, Settings
from graph.database import Database
from graph.server.ports import free_ports
from scripts.sandbox import environment_of

PATHS = [
    "/v1/users/1/recommendations",
    "/v1/users/999/recommendations?limit=100",
    "/v1/users/999/recommendations?limit=100&current=0",
    "/v1/movies/popular?limit=100",
    "/v1/movies/trending?limit=100",
    "/v1/movies/1/similar?limit=100",
    "/v1/movies?query=movie&limit=100",
]
ASKED = list(itertools.product(PATHS, range(6)))  # each so often that both processes are asked
VIEWERS = 20_000


@pytest.fixture
def service(database: Database, settings: Settings, tmp_path: Path) -> Iterator[GunicornService]:
    database.run_text(SMALL_CATALOGUE)
    own = {"open": True, "workers": 2, "deadline": 4, "port": free_ports(1)[0], "feed_catalogue": "movielens"}
    own |= {"feed_url": "http://127.0.0.1:9/"}
    with serving(settings.model_copy(update=own), tmp_path) as service:
        yield service


@pytest.fixture
def crowded(database: Database) -> Iterator[Database]:
    """Very many rated movie 60; in small transactions, as the tests' Neo4j has little memory."""
    for first in range(1000, 1000 + VIEWERS, 5000):
        database.run_text(
            "MATCH (m:Movie {movieId: 60}) UNWIND range($first, $first + 4999) AS id CREATE (u:User {userId: id}) "
            "CREATE (u)-[:RATED {rating: 4.0, at: localdatetime('2020-01-01T00:00:00')}]->(m)",
            first=first,
        )
    database.run_text("MATCH (m:Movie {movieId: 60}) SET m.viewers = $count, m.ratingCount = $count", count=VIEWERS)
    yield database
    database.run_alone("MATCH (u:User) CALL (u) { DETACH DELETE u } IN TRANSACTIONS OF 2000 ROWS")


def offered(url: str, path: str) -> set[int]:
    """What an answer offers, on a connection of its own."""
    answer = requests.get(url + path, timeout=20).json()
    return {movie["movieId"] for movie in answer.get("recommendations", answer.get("movies"))}


def test_no_process_offers_it_from_the_moment_of_the_answer(service: GunicornService) -> None:
    for path, _ in ASKED:  # what is answered now is kept
        wait_until(lambda path=path: requests.get(service.url + path, timeout=20).ok)
    for movie_id in (60, 59, 8, 15):  # popular ones, and neighbours of movie 1
        assert any(movie_id in offered(service.url, path) for path in PATHS)
        url = f"{service.url}/v1/movies/{movie_id}"
        answer = requests.delete(url, timeout=20)
        assert answer.status_code in (200, 202)  # how much is removed by then is a matter of time
        assert answer.json() == {"movieId": movie_id, "applied": answer.status_code == 200}
        for path, _ in ASKED:
            found = offered(service.url, path)
            assert movie_id not in found, path
            assert found
        assert requests.get(url, timeout=20).status_code == 404
        wait_until(lambda url=url: requests.delete(url, timeout=20).status_code == 404)  # asked again it goes on
    assert requests.delete(f"{service.url}/v1/movies/777777", timeout=20).status_code == 404


def test_a_deletion_goes_on_after_a_kill(service: GunicornService, crowded: Database) -> None:
    def delete() -> None:
        with suppress(requests.RequestException):  # the service is killed before it answers
            requests.delete(f"{service.url}/v1/movies/60", timeout=20)

    def state() -> tuple[bool, int]:
        """Whether the movie has a title, and how many ratings."""
        rows = crowded.run_text(
            "MATCH (m:Movie {movieId: 60}) RETURN m.title AS title, COUNT { (m)<-[:RATED]-() } AS left"
        )
        return (rows[0]["title"] is not None, rows[0]["left"]) if rows else (False, 0)

    wait_until(lambda: requests.get(f"{service.url}/v1/movies/60", timeout=20).ok)
    asking = threading.Thread(target=delete)
    asking.start()
    wait_until(lambda: not state()[0])
    for pid in [service.process.pid, *service.workers()]:
        os.kill(pid, signal.SIGKILL)
    asking.join()
    _, left = state()
    assert left > 0, "killed before all was removed"
    command = [sys.executable, "-m", "stream", "worker"]
    worker = subprocess.Popen(command, cwd=ROOT, env=environment_of(service.settings), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not crowded.run_text("MATCH (m:Movie {movieId: 60}) RETURN m"), 90)
    finally:
        worker.terminate()
        worker.wait(20)
    assert crowded.run_text("MATCH (d:DeletedMovie {movieId: 60}) RETURN d.removedAt AS at")[0]["at"] is not None
