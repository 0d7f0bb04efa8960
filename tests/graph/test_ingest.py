"""Writing interactions: newest wins, twice is once, one order for all writers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from common.settings import Settings
from graph.database import Database
from graph.errors import DatabaseUnavailableError
from graph.repositories.history import History
from graph.repositories.ingest import Changes, Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.interactions import Interaction, Viewing
from graph.repositories.movies import Movie, Movies

NOON = datetime(2026, 1, 1, 12)
HOUR = timedelta(hours=1)


def write(ingest: Ingest, *interactions: Interaction) -> None:
    def work(batch: IngestTransaction) -> None:
        batch.create_nodes(
            {item.movie_id: (None, None) for item in interactions}, {item.user_id for item in interactions}
        )
        batch.write_interactions(list(interactions))

    ingest.transact(work)


def rated(stars: float, at: datetime, event_id: str, user_id: int = 1) -> Interaction:
    return Interaction("rated", user_id, 7, at, event_id, stars)


def edges(database: Database, kind: str) -> list[tuple[int, float, str]]:
    rows = database.run_text(
        f"MATCH (u:User)-[e:{kind}]->() RETURN u.userId AS user, coalesce(e.rating, e.value) AS value, e.eventId AS id"
    )
    return sorted((row["user"], row["value"], row["id"]) for row in rows)


def statistics(database: Database) -> tuple[int, float]:
    [row] = database.run_text("MATCH (m:Movie {movieId: 7}) RETURN m.ratingCount AS count, m.ratingMean AS mean")
    return row["count"], row["mean"]


def test_the_newer_rating_counts_whatever_the_order(database: Database) -> None:
    ingest = Ingest(database)
    write(ingest, rated(2.0, NOON + HOUR, "late"))
    write(ingest, rated(5.0, NOON, "early"))
    assert edges(database, "RATED") == [(1, 2.0, "late")]
    write(ingest, rated(4.0, NOON + 2 * HOUR, "latest"), rated(1.0, NOON - HOUR, "earliest"))
    assert edges(database, "RATED") == [(1, 4.0, "latest")]


def test_statistics_follow_the_ratings(database: Database) -> None:
    ingest = Ingest(database)
    write(ingest, rated(2.0, NOON, "a", 1), rated(5.0, NOON, "b", 2))
    assert statistics(database) == (2, 3.5)
    write(ingest, rated(5.0, NOON + HOUR, "c", 1))
    write(ingest, rated(5.0, NOON + HOUR, "c", 1))
    assert statistics(database) == (2, 5.0)


def test_likes_listings_and_clicks(database: Database) -> None:
    ingest = Ingest(database)
    for kind, value in (("liked", -1.0), ("listed", None), ("clicked", None)):
        item = Interaction(kind, 1, 7, NOON, f"id of {kind}", value)  # type: ignore[arg-type]
        write(ingest, item)
        write(ingest, item)
    assert edges(database, "LIKED") == [(1, -1.0, "id of liked")]
    assert edges(database, "LISTED") == [(1, None, "id of listed")]
    assert edges(database, "CLICKED") == [(1, None, "id of clicked")]


def test_a_batch_that_changes_nothing_takes_no_number(database: Database) -> None:
    ingest = Ingest(database)
    assert ingest.get_sequence() == 0
    write(ingest, rated(2.0, NOON, "a"))
    assert ingest.get_sequence() == 1
    write(ingest, rated(2.0, NOON, "a"))
    assert ingest.get_sequence() == 1


def test_writers_at_once_take_one_number_each(database: Database) -> None:
    ingest = Ingest(database)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda number: write(ingest, rated(3.0, NOON + number * HOUR, str(number), number)), range(1, 41))
        )
    assert ingest.get_sequence() == 40
    assert statistics(database) == (40, 3.0)
    assert len(database.run_text("MATCH (m:Movie) RETURN m")) == 1


def test_followers_are_told_whom_each_batch_is_about_while_batches_come(database: Database) -> None:
    ingest, told = Ingest(database), list[set[int] | None]()
    write(ingest, rated(3.0, NOON, "first"))
    known = 1
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(
            lambda: [write(ingest, rated(3.0, NOON + number * HOUR, str(number))) for number in range(1, 300)]
        )
        while not writing.done():
            changes = ingest.read_changes(known)
            if changes.sequence > known:
                known = changes.sequence
                told.append(changes.user_ids)
        writing.result()
    assert told
    assert ingest.read_changes(known).sequence == 300
    assert told == [{1}] * len(told)


def test_a_batch_counts_from_when_its_note_is_there(database: Database) -> None:
    ingest = Ingest(database)
    write(ingest, rated(3.0, NOON, "a"))
    database.run_text("MATCH (s:Sequence) SET s.value = s.value + 1")  # of a batch its number may be read first
    assert ingest.read_changes(1) == Changes(1, None, set())


def test_followers_are_told_of_each_version_in_use(database: Database) -> None:
    told = set()
    for statement in (
        "CREATE (:Catalogue {name: 'test', model: 'v1'})",
        "MATCH (c:Catalogue) SET c.model = 'v2'",
        "CREATE (:StarsModel {version: 'v1'})",
        "MATCH (m:StarsModel) SET m.version = 'v2'",
    ):
        database.run_text(statement)
        told.add(Ingest(database).read_changes(0).model)
    assert len(told) == 4


def test_ratings_of_some_users_can_be_read_in_the_order_of_their_time(database: Database) -> None:
    ingest = Ingest(database)
    for number, (user, movie) in enumerate([(1, 8), (2, 9), (3, 7), (1, 7)]):
        interaction = Interaction("rated", user, movie, NOON - number * HOUR, str(number), 3.0)
        write(ingest, interaction)
    read = History(database).read_ratings_in_order([1, 3, 99])
    assert [(user, movie.movie_id) for user, movie in read] == [(1, 7), (3, 7), (1, 8)]


def test_viewings_are_written_as_they_stand_and_found_again(database: Database) -> None:
    ingest = Ingest(database)
    opened = Viewing("e1", 1, 7, "feed", NOON, NOON + HOUR, polls_since_seen=1)
    closed = Viewing("e2", 2, 7, "feed", NOON, NOON, NOON + HOUR)

    def work(batch: IngestTransaction) -> None:
        batch.create_nodes({7: ("Seven", 1995)}, {1, 2})
        batch.create_viewings([opened, closed])

    ingest.transact(work)
    assert ingest.transact(lambda batch: batch.read_viewings(set(), NOON, "feed")) == [opened]
    assert ingest.transact(lambda batch: batch.read_viewings({2}, NOON + HOUR, None)) == [closed]
    assert ingest.transact(lambda batch: batch.read_viewings({1, 2}, NOON + 2 * HOUR, None)) == [opened]
    assert ingest.transact(lambda batch: batch.read_viewings(set(), NOON, "other")) == []
    changes = ingest.read_viewings_since(0, 1)
    assert [(change.user_id, change.status, change.title) for change in changes] == [
        (1, "started", "Seven"),
        (2, "finished", "Seven"),
    ]
    assert ingest.read_viewings_since(1, 9) == []


def test_who_waits_too_long_for_another_writer_may_come_again(database: Database, settings: Settings) -> None:
    impatient = Database.from_settings(settings.model_copy(update={"deadline": 0.5}), interactive=True)

    def hold_the_lock(_: IngestTransaction) -> None:
        with pytest.raises(DatabaseUnavailableError):
            Ingest(impatient).transact(lambda batch: None)

    with impatient:
        Ingest(database).transact(hold_the_lock)


def test_a_movie_is_put_whole(database: Database) -> None:
    ingest, movies = Ingest(database), Movies(database)
    assert ingest.transact(lambda batch: batch.put_movie(7, "Seven", 1995, ["Crime"], available=False))
    first = Movie(
        movie_id=7, title="Seven", year=1995, genres=["Crime"], available=False, rating_count=0, rating_mean=None
    )
    assert (movies.get_movie(7), ingest.get_sequence()) == (first, 1)
    write(ingest, rated(4.0, NOON, "a"))
    assert not ingest.transact(lambda batch: batch.put_movie(7, "Se7en", None, [], available=True))
    second = Movie(movie_id=7, title="Se7en", year=None, genres=[], available=True, rating_count=1, rating_mean=4.0)
    assert (movies.get_movie(7), ingest.get_sequence()) == (second, 3)
