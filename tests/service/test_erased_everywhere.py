"""A user who did everything is erased: nothing that is kept names the user, but for the tombstone."""

import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from apps import open_app
from conftest import join_probes
from flask.testing import FlaskClient
from small_catalogue import SMALL_CATALOGUE

from common.settings import Settings
from common.times import utc_now
from engine.dataset import RATING_SCHEMA, Dataset, Manifest
from engine.forgetting import forget_users
from graph.database import Database
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from service.components import components_of
from stream.decoding import decode_answer
from stream.erasing import finish_erasures, forget_erased
from stream.event_log.sqlite import SqliteEventLog
from stream.events import FEED, Event, EventType
from stream.viewings import FinishRules
from stream.writer import Writer

USER, OTHER = 987654321, 876543219
NAME = str(USER)
HISTORY = f"/v1/users/{USER}/history"


@pytest.fixture
def configured(settings: Settings) -> Settings:
    return settings.model_copy(update={"open": True, "deadline": 60})


@pytest.fixture
def client(database: Database, configured: Settings) -> Iterator[FlaskClient]:
    database.run_text(SMALL_CATALOGUE)
    with open_app(configured) as app:
        yield app.test_client()


@pytest.fixture
def log(configured: Settings) -> SqliteEventLog:
    return SqliteEventLog(configured.event_log_path)


@pytest.fixture
def staged(configured: Settings) -> Dataset:
    dataset = Dataset(configured.staging / "set")
    dataset.folder.mkdir(parents=True)
    rows = [(user, 1, 4.0, utc_now(), False) for user in (USER, OTHER)]
    pl.DataFrame(rows, schema=RATING_SCHEMA, orient="row").write_parquet(dataset.shard_file(0))
    movies = {
        "movieId": [1],
        "title": ["A"],
        "year": [1990],
        "genres": [["X"]],
        "ratingCount": [2],
        "ratingMean": [4.0],
    }
    pl.DataFrame(movies).write_parquet(dataset.movies_file)
    dataset.write_manifest(Manifest("movielens", "here", ratings=2, users=2, movies=1))
    return dataset


def do_everything(client: FlaskClient, log: SqliteEventLog, database: Database, user: int) -> None:
    """All kinds of events, with ids that name the user and without, some taken back; the feed; lists; dead letters."""

    def send(method: str, path: str, body: Any = None, **headers: str) -> None:
        answer = client.open(path, method=method, json=body, headers=headers)
        assert answer.status_code == 200, answer.text

    about = {"userId": user, "movieId": 30}
    kinds: list[dict[str, Any]] = [
        {"type": "started"},
        {"type": "progress"},
        {"type": "rated", "rating": 2, "at": (utc_now() - timedelta(hours=1)).isoformat()},
        {"type": "rated", "rating": 4},
        {"type": "liked"},
        {"type": "listed"},
        {"type": "clicked"},
        {"type": "finished"},
    ]
    events = [{**about, **kind, "eventId": f"{number}-of-{user}"} for number, kind in enumerate(kinds)]
    send("DELETE", f"/v1/events/early-{user}")  # before it comes
    send("POST", "/v1/events", [*events, {**about, "type": "liked", "movieId": 31, "eventId": f"early-{user}"}])
    send("POST", "/v1/events", [{**about, "movieId": 32, **kind} for kind in kinds], **{"Idempotency-Key": f"k{user}"})
    for number in (3, 4, 7):
        send("DELETE", f"/v1/events/{number}-of-{user}")
    send("POST", "/v1/events", {**about, "type": "finished", "movieId": 33})
    for path in ("recommendations", "recommendations?limit=5&genre=Comedy", "history", "predictions?movies=1,2"):
        send("GET", f"/v1/users/{user}/{path}")
    see(log, user)
    write_all(log, database)
    send("DELETE", f"/v1/events/{Event(**sighting(user)).key}")


def sighting(user: int) -> dict[str, Any]:
    return {"type": EventType.WATCHING, "source": FEED, "at": MOMENT, "user_id": user, "movie_id": 40, "title": "Seen"}


MOMENT = utc_now() - timedelta(minutes=10)


