"""The service on a disk that is full: no process ends, reads go on, events are refused, all heals by itself."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import wait_until
from gunicorn_service import GunicornService, service_settings, serving
from small_disk import SmallDisk, small_disk

from graph.database import Database
from graph.server.process import EmbeddedServer
from service.access.keys import add_key

# Enough for the event log to count as ready, which it does from 64 MB on.
SIZE = "size=80m"
READS = ["/health/live", "/v1/movies/1", "/v1/movies/genres", "/v1/users/1/recommendations", "/v1/movies/popular", "/"]


@pytest.fixture
def movie(database: Database) -> None:
    database.run_text(
        "CREATE (:Catalogue {name: 'movielens'}), (:User {userId: 1}),"
        " (:Movie {movieId: 1, title: 'One', year: 2001, genres: ['Drama'], viewers: 1})"
    )


@contextmanager
def serving_on(disk: SmallDisk, neo4j: EmbeddedServer, tmp_path: Path, **changed: Any) -> Iterator[GunicornService]:
    settings = service_settings(neo4j, disk.folder / "data").model_copy(update=changed)
    with serving(settings, tmp_path, begin=disk.entered) as service:
        before = service.process.pid, *service.workers()
        yield service
        assert service.process.poll() is None
        assert (service.process.pid, *service.workers()) == before, "no process ends"


def read_all(service: GunicornService, **named: Any) -> Counter[int]:
    return Counter(service.get(path, **named).status_code for _ in range(10) for path in READS)


def post(service: GunicornService, **named: Any) -> requests.Response:
    event = {"userId": 1, "movieId": 1, "type": "started"}
    return requests.post(f"{service.url}/v1/events", json=event, timeout=10, **named)


def part(service: GunicornService, name: str = "disk") -> dict[str, Any]:
    found: dict[str, Any] = service.get("/health/ready").json()["parts"][name]
    return found


def count_events(disk: SmallDisk) -> int:
    """How many are on the log; SQLite resolves names, so that it must have the disk."""
    program = (
        "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM events').fetchone())"
    )
    command = [*disk.entered, sys.executable, "-c", program, str(disk.folder / "data" / "events.sqlite")]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)


def test_a_full_data_folder(neo4j: EmbeddedServer, movie: None, tmp_path: Path) -> None:
    with small_disk(tmp_path / "room", SIZE) as disk, serving_on(disk, neo4j, tmp_path) as service:
        assert post(service).status_code == 200
        wait_until(lambda: part(service)["ready"])
        disk.fill()
        # Each path is a new series, and so is each status: all that is counted is counted first on the full disk.
        assert read_all(service) == {200: 10 * len(READS)}
        for path in ("/nowhere", "/v1/movies/2", "/v1/users/x/history", "/v1/stats/model", "/openapi.json", "/metrics"):
            assert service.get(path).status_code in {200, 404, 422}
        answers = [post(service) for _ in range(50)]
        refused = answers[-1]
        assert {answer.status_code for answer in answers} <= {200, 503}  # the log had room that it had taken already
        assert refused.status_code == 503
        assert "the disk with the event log is full" in refused.json()["detail"]
        assert int(refused.headers["Retry-After"]) >= 1
        taken = sum(answer.status_code == 200 for answer in answers) + 1
        state = part(service)
        assert not state["ready"]
        assert "the data folder (RECOMMENDER_DATA) has 0 bytes free" in state["detail"]
        assert service.metric("recommender_disk_free_bytes", folder="data") == 0
        assert not part(service, "eventLog")["ready"]
        assert requests.delete(f"{service.url}/v1/users/7", timeout=10).status_code == 503
        assert read_all(service) == {200: 10 * len(READS)}

        disk.empty()
        assert post(service).status_code == 200
        assert part(service)["ready"]
        assert part(service, "eventLog")["ready"]
        assert count_events(disk) == taken + 1

        def counted() -> float | None:
            route = "/v1/movies/genres"
            return service.metric("recommender_http_requests_total", method="GET", route=route, status="200")

        time.sleep(1.1)  # so seldom each process tries whether there is room
        wait_until(lambda: service.get("/health/live").ok and counted() == 20)


def test_who_has_a_key_or_a_login_reads_on_a_full_disk(neo4j: EmbeddedServer, movie: None, tmp_path: Path) -> None:
    """Also where the limits of keys were never counted before."""
    with small_disk(tmp_path / "room", SIZE) as disk:
        (disk.seen / "data").mkdir(mode=0o700)
        key = add_key(disk.seen / "data" / "keys.json", "reader", "write", 100)
        headers = {"X-API-Key": key}
        with serving_on(disk, neo4j, tmp_path, open=False) as service, requests.Session() as browser:
            same_origin = {"Sec-Fetch-Site": "same-origin"}
            login = browser.post(f"{service.url}/login", data={"key": key}, headers=same_origin, timeout=10)
            assert login.ok, login.text
            (disk.seen / "data" / "rate-limits").unlink(missing_ok=True)
            disk.fill()
            assert service.get("/v1/movies/1", headers=headers).status_code == 200
            assert browser.get(f"{service.url}/v1/movies/1", timeout=10).status_code == 200
            assert service.get("/v1/movies/1").status_code == 401
            assert {service.get("/v1/movies/1", headers=headers).status_code for _ in range(250)} == {200, 429}


def test_a_service_starts_on_a_full_disk(neo4j: EmbeddedServer, movie: None, tmp_path: Path) -> None:
    with small_disk(tmp_path / "room", SIZE) as disk:
        disk.fill()
        with serving_on(disk, neo4j, tmp_path) as service:
            assert read_all(service) == {200: 10 * len(READS)}
            assert post(service).status_code == 503
            disk.empty()
            wait_until(lambda: service.get("/health/live").ok and post(service).status_code == 200)


def test_a_log_that_cannot_be_written_ends_nothing(neo4j: EmbeddedServer, movie: None, tmp_path: Path) -> None:
    settings = service_settings(neo4j, tmp_path / "data")
    with small_disk(tmp_path / "room", "size=1m") as disk, serving(settings, disk.seen) as service:
        before = service.workers()
        disk.fill()
        for _ in range(5):  # more than the buffers of the processes hold
            assert read_all(service) == {200: 10 * len(READS)}
            assert post(service).status_code == 200
        assert service.workers() == before
        disk.empty()
        marked = {"X-Request-ID": "after-all"}
        wait_until(lambda: service.get("/v1/movies/1", headers=marked).ok and "after-all" in log_of(disk))
        assert "Logging error" not in log_of(disk)
        assert service.process.poll() is None


def log_of(disk: SmallDisk) -> str:
    return (disk.seen / "service.log").read_text(errors="replace")


def test_full_temporary_folders_end_nothing(neo4j: EmbeddedServer, movie: None, tmp_path: Path) -> None:
    """A process that was killed is replaced, and each gives its sign of life."""
    with small_disk(tmp_path / "room", "size=1m,nr_inodes=100") as disk:
        settings = service_settings(neo4j, tmp_path / "data")
        with serving(settings, tmp_path, begin=disk.entered, environment={"TMPDIR": str(disk.folder)}) as service:
            disk.fill()
            disk.use_up_names()
            killed, *_ = service.workers()
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: len(service.workers()) == settings.workers and killed not in service.workers())
            assert read_all(service) == {200: 10 * len(READS)}
            assert post(service).status_code == 200
            assert service.process.poll() is None
