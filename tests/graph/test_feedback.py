"""Hits: which offers count, and what is told of them."""

from datetime import datetime, timedelta

import pytest
from conftest import make_list

from graph.database import Database
from graph.repositories.feedback import Feedback, measure_feedback
from graph.repositories.ingest import Ingest
from graph.repositories.interactions import Viewing

NOON = datetime(2026, 1, 1, 12)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def ingest(database: Database) -> Ingest:
    database.run_text(
        "UNWIND [1, 2] AS id CREATE (:User {userId: id}) WITH count(*) AS _ UNWIND [7, 8, 9] AS id "
        "CREATE (:Movie {movieId: id})"
    )
    return Ingest(database)


def offer(ingest: Ingest, batch: str, at: datetime, *movies: int, user: int = 1) -> None:
    ingest.store_lists([(batch, make_list(user, at, *movies))])


def watch(ingest: Ingest, at: datetime, movie: int, user: int = 1) -> None:
    viewing = Viewing(f"{user} {movie} {at}", user, movie, "api", at, at)
    ingest.transact(lambda batch: batch.create_viewings([viewing]))


def hits(database: Database) -> set[tuple[str, int, datetime]]:
    rows = database.run_text(
        "MATCH ()-[offer:RECOMMENDED]->(m) WHERE offer.hitAt IS NOT NULL "
        "RETURN offer.batchId AS batch, m.movieId AS movie, offer.hitAt AS at"
    )
    return {(row["batch"], row["movie"], row["at"].to_native()) for row in rows}


def ranks(found: Feedback) -> list[tuple[int, int, int]]:
    return [(rank.rank, rank.recommendations, rank.hits) for rank in found.ranks]


def test_a_viewing_of_an_offered_movie_is_a_hit_of_the_last_offer(database: Database, ingest: Ingest) -> None:
    offer(ingest, "first", NOON, 7, 8)
    offer(ingest, "second", NOON + HOUR, 8, 7)
    offer(ingest, "third", NOON + 5 * HOUR, 7, 8)
    offer(ingest, "other", NOON + HOUR, 7, user=2)
    watch(ingest, NOON + 2 * HOUR, 7)
    assert hits(database) == {("second", 7, NOON + 2 * HOUR)}


def test_the_first_viewing_is_the_hit_in_whatever_order_they_come(database: Database, ingest: Ingest) -> None:
    offer(ingest, "first", NOON, 7)
    for hour in (3, 2, 4):
        watch(ingest, NOON + hour * HOUR, 7)
    assert hits(database) == {("first", 7, NOON + 2 * HOUR)}


def test_what_was_watched_before_or_long_after_or_never_offered_is_no_hit(database: Database, ingest: Ingest) -> None:
    offer(ingest, "first", NOON, 7, 8)
    watch(ingest, NOON - HOUR, 7)
    watch(ingest, NOON + 8 * DAY, 8)
    watch(ingest, NOON + HOUR, 9)
    assert hits(database) == set()


def test_the_window_can_be_set(database: Database, ingest: Ingest) -> None:
    offer(ingest, "first", NOON, 7, 8)
    short = Ingest(database, hit_window=2 * HOUR)
    watch(short, NOON + 3 * HOUR, 7)
    watch(short, NOON + HOUR, 8)
    assert hits(database) == {("first", 8, NOON + HOUR)}


def test_the_figures(database: Database, ingest: Ingest) -> None:
    offer(ingest, "old", NOON - 2 * DAY, 7, user=2)
    offer(ingest, "first", NOON, 7, 8, 9)
    offer(ingest, "second", NOON + HOUR, 9, 8)
    offer(ingest, "other", NOON, 8, user=2)
    watch(ingest, NOON + HOUR / 2, 7)
    watch(ingest, NOON + HOUR / 2 + timedelta(seconds=100), 8)
    watch(ingest, NOON + HOUR + timedelta(seconds=10), 9)
    found = measure_feedback(database, NOON)
    assert (found.lists, found.lists_with_hit, found.recommendations, found.hits) == (3, 2, 6, 3)
    assert found.hit_rate == pytest.approx(2 / 3)
    assert found.median_seconds_to_hit == 1800
    assert found.slow_seconds_to_hit == pytest.approx(1880)
    assert ranks(found) == [(1, 3, 2), (2, 2, 1), (3, 1, 0)]


def test_of_very_many_recommendations_the_latest_count(
    database: Database, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.repositories.feedback.MOST_COUNTED", 2)
    offer(ingest, "second", NOON + HOUR, 8, 7)
    offer(ingest, "first", NOON, 9)
    watch(ingest, NOON + 2 * HOUR, 8)
    found = measure_feedback(database, NOON)
    assert (found.lists, found.lists_with_hit, found.recommendations, found.hits) == (1, 1, 2, 1)
    assert ranks(found) == [(1, 1, 1), (2, 1, 0)]


def test_no_lists_no_figures(database: Database) -> None:
    found = measure_feedback(database, NOON)
    assert (found.lists, found.hits, found.hit_rate, found.median_seconds_to_hit, found.ranks) == (0, 0, None, None, [])
