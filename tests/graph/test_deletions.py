"""Deleted movies: withdrawn at once, removed with what happened until then, and not brought back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import OpenLog, make_list

from common.times import utc_now
from graph.database import Database
from graph.repositories.deletions import Deletions
from graph.repositories.ingest import Ingest
from graph.repositories.live import LiveEdges
from graph.repositories.movies import Movies
from graph.repositories.unknown_movies import UnknownMovies
from stream.erasing import GRACE, finish_deletions
from stream.events import API, FEED, Event, EventType, Outcome
from stream.viewings import FinishRules
from stream.writer import Writer, apply_events

PAST = datetime(2026, 1, 1, 12)
MINUTE = timedelta(minutes=1)
GONE, OTHER = 7, 8


@pytest.fixture
def deletions(database: Database) -> Deletions:
    database.run_text(
        "CREATE (:Catalogue {name: 'movielens', model: 'v1'}), (:Model {version: 'v1'}) WITH 1 AS ignored "
        "UNWIND [7, 8] AS id CREATE (:Movie {movieId: id, title: 'M' + id, genres: ['Drama'], ratingCount: 0})"
    )
    return Deletions(database)


def told(kind: str, user: int, movie: int = GONE, at: datetime = PAST, **more: Any) -> Event:
    event_id = f"{kind}-{user}-{movie}-{at:%H%M%S%f}"
    return Event(type=EventType(kind), source=API, at=at, event_id=event_id, user_id=user, movie_id=movie, **more)


def everything(user: int, movie: int = GONE) -> list[Event]:
    return [
        told("rated", user, movie, rating=4),
        told("finished", user, movie),
        told("liked", user, movie, value=1),
        told("listed", user, movie),
        told("clicked", user, movie),
    ]


def apply(database: Database, *events: Event) -> list[Outcome]:
    found = Ingest(database).transact(lambda batch: apply_events(batch, list(events), FinishRules()))
    return [found.outcome(event) for event in events]


def edges(database: Database) -> set[tuple[int, str, int]]:
    rows = database.run_text("MATCH (u:User)-[e]->(m:Movie) RETURN u.userId, type(e), m.movieId")
    return {tuple(row.values()) for row in rows}


def figures(database: Database, movie_id: int) -> dict[str, Any]:
    [row] = database.run_text("MATCH (m:Movie {movieId: $id}) RETURN properties(m) AS found", id=movie_id)
    return dict(row["found"])


def test_all_that_happened_with_the_movie_goes_and_the_rest_stays(database: Database, deletions: Deletions) -> None:
    apply(database, *everything(1), *everything(2), *everything(1, OTHER))
    Ingest(database).store_lists([("batch", make_list(2, PAST, GONE, OTHER))])
    database.run_text(
        "MATCH (a:Movie {movieId: 7}), (b:Movie {movieId: 8}) CREATE (a)-[:SIMILAR {version: 'v1', weight: 1.0}]->(b), "
        "(b)-[:SIMILAR {version: 'v1', weight: 1.0}]->(a), (b)-[:STARS {version: 's'}]->(a)"
    )
    before = figures(database, OTHER)
    assert deletions.withdraw(GONE)
    assert Movies(database).get_movie(GONE) is None
    assert deletions.remove(GONE)
    assert edges(database) == {(1, kind, OTHER) for kind in ("RATED", "WATCHED", "LIKED", "LISTED", "CLICKED")} | {
        (2, "RECOMMENDED", OTHER)
    }
    assert figures(database, OTHER) == before
    assert database.run_text("MATCH (m:Movie) RETURN m.movieId AS id")[0]["id"] == OTHER
    assert database.run_text("MATCH (:Movie)-[edge]-(:Movie) RETURN edge") == []
    assert [genre.movies for genre in Movies(database).list_genres()] == [1]
    assert [row["id"] for row in database.run_text("MATCH (u:User) RETURN u.userId AS id ORDER BY id")] == [1, 2]
    assert not deletions.withdraw(GONE)
    assert not deletions.withdraw(5_555)


def test_figures_are_true_at_every_step(
    database: Database, deletions: Deletions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.repositories.deletions.EDGES", 4)
    apply(database, *(told("rated", user, rating=1 + user % 5) for user in range(1, 21)))
    apply(database, *(told("finished", user) for user in range(11, 31)))
    before = Ingest(database).get_sequence()
    deletions.withdraw(GONE)
    steps = 0
    while not deletions.remove(GONE, seconds=-1):
        steps += 1
        [row] = database.run_text(
            """
            MATCH (m:Movie {movieId: 7})
            OPTIONAL MATCH (:User)-[r:RATED]->(m)
            WITH m, count(r) AS ratings, avg(r.rating) AS mean
            OPTIONAL MATCH (u:User)-[e:RATED|WATCHED]->(m) WHERE e.finishedAt IS NOT NULL OR e.rating >= 3
            RETURN ratings, mean, count(DISTINCT u) AS viewers, m
            """
        )
        assert row["m"]["ratingCount"] == row["ratings"]
        assert row["m"].get("viewers") == (row["viewers"] or None)
        assert row["m"].get("ratingMean") == (pytest.approx(row["mean"]) if row["ratings"] else None)
    assert steps > 5, "each transaction is bounded"
    assert Ingest(database).get_sequence() > before + steps, "followers hear of each"
    assert edges(database) == set()


def test_the_worker_goes_on_where_a_removal_was_interrupted(
    database: Database, deletions: Deletions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.repositories.deletions.EDGES", 2)
    apply(database, *(told("clicked", user) for user in range(1, 9)))
    deletions.withdraw(GONE)
    assert not deletions.remove(GONE, seconds=-1)
    assert deletions.find_unfinished(utc_now()) == [GONE]
    finish_deletions(deletions)
    assert edges(database), "who asked for it may be removing it just now"
    database.run_text("MATCH (d:DeletedMovie) SET d.at = d.at - duration({seconds: $grace})", grace=GRACE.seconds)
    finish_deletions(deletions)
    assert edges(database) == set()
    assert deletions.find_unfinished(utc_now()) == []


def test_the_log_played_again_brings_nothing_back(
    database: Database, deletions: Deletions, open_any_log: OpenLog
) -> None:
    log, ingest = open_any_log(), Ingest(database)

    def write_all() -> None:
        writer = Writer(log, ingest, FinishRules())
        while any(ingest.read_offset(log.name, part).offset < log.end(part) for part in range(log.partitions)):
            writer.apply_pending()

    log.append([*everything(1), *everything(1, OTHER)])
    write_all()
    deletions.withdraw(GONE)
    log.append([told("listed", 3)])  # from before, and late
    write_all()
    deletions.remove(GONE)
    others = {(1, kind, OTHER) for kind in ("RATED", "WATCHED", "LIKED", "LISTED", "CLICKED")}
    assert edges(database) == others
    database.run_text("MATCH (position:IngestOffset) SET position.offset = 0")
    write_all()
    assert edges(database) == others
    assert Movies(database).get_movie(GONE) is None
    assert apply(database, told("rated", 9, rating=3)) == [Outcome.DELETED]


def test_what_happens_later_counts_as_with_an_unknown_movie(database: Database, deletions: Deletions) -> None:
    """Also while the removal goes on; neither the feed nor a load gives it a title."""
    apply(database, *everything(1))
    deletions.withdraw(GONE)
    later = utc_now() + MINUTE
    seen = Event(type=EventType.WATCHING, source=FEED, at=later, user_id=5, movie_id=GONE, title="M7", year=1999)
    assert apply(database, told("finished", 4, at=later), seen) == [Outcome.APPLIED, Outcome.APPLIED]
    deletions.remove(GONE)
    assert edges(database) == {(4, "WATCHED", GONE), (5, "WATCHED", GONE)}
    Ingest(database).transact(
        lambda batch: batch.add_movies([{"movieId": GONE, "title": "M7", "year": None, "genres": []}])
    )
    found = figures(database, GONE)
    assert (found.get("title"), found["ratingCount"], found["viewers"]) == (None, 0, 1)
    [unknown] = UnknownMovies(database).list(0, 10)
    assert (unknown.movie_id, unknown.kept, unknown.last_seen_at) == (GONE, 2, later)
    assert deletions.withdraw(GONE), "it can be deleted again"
    assert deletions.find_unfinished(utc_now()) == [GONE]


def test_put_again_it_is_offered_and_what_was_before_goes_all_the_same(
    database: Database, deletions: Deletions
) -> None:
    apply(database, *everything(1))
    deletions.withdraw(GONE)
    assert Ingest(database).transact(lambda batch: batch.put_movie(GONE, "Back", 2000, [], True)), "it is a new one"
    apply(database, told("rated", 2, rating=5, at=utc_now() + MINUTE))
    deletions.remove(GONE)
    assert edges(database) == {(2, "RATED", GONE)}
    found = figures(database, GONE)
    assert (found["title"], found["ratingCount"], found["ratingMean"], found["viewers"]) == ("Back", 1, 5.0, 1)
    assert apply(database, told("rated", 9, rating=3)) == [Outcome.DELETED]
    assert not Ingest(database).transact(lambda batch: batch.put_movie(GONE, "Back", 2000, [], True))


def test_a_newly_loaded_database_takes_deletions_over(database: Database, deletions: Deletions) -> None:
    apply(database, *everything(1), *everything(1, OTHER))
    deletions.withdraw(GONE)
    state = LiveEdges(database).read_state()
    database.run_text("MATCH (n) DETACH DELETE n")
    database.run_text("UNWIND [7, 8] AS id CREATE (:Movie {movieId: id, title: 'M' + id, ratingCount: 0})")
    LiveEdges(database).write_state(state.without_edges(), lambda _: None)
    assert Movies(database).get_movie(GONE) is None
    assert deletions.find_unfinished(utc_now()) == [GONE]
    deletions.remove(GONE)
    assert [row["id"] for row in database.run_text("MATCH (m:Movie) RETURN m.movieId AS id")] == [OTHER]
