"""From the log into a real graph: exactly once, in any order, and on to stored recommendations."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.models import Models
from graph.repositories.recommendations import Recommendations
from graph.settings import Settings
from stream.events import API, FEED, Event, EventType
from stream.recommender import Recommender
from stream.sqlite_log import SqliteEventLog
from stream.viewings import FinishRules
from stream.writer import Writer, apply_events

NOON = datetime(2026, 1, 1, 12)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def log(settings: Settings) -> SqliteEventLog:
    return SqliteEventLog(settings.event_log_path)


def sighting(user: int, movie: int, at: datetime) -> Event:
    return Event(type=EventType.WATCHING, source=FEED, at=at, user_id=user, movie_id=movie, title=f"Movie {movie}")


def polled(at: datetime) -> Event:
    return Event(type=EventType.POLLED, source=FEED, at=at)


def viewings(database: Database) -> set[tuple[int, int, datetime, datetime | None]]:
    rows = database.run_text(
        "MATCH (u:User)-[w:WATCHED]->(m:Movie) RETURN u.userId AS user, m.movieId AS movie, w.startedAt AS s, "
        "w.finishedAt AS f"
    )
    return {
        (row["user"], row["movie"], row["s"].to_native(), row["f"].to_native() if row["f"] else None) for row in rows
    }


def apply_all(writer: Writer) -> None:
    while writer.apply_pending():
        pass


def test_polls_become_viewings_and_finishes(database: Database, log: SqliteEventLog) -> None:
    writer = Writer(log, Ingest(database), FinishRules())
    log.append([sighting(1, 7, NOON), sighting(2, 8, NOON), polled(NOON)])
    apply_all(writer)
    assert viewings(database) == {(1, 7, NOON, None), (2, 8, NOON, None)}
    later = NOON + MINUTE
    # A restart in between: another writer carries on from the graph.
    log.append([sighting(2, 9, later), polled(later)])
    apply_all(Writer(log, Ingest(database), FinishRules()))
    assert viewings(database) == {(1, 7, NOON, later), (2, 8, NOON, later), (2, 9, later, None)}


def test_a_poll_may_end_in_another_batch(
    database: Database, log: SqliteEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.writer.BATCH", 1)
    writer = Writer(log, Ingest(database), FinishRules())
    log.append([sighting(1, 7, NOON), polled(NOON), sighting(1, 7, NOON + MINUTE), polled(NOON + MINUTE)])
    apply_all(writer)
    assert viewings(database) == {(1, 7, NOON, None)}


def test_two_writers_on_one_log_apply_everything_once(database: Database, log: SqliteEventLog) -> None:
    for number in range(30):
        at = NOON + number * MINUTE
        watching = [sighting(user, 1 + (number + user) // 3, at) for user in range(1, 6)]
        log.append([*watching, polled(at)])
    writers = [Writer(log, Ingest(database), FinishRules()) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(apply_all, writers))
    both = viewings(database)
    database.run_text("MATCH (n) DETACH DELETE n")
    apply_all(Writer(log, Ingest(database), FinishRules()))
    assert both == viewings(database)
    assert len(both) > 50


def test_an_event_applied_at_once_is_unchanged_by_the_writers_pass(database: Database, log: SqliteEventLog) -> None:
    events = [
        Event(type=EventType.STARTED, source=API, at=NOON, user_id=1, movie_id=7, event_id="start"),
        Event(type=EventType.FINISHED, source=API, at=NOON + MINUTE, user_id=1, movie_id=7, event_id="finish"),
        Event(type=EventType.RATED, source=API, at=NOON + MINUTE, user_id=1, movie_id=7, rating=4.5, event_id="rate"),
        Event(type=EventType.LIKED, source=API, at=NOON, user_id=1, movie_id=8, value=-1, event_id="like"),
    ]
    ingest = Ingest(database)
    ingest.transact(lambda batch: apply_events(batch, log.append(events), FinishRules()))
    before = database.run_text("MATCH (a)-[e]->(b) RETURN type(e) AS type, properties(e) AS properties ORDER BY type")
    sequence = ingest.get_sequence()
    apply_all(Writer(log, ingest, FinishRules()))
    after = database.run_text("MATCH (a)-[e]->(b) RETURN type(e) AS type, properties(e) AS properties ORDER BY type")
    assert [dict(row) for row in before] == [dict(row) for row in after]
    assert {row["type"] for row in after} == {"WATCHED", "RATED", "LIKED"}
    assert ingest.get_sequence() == sequence


def test_what_cannot_be_decoded_does_not_stop_the_writer(database: Database, log: SqliteEventLog) -> None:
    log.append([sighting(1, 7, NOON)])
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("INSERT INTO events (body) VALUES ('{')")
        connection.commit()
    log.append([sighting(2, 7, NOON)])
    apply_all(Writer(log, Ingest(database), FinishRules()))
    assert {user for user, *_ in viewings(database)} == {1, 2}
    assert len(log.dead_letters()) == 1


def test_each_user_who_finished_gets_one_list_for_the_latest_finish(database: Database, log: SqliteEventLog) -> None:
    database.run_text("CREATE (:Movie {movieId: 50, title: 'Popular', ratingCount: 9, ratingMean: 4.0})")
    ingest = Ingest(database)
    recommender = Recommender(ingest, Models(database), Recommendations(database))
    assert recommender.recommend_pending() == 0
    for number, movie in enumerate((7, 8, 9)):
        at = NOON + number * MINUTE
        log.append([sighting(1, movie, at), *([sighting(2, 7, at)] if number == 0 else []), polled(at)])
    apply_all(Writer(log, ingest, FinishRules()))
    assert recommender.recommend_pending() == 2
    assert recommender.recommend_pending() == 0
    # A restart asks the graph how far it came.
    assert Recommender(ingest, Models(database), Recommendations(database)).recommend_pending() == 0
    rows = database.run_text(
        "MATCH (u:User)-[r:RECOMMENDED]->() RETURN DISTINCT u.userId AS user, r.batchId AS batch ORDER BY user"
    )
    assert [(row["user"], row["batch"].split(":")[2]) for row in rows] == [(1, "8"), (2, "7")]
