"""Readiness tells which part is not ready and why, and the service starts without Neo4j."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from conftest import SMALL, join_probes, wait_until
from gunicorn_service import GunicornService, service_settings, serving

from common.settings import Settings
from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.models import Model, Models
from graph.server.process import EmbeddedServer
from service.app import create_app
from service.capacity.single_flight import SingleFlight, result_of
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, Event, EventType
from stream.viewings import FinishRules
from stream.writer import Writer


def parts_of(service: GunicornService) -> dict[str, Any]:
    return service.get("/health/ready").json()["parts"]


@pytest.mark.slow
def test_the_service_starts_without_neo4j_and_recovers(own: Settings, tmp_path: Path) -> None:
    with serving(own.model_copy(update={"log_format": "json"}), tmp_path) as service:
        assert service.get("/health/live").json() == {"live": True}
        parts = parts_of(service)
        assert {name: part["ready"] for name, part in parts.items()} == {
            "neo4j": False,
            "model": False,
            "eventLog": True,
            "worker": True,
            "background": True,
            "disk": True,
        }
        assert "python -m graph up" in parts["neo4j"]["detail"]
        answer = service.get("/v1/movies/1")
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert service.metric("recommender_neo4j_up") == 0

        server = EmbeddedServer.of(own)
        server.up(own.neo4j_bolt_port, own.neo4j_http_port, memory=SMALL)
        wait_until(lambda: parts_of(service)["neo4j"]["ready"], 60)
        wait_until(lambda: service.get("/v1/movies/1").status_code == 404)
        assert parts_of(service)["model"] == {"ready": False, "detail": "no model: run `python -m loader bulk PATH`"}


def test_each_part_that_is_not_ready_says_why(database: Database, neo4j: EmbeddedServer, tmp_path: Path) -> None:
    settings = service_settings(neo4j, tmp_path).model_copy(update={"largest_backlog": 1000})
    log = SqliteEventLog(settings.event_log_path)
    log.append([Event(type=EventType.STARTED, source=API, at=utc_now(), user_id=1, movie_id=1) for _ in range(1000)])
    with serving(settings, tmp_path) as service:
        wait_until(lambda: parts_of(service)["neo4j"]["ready"])
        wait_until(lambda: not parts_of(service)["worker"]["ready"])
        parts = parts_of(service)
        assert not parts["model"]["ready"]
        assert parts["worker"]["detail"].startswith("the graph is 1001 events behind, no more are taken")
        event = {"type": "started", "userId": 1, "movieId": 1}
        refused = requests.post(f"{service.url}/v1/events", json=[event], timeout=10)
        assert refused.status_code == 503
        assert refused.json()["detail"].startswith("1,001 events wait to be applied, and no more are taken")
        Writer(log, Ingest(database), FinishRules()).apply_pending()
        wait_until(lambda: requests.post(f"{service.url}/v1/events", json=[event], timeout=10).ok)
        with closing(sqlite3.connect(settings.event_log_path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # or its pages would be read from there
        settings.event_log_path.write_bytes(b"no database" * 1000)
        wait_until(lambda: not parts_of(service)["eventLog"]["ready"])
        assert "event log" in parts_of(service)["eventLog"]["detail"]


def test_a_model_whose_edges_are_gone_is_not_ready(database: Database, settings: Settings) -> None:
    database.run_text("UNWIND [1, 2] AS id CREATE (:Movie {movieId: id, ratingCount: id, ratingMean: 3.0})")
    models = Models(database)
    models.create_catalogue("movielens")
    models.write_similar("v", [(1, 2, 0.5, 1)], lambda _: None)
    models.switch_model(Model("v", utc_now(), edges=1, movies=2, parameters={}, snapshot={}))
    app = create_app(settings)
    try:
        client = app.test_client()

        def state() -> object:
            return client.get("/health/ready").get_json()["parts"]["model"]

        wait_until(lambda: state() == {"ready": True, "detail": "model v, 1 edges"})  # its first traversal is planned
        database.run_text("MATCH ()-[similar:SIMILAR]->() DELETE similar")
        gone = "the edges of model v are gone: run `python -m engine fit`"
        wait_until(lambda: state() == {"ready": False, "detail": gone})
    finally:
        join_probes()
        app.extensions["recommender"].close()


def test_a_log_that_hangs_is_not_taken_for_neo4j(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = threading.Event()
    monkeypatch.setattr(SqliteEventLog, "end", lambda *_: hung.wait(60))
    app = create_app(settings)
    try:
        parts = app.test_client().get("/health/ready").get_json()["parts"]
    finally:
        hung.set()
        join_probes()
        app.extensions["recommender"].close()
    assert parts["worker"] == {"ready": True, "detail": "not known: the event log or Neo4j gives no answer in time"}


def test_a_question_is_asked_by_one_thread_at_a_time_and_its_answer_kept() -> None:
    asked = []

    def question() -> int:
        asked.append(time.monotonic())
        time.sleep(1)
        return len(asked)

    probe = SingleFlight(question, keep_seconds=5)
    answers = [probe.ask() for _ in range(10)]
    assert not any(answer.done() for answer in answers)
    assert {answer.result(5) for answer in answers} == {1}
    assert result_of(probe.ask()) == 1  # kept
    assert len(asked) == 1
