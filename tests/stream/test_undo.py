"""Events that are taken back: the graph is as if they had never happened, whatever is applied again."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from conftest import make_list

from graph.database import Database
from graph.repositories.ingest import Ingest
from stream.events import API, Event, EventType
from stream.viewings import FinishRules
from stream.writer import apply_events

NOON = datetime(2026, 1, 1, 12)
MINUTE = timedelta(minutes=1)


def told(kind: str, event_id: str, minute: int = 0, movie: int = 7, **more: Any) -> Event:
    at = NOON + minute * MINUTE
    return Event(type=EventType(kind), source=API, at=at, event_id=event_id, user_id=1, movie_id=movie, **more)


def undone(event_id: str) -> Event:
    return Event(type=EventType.UNDONE, source=API, at=NOON + 9 * MINUTE, event_id=f"undo {event_id}", undoes=event_id)


def apply(database: Database, *batches: list[Event]) -> int:
    """Effects of what the last batch took back."""
    effects = 0
    for events in batches:
        effects = Ingest(database).transact(lambda batch: apply_events(batch, events, FinishRules()).removed)  # noqa: B023
    return effects


def edges(database: Database) -> set[tuple[Any, ...]]:
    rows = database.run_text(
        "MATCH (u:User)-[e]->(m:Movie) RETURN type(e) AS type, m.movieId AS movie, e.eventId AS id, "
        "coalesce(e.rating, e.value) AS value, e.finishedAt IS NOT NULL AS finished, e.pollsSinceSeen AS polls"
    )
    return {tuple(row.values()) for row in rows}


def statistics(database: Database) -> list[tuple[int, float | None]]:
    rows = database.run_text("MATCH (m:Movie) RETURN m.ratingCount AS count, m.ratingMean AS mean ORDER BY m.movieId")
    return [(row["count"], row["mean"]) for row in rows]


@pytest.mark.parametrize(
    "event",
    [
        told("started", "a"),
        told("finished", "a"),
        told("rated", "a", rating=4),
        told("liked", "a", value=-1),
        told("listed", "a"),
        told("clicked", "a"),
    ],
    ids=lambda event: event.type,
)
def test_an_event_taken_back_leaves_no_edge_and_does_not_come_again(database: Database, event: Event) -> None:
    other = told("clicked", "b", movie=8)
    apply(database, [event, other])
    assert len(edges(database)) == 2
    assert apply(database, [undone("a")]) == 1
    assert edges(database) == {("CLICKED", 8, "b", None, False, None)}
    assert apply(database, [undone("a")]) == 1, "told again, whoever took it back"
    apply(database, [event])
    assert apply(database, [undone("a")]) == 1
    assert apply(database, [undone("never came")]) == 0
    assert edges(database) == {("CLICKED", 8, "b", None, False, None)}


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_in_whatever_order_and_batches_they_come(database: Database, order: tuple[int, ...]) -> None:
    events = [told("rated", "a", 1, rating=4), told("liked", "b", value=1), undone("a"), undone("b")]
    apply(database, [events[place] for place in order])
    assert edges(database) == set()
    database.run_text("MATCH (n) DETACH DELETE n")
    apply(database, *([events[place]] for place in order))
    assert edges(database) == set()


def test_a_rating_that_was_replaced_comes_back_and_statistics_stay_true(database: Database) -> None:
    database.run_text(
        "CREATE (:User {userId: 1})-[:RATED {rating: 2.0, at: localdatetime('2005-01-01T00:00')}]->"
        "(:Movie {movieId: 7, ratingCount: 5, ratingMean: 3.0})"
    )
    apply(database, [told("rated", "a", rating=4)])
    assert statistics(database) == [(5, pytest.approx(3.4))]
    apply(database, [undone("a")])
    assert statistics(database) == [(5, pytest.approx(3.0))]
    [row] = database.run_text("MATCH ()-[e:RATED]->() RETURN properties(e) AS properties")
    assert set(row["properties"]) == {"rating", "at"}
    assert row["properties"]["rating"] == 2.0
    assert row["properties"]["at"].to_native() == datetime(2005, 1, 1)


def test_of_several_ratings_the_last_that_stands_comes_back(database: Database) -> None:
    database.run_text(
        "CREATE (:User {userId: 1})-[:RATED {rating: 2.0, at: localdatetime('2005-01-01T00:00')}]->"
        "(:Movie {movieId: 7, ratingCount: 5, ratingMean: 3.0})"
    )

    def rating() -> tuple[float, str | None]:
        [row] = database.run_text("MATCH ()-[e:RATED]->() RETURN e.rating AS rating, e.eventId AS id")
        return row["rating"], row["id"]

    ratings = [told("rated", name, minute, rating=stars) for name, minute, stars in (("a", 1, 3), ("b", 2, 4))]
    apply(database, [ratings[0]], [ratings[1]], [undone("b")])
    assert rating() == (3, "a")
    apply(database, [undone("a")])
    assert rating() == (2, None)
    assert statistics(database) == [(5, pytest.approx(3.0))]
    # The other way round: what stood below is gone when it would come back.
    third, fourth = (told("rated", name, minute, rating=5) for name, minute in (("c", 3), ("d", 4)))
    apply(database, [third], [fourth], [undone("c")])
    assert rating() == (5, "d")
    apply(database, [undone("d")])
    assert rating() == (2, None)
    assert statistics(database) == [(5, pytest.approx(3.0))]


def test_one_of_several_peoples_ratings_taken_back_leaves_the_mean_of_the_others(database: Database) -> None:
    other = told("rated", "other", rating=2).model_copy(update={"user_id": 2})
    apply(database, [told("rated", "a", rating=5), other], [undone("a")])
    assert statistics(database) == [(1, pytest.approx(2.0))]


def test_a_movies_last_rating_taken_back_leaves_no_mean(database: Database) -> None:
    apply(database, [told("rated", "a", rating=4)])
    assert statistics(database) == [(1, 4.0)]
    apply(database, [undone("a")])
    assert statistics(database) == [(0, None)]


def test_the_end_of_a_viewing_alone_can_be_taken_back(database: Database) -> None:
    events = [told("started", "start", 0), told("finished", "end", 5)]
    apply(database, events)
    assert edges(database) == {("WATCHED", 7, "start", None, True, None)}
    assert apply(database, [undone("end")]) == 1
    assert edges(database) == {("WATCHED", 7, "start", None, False, 0)}
    apply(database, events)
    assert edges(database) == {("WATCHED", 7, "start", None, False, 0)}


def test_a_viewing_taken_back_is_not_made_again_by_its_end(database: Database) -> None:
    events = [told("started", "start", 0), told("finished", "end", 5)]
    apply(database, events, [undone("start")], events)
    assert edges(database) == set()


def test_followers_are_told_that_something_changed(database: Database) -> None:
    apply(database, [told("listed", "a")])
    before = Ingest(database).get_sequence()
    apply(database, [undone("a")])
    assert Ingest(database).get_sequence() == before + 1


def test_a_hit_goes_with_the_viewing(database: Database) -> None:
    apply(database, [told("clicked", "c")])
    Ingest(database).store_lists([("batch", make_list(1, NOON - MINUTE, 7))])
    apply(database, [told("started", "a")])
    marked = "MATCH ()-[offer:RECOMMENDED]->() RETURN offer.hitAt AS hitAt"
    assert database.run_text(marked)[0]["hitAt"].to_native() == NOON
    apply(database, [undone("a")])
    assert database.run_text(marked)[0]["hitAt"] is None
