"""What a process works with is made once, whoever asks first, and ends with the process."""

import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from flask import Flask
from gunicorn_service import service_settings, serving

from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Changes, Ingest
from graph.server.process import EmbeddedServer
from service.app import create_app
from service.components import Components, Write, components_of
from service.http.policy import enforce_deadlines, reads
from stream.event_log import open_log
from stream.event_log.base import EventLog

CROWD = 24
LOOPS = {"change feed", "broadcaster", "writes"}


def crowd(work: Any) -> None:
    """So many threads that begin at the same moment."""
    gate = threading.Barrier(CROWD)

    def run() -> None:
        gate.wait()
        work()

    threads = [threading.Thread(target=run) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_crowd_at_the_start_gets_one_of_everything(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`functools.cached_property` has no lock since Python 3.12: two drivers, and a cache that nobody kept fresh."""
    made: list[object] = []
    connect = Database.from_settings

    def count(*arguments: Any, **named: Any) -> Database:
        made.append(arguments)
        return connect(*arguments, **named)

    def open_and_count(settings: Settings) -> EventLog:
        log = open_log(settings)
        made.append(log)
        return log

    monkeypatch.setattr(Database, "from_settings", count)
    monkeypatch.setattr("service.components.open_log", open_and_count)
    app = create_app(settings)
    components = components_of(app)
    used: list[tuple[int, ...]] = []

    def ask() -> None:
        assert app.test_client().get("/v1/movies/popular").status_code in {200, 503}
        used.append(tuple(map(id, (components.database, components.changes, components.cache, components.log))))

    crowd(ask)
    assert len(set(used)) == 1
    assert len(made) == 2, "one driver, one log"
    assert sum(thread.name == "change feed" for thread in threading.enumerate()) == 1
    components.close()


def test_all_that_goes_on_ends_with_the_components(database: Database, settings: Settings) -> None:
    before = set(threading.enumerate())
    # Neo4j may have just started, and plans its first queries.
    components = Components(settings.model_copy(update={"deadline": 60}))
    assert set(threading.enumerate()) == before, "nothing begins before it is used"
    listener = components.broadcaster.listen(None, None)
    components.writes.write(Write(), 60)  # nothing, but it begins the loop
    assert {thread.name for thread in threading.enumerate()} >= LOOPS
    components.broadcaster.leave(listener)
    components.close()
    wait_until(lambda: not LOOPS & {thread.name for thread in set(threading.enumerate()) - before})


def test_a_service_process_that_stops_closes_what_it_has(
    database: Database, neo4j: EmbeddedServer, tmp_path: Path
) -> None:
    with serving(service_settings(neo4j, tmp_path), tmp_path) as service:
        assert service.get("/v1/movies/popular").status_code == 200
        workers = service.workers()
        service.process.terminate()
        service.process.wait(20)
    assert (tmp_path / "service.log").read_text().count("all connections are closed") == len(workers)


def test_an_unexpected_error_does_not_end_what_follows_the_graph(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.push.change_feed.FAILURE_SECONDS", 0.05)
    monkeypatch.setattr("common.background.FAILING_SECONDS", 0.1)
    read, is_broken = Ingest.read_changes, threading.Event()

    def break_or_read(ingest: Ingest, after: int) -> Changes:
        if is_broken.is_set():
            raise ZeroDivisionError("a bug")
        return read(ingest, after)

    monkeypatch.setattr(Ingest, "read_changes", break_or_read)
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/v1/movies/popular").status_code == 200

    def background() -> dict[str, Any]:
        part: dict[str, Any] = client.get("/health/ready").get_json()["parts"]["background"]
        return part

    is_broken.set()
    wait_until(lambda: client.get("/v1/movies/popular").status_code == 503)
    wait_until(lambda: not background()["ready"])
    assert background()["detail"] == "keeps failing: change feed; the service's log says why"
    is_broken.clear()
    wait_until(lambda: client.get("/v1/movies/popular").status_code == 200)
    wait_until(lambda: background()["ready"])
    components_of(app).close()


def test_a_route_without_a_policy_does_not_start(settings: Settings) -> None:
    components = Components(settings)
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/known", "known", reads()(lambda: "known"))
    enforce_deadlines(app, components.views)
    app.add_url_rule("/forgotten", "forgotten", lambda: "forgotten")
    with pytest.raises(TypeError, match="forgotten has no policy"):
        enforce_deadlines(app, components.views)
    components.close()
