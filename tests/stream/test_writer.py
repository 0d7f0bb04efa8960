"""From the log into a real graph: exactly once, in any order, and on to stored recommendations."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import OpenLog, wait_until

from common.settings import Settings
from graph.database import Database
from graph.errors import DatabaseRefusedError
from graph.queries import query
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.interactions import Viewing
from graph.repositories.models import Models
from graph.repositories.recommendations import Recommendations
from stream.event_log.base import EventLog
from stream.event_log.sqlite import SqliteEventLog
from stream.events import API, FEED, Event, EventType
from stream.recommender import Recommender
from stream.viewings import FinishRules
from stream.writer import CatalogueError, Writer, apply_events

NOON = datetime(2026, 1, 1, 12)
MINUTE = timedelta(minutes=1)


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


def apply_all(log: EventLog, ingest: Ingest) -> None:
    """What a worker does, until all that is on the log is applied."""
    writer = Writer(log, ingest, FinishRules())
    ends = {partition: log.end(partition) for partition in range(log.partitions)}
    deadline = time.monotonic() + 60
    while any(ingest.read_offset(log.name, partition).offset < end for partition, end in ends.items()):
        assert time.monotonic() < deadline, "not applied within 60 s"
        writer.apply_pending()


def test_polls_become_viewings_and_finishes(database: Database, any_log: EventLog) -> None:
    any_log.append([sighting(1, 7, NOON), sighting(2, 8, NOON), polled(NOON)])
    apply_all(any_log, Ingest(database))
    assert viewings(database) == {(1, 7, NOON, None), (2, 8, NOON, None)}
    later = NOON + MINUTE
    # A restart in between: another writer carries on from the graph.
    any_log.append([sighting(2, 9, later), polled(later)])
    apply_all(any_log, Ingest(database))
    assert viewings(database) == {(1, 7, NOON, later), (2, 8, NOON, later), (2, 9, later, None)}


def test_events_wait_while_another_catalogue_is_loaded(database: Database, any_log: EventLog) -> None:
    writer = Writer(any_log, Ingest(database), FinishRules(), "netflix-prize")
    any_log.append([sighting(1, 7, NOON), polled(NOON)])
    database.run_text("CREATE (:Catalogue {name: 'movielens'})")
    wait_until(lambda: len(any_log.assigned()) == any_log.partitions)
    with pytest.raises(CatalogueError, match="RECOMMENDER_FEED_CATALOGUE"):
        writer.apply_pending()
    assert viewings(database) == set()
    database.run_text("MATCH (catalogue:Catalogue) SET catalogue.name = 'netflix-prize'")
    wait_until(lambda: bool(writer.apply_pending() or viewings(database)))
    assert viewings(database) == {(1, 7, NOON, None)}


def test_the_same_event_a_thousand_times_is_one_edge(
    database: Database, any_log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.writer.BATCH", 700)
    at: dict[str, Any] = {"source": API, "at": NOON, "user_id": 1, "movie_id": 7}
    given: dict[str, dict[str, Any]] = {
        "rated": {"rating": 4.0},
        "liked": {"value": 1},
        "finished": {"at": NOON + MINUTE},
    }
    events = [
        Event(type=EventType(kind), event_id=f"it {kind}", **{**at, **given.get(kind, {})})
        for kind in ("started", "finished", "rated", "liked", "listed", "clicked")
    ]
    for _ in range(10):
        any_log.append(events * 100)
    apply_all(any_log, Ingest(database))
    rows = database.run_text("MATCH (:User)-[e]->(:Movie) RETURN type(e) AS type, count(*) AS edges")
    assert {row["type"]: row["edges"] for row in rows} == dict.fromkeys(
        ["WATCHED", "RATED", "LIKED", "LISTED", "CLICKED"], 1
    )
    [movie] = database.run_text("MATCH (m:Movie) RETURN m.ratingCount AS count, m.ratingMean AS mean")
    assert (movie["count"], movie["mean"]) == (1, 4.0)


def test_a_poll_may_end_in_another_batch(
    database: Database, any_log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.writer.BATCH", 1)
    for at in (NOON, NOON + MINUTE):
        any_log.append([sighting(1, 7, at), polled(at)])
    apply_all(any_log, Ingest(database))
    assert viewings(database) == {(1, 7, NOON, None)}


def test_two_writers_on_one_log_apply_everything_once(database: Database, open_any_log: OpenLog) -> None:
    logs = [open_any_log() for _ in range(2)]
    for number in range(30):
        at = NOON + number * MINUTE
        watching = [sighting(user, 1 + (number + user) // 3, at) for user in range(1, 6)]
        logs[0].append([*watching, polled(at)])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda log: apply_all(log, Ingest(database)), logs))
    both = viewings(database)
    for log in logs:
        log.close()
    database.run_text("MATCH (n) DETACH DELETE n")
    apply_all(open_any_log(), Ingest(database))
    assert viewings(database) == both
    assert len(both) > 50


def test_an_event_applied_at_once_is_unchanged_by_the_writers_pass(database: Database, any_log: EventLog) -> None:
    events = [
        Event(type=EventType.STARTED, source=API, at=NOON, user_id=1, movie_id=7, event_id="start"),
        Event(type=EventType.FINISHED, source=API, at=NOON + MINUTE, user_id=1, movie_id=7, event_id="finish"),
        Event(type=EventType.RATED, source=API, at=NOON + MINUTE, user_id=1, movie_id=7, rating=4.5, event_id="rate"),
        Event(type=EventType.LIKED, source=API, at=NOON, user_id=1, movie_id=8, value=-1, event_id="like"),
    ]
    ingest = Ingest(database)
    ingest.transact(lambda batch: apply_events(batch, any_log.append(events), FinishRules()))
    before = database.run_text("MATCH (a)-[e]->(b) RETURN type(e) AS type, properties(e) AS properties ORDER BY type")
    sequence = ingest.get_sequence()
    apply_all(any_log, ingest)
    after = database.run_text("MATCH (a)-[e]->(b) RETURN type(e) AS type, properties(e) AS properties ORDER BY type")
    assert [dict(row) for row in before] == [dict(row) for row in after]
    assert {row["type"] for row in after} == {"WATCHED", "RATED", "LIKED"}
    assert ingest.get_sequence() == sequence


def test_an_id_used_again_for_something_else_changes_nothing_and_stops_nobody(
    database: Database, any_log: EventLog
) -> None:
    def told(event_id: str, user: int, movie: int, kind: str = "started", **more: Any) -> Event:
        return Event(type=EventType(kind), source=API, at=NOON, event_id=event_id, user_id=user, movie_id=movie, **more)

    def append(*events: Event) -> None:
        for event in events:  # a file refuses them, unless they are events that could not be applied
            any_log.append([event], again=True)

    append(told("a", 6, 7), told("a", 12, 7), told("b", 6, 9, "rated", rating=4))
    apply_all(any_log, Ingest(database))
    later = told("b", 6, 9, "rated", rating=1).model_copy(update={"at": NOON + MINUTE})
    append(told("a", 6, 8), told("a", 18, 7), later, told("c", 18, 7))
    apply_all(any_log, Ingest(database))
    assert {(user, movie) for user, movie, *_ in viewings(database)} == {(6, 7), (18, 7)}
    [row] = database.run_text("MATCH ()-[rated:RATED]->() RETURN rated.rating AS rating")
    assert row["rating"] == 4


def test_an_event_that_cannot_be_applied_is_a_dead_letter_and_the_others_are_applied(
    database: Database, any_log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_movie_9(batch: IngestTransaction, viewings: list[Viewing]) -> None:
        if any(viewing.movie_id == 9 for viewing in viewings):
            raise ZeroDivisionError("nobody thought of this")
        write(batch, viewings)

    write = IngestTransaction.create_viewings
    monkeypatch.setattr(IngestTransaction, "create_viewings", refuse_movie_9)
    any_log.append([sighting(6, 7, NOON), sighting(12, 9, NOON), sighting(18, 7, NOON), sighting(1, 7, NOON)])
    apply_all(any_log, Ingest(database))
    assert {(user, movie) for user, movie, *_ in viewings(database)} == {(6, 7), (18, 7), (1, 7)}
    [letter] = any_log.dead_letters()
    assert "cannot be applied: nobody thought of this" in letter.reason
    assert Event.model_validate_json(letter.body).user_id == 12


def test_a_refusal_that_is_not_about_the_events_makes_no_dead_letters(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SqliteEventLog(settings.event_log_path)
    log.append([sighting(1, 7, NOON), sighting(2, 7, NOON)])
    writer = Writer(log, Ingest(database), FinishRules())
    monkeypatch.setattr("graph.database.query", lambda name: "MATCH" if name == "create_viewings" else query(name))
    with pytest.raises(DatabaseRefusedError, match="Neo4j refused a query"):
        writer.apply_pending()
    assert log.dead_letters() == []
    monkeypatch.undo()
    apply_all(log, Ingest(database))
    assert len(viewings(database)) == 2


@pytest.mark.parametrize("kind", ["started", "finished"])
def test_a_client_that_tries_again_without_a_moment_changes_nothing(database: Database, kind: str) -> None:
    first = Event(type=EventType(kind), source=API, at=NOON, event_id="a", user_id=1, movie_id=7)
    ended = Event(type=EventType.STARTED, source=API, at=NOON + MINUTE, event_id="b", user_id=1, movie_id=8)
    again = first.model_copy(update={"at": NOON + 5 * MINUTE})
    ingest = Ingest(database)
    for events in ([first], [ended]):
        ingest.transact(lambda batch: apply_events(batch, events, FinishRules()))  # noqa: B023
    before = viewings(database)
    ingest.transact(lambda batch: apply_events(batch, [again], FinishRules()))
    assert viewings(database) == before


def test_a_viewing_told_of_late_ends_when_the_next_one_was_seen_whatever_the_batches(database: Database) -> None:
    def told(kind: str, movie: int, minute: int) -> Event:
        at = NOON + minute * MINUTE
        return Event(type=EventType(kind), source=API, at=at, event_id=f"{kind} {movie}", user_id=1, movie_id=movie)

    events = [told("started", 7, 0), told("finished", 7, 60), told("started", 8, 60), told("finished", 8, 120)]
    for event in [*events, told("started", 9, 30)]:
        Ingest(database).transact(lambda batch: apply_events(batch, [event], FinishRules()))  # noqa: B023
    assert (1, 9, NOON + 30 * MINUTE, NOON + 60 * MINUTE) in viewings(database)


def test_a_finish_that_was_recommended_for_already_gets_no_second_list(database: Database) -> None:
    database.run_text("CREATE (:Movie {movieId: 50, title: 'Popular', viewers: 9})")
    ingest = Ingest(database)
    events = [
        Event(type=EventType.STARTED, source=API, at=NOON, user_id=1, movie_id=7, event_id="start"),
        Event(type=EventType.FINISHED, source=API, at=NOON + MINUTE, user_id=1, movie_id=7, event_id="finish"),
    ]
    ingest.transact(lambda batch: apply_events(batch, events, FinishRules()))
    recommendations = Recommendations(database)
    ingest.store_lists([("finish", recommendations.recommend_for_user(1))])
    assert Recommender(ingest, Models(database), recommendations, 2.0).recommend_pending() == 0


def test_where_nothing_was_finished_is_read_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run_text("CREATE (:Movie {movieId: 50, title: 'Popular', viewers: 9})")
    ingest = Ingest(database)
    read_after: list[int] = []
    read = ingest.read_finishes_since
    monkeypatch.setattr(
        ingest, "read_finishes_since", lambda after, until: read_after.append(after) or read(after, until)
    )
    recommender = Recommender(ingest, Models(database), Recommendations(database), 2.0)
    started = [sighting(1, 7, NOON), polled(NOON)]
    ingest.transact(lambda batch: apply_events(batch, started, FinishRules()))
    assert [recommender.recommend_pending() for _ in range(3)] == [0, 0, 0]
    assert read_after == [0]
    finished = [sighting(1, 9, NOON + MINUTE), polled(NOON + MINUTE)]
    ingest.transact(lambda batch: apply_events(batch, finished, FinishRules()))
    assert recommender.recommend_pending() == 1


def test_a_finish_of_a_batch_that_may_not_be_whole_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run_text("CREATE (:Movie {movieId: 50, title: 'Popular', viewers: 9})")
    ingest = Ingest(database)
    for user_id in (1, 2):
        finished = [Event(type=EventType.FINISHED, source="other", at=NOON, user_id=user_id, movie_id=7)]
        ingest.transact(lambda batch, events=finished: apply_events(batch, events, FinishRules()))
    recommender = Recommender(ingest, Models(database), Recommendations(database), 2.0)
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "get_sequence", lambda: 1)
        assert recommender.recommend_pending() == 1
    assert recommender.recommend_pending() == 1


def test_what_cannot_be_decoded_does_not_stop_the_writer(database: Database, settings: Settings) -> None:
    log = SqliteEventLog(settings.event_log_path)
    log.append([sighting(1, 7, NOON)])
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("INSERT INTO events (body) VALUES ('{')")
        connection.commit()
    log.append([sighting(2, 7, NOON)])
    apply_all(log, Ingest(database))
    assert {user for user, *_ in viewings(database)} == {1, 2}
    assert len(log.dead_letters()) == 1


def test_each_user_who_finished_gets_one_list_for_the_latest_finish(database: Database, any_log: EventLog) -> None:
    database.run_text("CREATE (:Movie {movieId: 50, title: 'Popular', viewers: 9})")
    ingest = Ingest(database)
    recommender = Recommender(ingest, Models(database), Recommendations(database), 2.0)
    assert recommender.recommend_pending() == 0
    for number, movie in enumerate((7, 8, 9)):
        at = NOON + number * MINUTE
        any_log.append([sighting(1, movie, at), *([sighting(2, 7, at)] if number == 0 else []), polled(at)])
    apply_all(any_log, ingest)
    assert recommender.recommend_pending() == 2
    assert recommender.recommend_pending() == 0
    # A restart asks the graph how far it came.
    assert Recommender(ingest, Models(database), Recommendations(database), 2.0).recommend_pending() == 0
    rows = database.run_text(
        "MATCH (u:User)-[r:RECOMMENDED]->() RETURN DISTINCT u.userId AS user, r.batchId AS batch ORDER BY user"
    )
    assert [(row["user"], row["batch"].split(":")[2]) for row in rows] == [(1, "8"), (2, "7")]


def test_nothing_is_locked_while_the_log_is_read(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A POST needs the same lock as a batch of the worker."""
    log = SqliteEventLog(settings.event_log_path)
    log.append([sighting(1, 7, NOON)])
    ingest = Ingest(database)
    read, reads, may_go_on = log.read, threading.Event(), threading.Event()

    def read_slowly(partition: int, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        reads.set()
        assert may_go_on.wait(20)
        return read(partition, offset, limit)

    monkeypatch.setattr(log, "read", read_slowly)
    with ThreadPoolExecutor(2) as pool:
        applied = pool.submit(Writer(log, ingest, FinishRules()).apply_pending)
        assert reads.wait(10)
        posted = pool.submit(ingest.transact, lambda batch: apply_events(batch, [sighting(2, 7, NOON)], FinishRules()))
        try:
            assert posted.result(5).removed == 0
        finally:
            may_go_on.set()
        assert applied.result(10) == 1
    assert {user for user, *_ in viewings(database)} == {1, 2}


def test_what_another_writer_applied_meanwhile_is_left_alone(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SqliteEventLog(settings.event_log_path)
    log.append([sighting(1, 7, NOON), sighting(2, 7, NOON)])
    ingest, other = Ingest(database), Writer(SqliteEventLog(log.path), Ingest(database), FinishRules())
    read = log.read

    def read_and_be_overtaken(partition: int, offset: int, limit: int) -> list[tuple[int, Event | None]]:
        records = read(partition, offset, limit)
        other.apply_pending()
        return records

    monkeypatch.setattr(log, "read", read_and_be_overtaken)
    before = ingest.get_sequence()
    assert Writer(log, ingest, FinishRules()).apply_pending() == 0
    assert ingest.get_sequence() == before + 1, "the other one's batch alone"
    assert ingest.read_offset(log.name).offset == log.end(0)