def see(log: SqliteEventLog, user: int) -> None:
    """The feed shows the user, and a row of the user that cannot be read; a list is refused by the webhook."""
    log.append([Event(**sighting(user)), Event(type=EventType.POLLED, source=FEED, at=utc_now())])
    row = {
        "columns": ["YearRelease", "Name", "current_time", "customerID"],
        "index": [1],
        "data": [[1, "A", "no", user]],
    }
    for text, reason in decode_answer(json.dumps(row).encode(), utc_now(), timedelta(minutes=5)).unreadable:
        log.bury(text, reason)
    log.bury(json.dumps({"type": "recommendations", "data": {"userId": user}}), "webhook: answered 400")
    log.bury(f'{{"userId":{user}', "cut off")


def write_all(log: SqliteEventLog, database: Database) -> None:
    ingest = Ingest(database)
    while ingest.read_offset(log.name).offset < log.end(0):
        Writer(log, ingest, FinishRules()).apply_pending()


def graph_naming(database: Database, name: str) -> list[tuple[Any, str]]:
    """What is in the graph that has a name in a property, but for tombstones."""
    nodes = database.run_text("MATCH (n) RETURN labels(n) AS kind, properties(n) AS properties")
    edges = database.run_text("MATCH ()-[e]->() RETURN type(e) AS kind, properties(e) AS properties")
    found = [(row["kind"], str(row["properties"])) for row in [*nodes, *edges]]
    return [(kind, text) for kind, text in found if name in text and kind != ["Erased"]]


def rows_naming(log: SqliteEventLog, name: str) -> list[str]:
    """The rows of the log's tables that have a name in them, but for events that say that a user is erased."""
    with closing(sqlite3.connect(log.path)) as connection:
        tables = [table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [str(row) for table in tables for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608
    return [row for row in rows if name in row and '"type":"erased"' not in row]


def count_in_files(folder: Path, name: str) -> dict[str, int]:
    """How often each file has a name."""
    counts = {
        str(file.relative_to(folder)): file.read_bytes().count(name.encode())
        for file in folder.rglob("*")
        if file.is_file()
    }
    return {file: count for file, count in counts.items() if count}


def test_nothing_names_an_erased_user(
    client: FlaskClient,
    log: SqliteEventLog,
    staged: Dataset,
    database: Database,
    configured: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    access = components_of(client.application)
    for user in (USER, OTHER):
        do_everything(client, log, database, user)
    kinds = {str(kind) for kind, _ in graph_naming(database, NAME)}
    assert kinds >= {"['User']", "['Change']", "['Undone']", "WATCHED", "RATED", "LISTED", "CLICKED", "RECOMMENDED"}
    assert rows_naming(log, NAME)
    before = {str(OTHER): (graph_naming(database, str(OTHER)), rows_naming(log, str(OTHER)))}

    answer = client.delete(f"/v1/users/{USER}")
    assert (answer.status_code, answer.get_json()["applied"]) == (200, True)
    check_that_nothing_names_the_user(client, log, database)

    # What comes later, and the log's replay, with the erasure on it.
    client.post("/v1/events", json={"userId": USER, "movieId": 2, "type": "finished", "eventId": f"late-{USER}"})
    see(log, USER)
    database.run_text("MATCH (position:IngestOffset) SET position.offset = 0")
    write_all(log, database)
    finish_erasures(log, access.erasures)
    forget_erased(log, access.erasures)
    check_that_nothing_names_the_user(client, log, database)

    forget_users(staged, Erasures(database, configured.erased_file).read())
    assert set(staged.ratings()["userId"]) == {OTHER}
    in_files = count_in_files(configured.data, NAME)
    assert in_files == {"erased.json": 1, "events.sqlite": 1, "staging/set/manifest.json": 1}, "tombstones"
    assert not [record.getMessage() for record in caplog.records if NAME in record.getMessage()]
    kinds_of_other = {str(kind) for kind, _ in graph_naming(database, str(OTHER))}
    assert kinds_of_other >= {str(kind) for kind, _ in before[str(OTHER)][0]}
    assert rows_naming(log, str(OTHER)) == before[str(OTHER)][1]


def check_that_nothing_names_the_user(client: FlaskClient, log: SqliteEventLog, database: Database) -> None:
    time.sleep(0.1)  # from then on nothing is answered from before it
    assert client.get(HISTORY).get_json()["history"] == []
    kept = components_of(client.application).cache._answers
    assert {key for key in kept if NAME in key} == {key for key in kept if HISTORY in key}, "what was just asked"
    assert b"Movie 30" not in b"".join(answer.body for key, answer in kept.items() if NAME in key)
    assert graph_naming(database, NAME) == []
    assert rows_naming(log, NAME) == []
    assert NAME not in client.get("/metrics").text
    join_probes()
