"""Each kind of error has its status, and nothing internal leaves with it."""

import logging
from collections.abc import Callable
from errno import EIO, ENOSPC
from functools import partial

import pytest
from apps import open_app

from common.errors import RecommenderError, SettingsError
from common.settings import Settings
from graph.database import Database
from graph.errors import (
    ContentRefusedError,
    DatabaseReadOnlyError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
    ServerError,
)
from graph.repositories.ingest import Ingest
from graph.repositories.movies import Movies
from service.access.keys import KeysError
from service.capacity.executor import DeadlineError, OverloadedError
from stream.event_log.base import EventLogError, NoRoomError
from stream.event_log.sqlite import SqliteEventLog

SECRET = "/srv/private/events.sqlite MATCH (n)"


@pytest.mark.parametrize(
    ("kind", "status", "retried"),
    [
        (DatabaseUnavailableError, 503, True),
        (DatabaseReadOnlyError, 503, True),
        (ServerError, 503, True),
        (EventLogError, 503, True),
        (NoRoomError, 503, True),
        (partial(OSError, ENOSPC), 503, True),
        (partial(OSError, EIO), 500, False),
        (KeysError, 503, True),
        (ContentRefusedError, 422, False),
        (DatabaseRefusedError, 500, False),
        (SettingsError, 500, False),
        (RecommenderError, 500, False),
        (ZeroDivisionError, 500, False),
    ],
)
def test_an_error_is_answered_by_its_kind_and_told_to_the_log_alone(
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: Callable[[str], Exception],
    status: int,
    retried: bool,
) -> None:
    def fail(*_: object) -> None:
        raise kind(SECRET)

    monkeypatch.setattr(Movies, "find_popular_movies", fail)
    with open_app(settings) as app:
        answer = app.test_client().get("/v1/movies/popular")
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is retried
    assert answer.content_type == "application/problem+json"
    assert "private" not in answer.text
    assert "MATCH" not in answer.text
    assert any(SECRET in record.getMessage() or record.exc_info for record in caplog.records)
    assert all(record.levelno >= logging.WARNING for record in caplog.records if SECRET in record.getMessage())


@pytest.mark.parametrize("kind", [DeadlineError, OverloadedError])
def test_what_is_asked_for_too_often_or_takes_too_long_says_so(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: type[RecommenderError]
) -> None:
    def fail(*_: object) -> None:
        raise kind("it took longer than an answer may; try again")

    monkeypatch.setattr(Movies, "find_popular_movies", fail)
    with open_app(settings) as app:
        answer = app.test_client().get("/v1/movies/popular")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["detail"] == "it took longer than an answer may; try again"


@pytest.mark.parametrize("kind", [DatabaseUnavailableError, DatabaseRefusedError, ContentRefusedError])
def test_events_that_are_on_the_log_are_taken_whatever_neo4j_says(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: type[RecommenderError]
) -> None:
    """The worker applies them, or makes a dead letter of what cannot be applied."""

    def fail(*_: object) -> None:
        raise kind(SECRET)

    monkeypatch.setattr(Ingest, "transact", fail)
    event = {"userId": 1, "movieId": 1, "type": "started", "eventId": "one"}
    with open_app(settings.model_copy(update={"open": True})) as app:
        taken = app.test_client().post("/v1/events", json=event)
        undone = app.test_client().delete("/v1/events/one")
    assert (taken.status_code, taken.get_json()["results"][0]["applied"]) == (202, False)
    assert (undone.status_code, undone.get_json()["applied"]) == (202, False)
    assert len(SqliteEventLog(settings.event_log_path).read(0, 0, 10)) == 2
