"""How much each movie was watched lately: kept true by whatever writes edges, against a count of all edges by hand."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.times import milliseconds_of
from graph.database import Database
from graph.recency import (
    COUNTED_FROM,
    DAY,
    HALF_LIVES,
    MOST_SHRUNK,
    Figures,
    Move,
    add_up,
    figures_of,
    grows,
    move_figures,
    property_of,
)
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.live import LiveEdges
from graph.schema import apply_schema
from graph.serving_rule import ServingRule
from stream.events import API, Event, EventType
from stream.viewings import FinishRules
from stream.writer import apply_events

NOON = datetime(2026, 1, 1, 12)
MINUTE = timedelta(minutes=1)
EXACT = 1e-9


def count_by_hand(moments: list[int]) -> Figures:
    """Figures of a movie for whom each person counts with one of these moments."""
    if not moments:
        return Figures()
    newest = max(moments)
    sums = [math.fsum(2.0 ** ((moment - newest) / (DAY * half_life)) for moment in moments) for half_life in HALF_LIVES]
    return figures_of(len(moments), newest, sums)


def same(found: Figures, expected: Figures) -> bool:
    near = all(
        math.isclose(one, other, rel_tol=0, abs_tol=EXACT)
        for one, other in zip(found.recent, expected.recent, strict=False)
    )
    return (found.viewers, len(found.recent), near) == (expected.viewers, len(expected.recent), True)


def read_figures(database: Database) -> dict[int, Figures]:
    """What the movies tell."""
    rows = database.run_text("MATCH (m:Movie) RETURN m.movieId AS movie, properties(m) AS properties")
    found = {}
    for row in rows:
        figures = [row["properties"].get(property_of(half_life)) for half_life in HALF_LIVES]
        assert row["properties"].get("recent") == row["properties"].get(property_of(ServingRule().half_life))
        shrunk = row["properties"].get("shrunk", 0.0)
        assert 0 <= shrunk <= MOST_SHRUNK
        recent = tuple(figure for figure in figures if figure is not None)
        found[row["movie"]] = Figures(row["properties"].get("viewers", 0), recent, shrunk)
    return found


def count_edges(database: Database) -> dict[int, Figures]:
    """What the movies must tell."""
    rows = database.run_text(
        "MATCH (u:User)-[e:RATED|WATCHED]->(m:Movie) "
        "RETURN u.userId AS user, m.movieId AS movie, e.rating AS stars, coalesce(e.finishedAt, e.at) AS at"
    )
    moments: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if row["at"] is not None and (row["stars"] is None or row["stars"] >= COUNTED_FROM):
            moment = milliseconds_of(row["at"].to_native())
            known = moments[row["movie"]].get(row["user"], moment)
            moments[row["movie"]][row["user"]] = max(known, moment)
    movies = [row["id"] for row in database.run_text("MATCH (m:Movie) RETURN m.movieId AS id")]
    return {movie: count_by_hand(list(moments[movie].values())) for movie in movies}


def clock(database: Database) -> datetime | None:
    [row] = database.run_text("MATCH (s:Sequence) RETURN s.newestAt AS at")
    return row["at"] and row["at"].to_native()


def require_true(database: Database) -> dict[int, Figures]:
    found, expected = read_figures(database), count_edges(database)
    assert found.keys() == expected.keys()
    for movie, figures in expected.items():
        assert same(found[movie], figures), (movie, found[movie], figures)
    return found


def told(kind: str, user: int = 1, movie: int = 7, minute: float = 0, **more: Any) -> Event:
    at = NOON + minute * MINUTE
    event_id = more.pop("event_id", f"{kind}-{user}-{movie}-{minute}")
    return Event(type=EventType(kind), source=API, at=at, event_id=event_id, user_id=user, movie_id=movie, **more)


def undone(event_id: str) -> Event:
    return Event(type=EventType.UNDONE, source=API, at=NOON, event_id=f"undo {event_id}", undoes=event_id)


def apply(database: Database, *batches: list[Event]) -> None:
    for events in batches:
        Ingest(database).transact(lambda batch: apply_events(batch, events, FinishRules()))  # noqa: B023


def add_ratings(database: Database, rows: list[tuple[int, int, float, int]]) -> None:
    """As `loader add` does: user, movie, stars, milliseconds since 1970."""

    def add(batch: IngestTransaction) -> None:
        batch.create_nodes({row[1]: (None, None) for row in rows}, {row[0] for row in rows})
        batch.add_ratings(rows)

    Ingest(database).transact(add)


# Pure

moments = st.integers(0, 400 * DAY)


def grow(figures: Figures, moves: list[Move]) -> Figures:
    """As cypher/write_recency.cypher does."""
    assert grows(moves)
    viewers, added = add_up(moves)
    recent = [
        max(known, more) + math.log2(1 + 2.0 ** -abs(known - more))
        for known, more in zip(figures.recent or [-math.inf] * len(added), added, strict=True)
    ]
    return Figures(figures.viewers + viewers, tuple(recent))


@given(
    persons=st.lists(moments, min_size=1, max_size=20),
    later=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 400 * DAY)), max_size=20),
    together=st.booleans(),
)
def test_figures_grow_as_the_persons_do(persons: list[int], later: list[tuple[int, int]], together: bool) -> None:
    now: dict[int, int] = dict(enumerate(persons))
    figures, moves = count_by_hand(persons), list[Move]()
    for person, ahead in later:
        before = now.get(person)
        now[person] = (before or 0) + ahead
        moves.append((before, now[person]))
    for part in [moves] if together else [[move] for move in moves]:
        figures = grow(figures, part) if part else figures
    assert same(figures, count_by_hand(list(now.values())))


@given(st.lists(moments, min_size=1, max_size=30), st.lists(moments, min_size=1, max_size=30))
def test_mixed_changes_are_those_of_the_persons(kept: list[int], come: list[int]) -> None:
    figures = move_figures(count_by_hand(kept), [(None, moment) for moment in come])
    assert figures is not None
    assert same(figures, count_by_hand([*kept, *come]))
    assert same(figures, grow(count_by_hand(kept), [(None, moment) for moment in come]))


def test_many_half_lives_apart_nothing_is_too_large_or_too_small() -> None:
    moments = [0, 30_000 * DAY, 30_000 * DAY]
    found = grow(Figures(), [(None, moment) for moment in moments])
    assert same(found, count_by_hand(moments))
    assert found.recent[0] == 30_001.0
    assert same(grow(found, [(30_000 * DAY, 60_000 * DAY)]), count_by_hand([*moments[:2], 60_000 * DAY]))


@pytest.mark.parametrize(
    ("persons", "moves"),
    [
        (1, [(0, None)]),  # all
        (5000, [(0, None)] * 4800),  # nearly all
        (1, [(5 * DAY, 4 * DAY)]),  # of somebody who is not in it
    ],
)
def test_what_a_difference_cannot_tell_exactly_is_counted_again(persons: int, moves: list[Move]) -> None:
    assert move_figures(count_by_hand([0] * persons), moves) is None


def test_a_few_of_many_are_subtracted() -> None:
    persons = [(number % 300) * DAY for number in range(5000)]
    moved = move_figures(count_by_hand(persons), [(persons[0], None), (persons[7], persons[3])])
    assert moved is not None
    assert same(moved, count_by_hand([*persons[1:7], persons[3], *persons[8:]]))


@pytest.mark.parametrize("newest_first", [True, False])
def test_one_taken_away_after_the_other_leaves_no_error_behind(newest_first: bool) -> None:
    """The newest first: each sum is halved again and again."""
    persons = [number * DAY // 4 for number in range(800)]
    persons.sort(reverse=not newest_first)
    figures, counted = count_by_hand(persons), 0
    while persons:
        moved = move_figures(figures, [(persons.pop(), None)])
        counted += moved is None
        figures = moved or count_by_hand(persons)
        assert same(figures, count_by_hand(persons))
    assert counted < 80


# Kept by what writes


def test_a_person_counts_once_with_the_newest_of_finishes_and_good_ratings(database: Database) -> None:
    apply(
        database,
        [told("finished", minute=10), told("rated", minute=3, rating=4), told("started", 2, minute=30)],
        [told("finished", minute=20), told("rated", 3, minute=5, rating=2.5), told("rated", 4, minute=6, rating=3)],
    )
    found = require_true(database)
    assert found[7].viewers == 2
    assert clock(database) == NOON + 20 * MINUTE
    expected = count_by_hand([milliseconds_of(NOON + minute * MINUTE) for minute in (20, 6)])
    assert same(found[7], expected)


def test_abandoned_viewings_do_not_count(database: Database) -> None:
    rules = FinishRules(shortest=timedelta(hours=1))
    events = [told("started"), told("started", movie=8, minute=5)]
    Ingest(database).transact(lambda batch: apply_events(batch, events, rules))
    assert require_true(database)[7] == Figures()


def test_the_clock_does_not_depend_on_the_order(database: Database) -> None:
    """Nor on what is kept: a rating that another one replaces was given, too."""
    events = [told("rated", minute=5, rating=5), told("rated", minute=9, rating=1)]
    for batches in ([events], [events[::-1]], [[one] for one in events], [[one] for one in events[::-1]]):
        database.run_text("MATCH (n) DETACH DELETE n")
        apply(database, *batches)
        assert clock(database) == NOON + 5 * MINUTE
        assert require_true(database)[7] == Figures()


def draw_events(rng: random.Random, count: int) -> list[list[Event]]:
    """What 12 users do with 5 movies over months, told in disorder, and taken back now and then; in two parts, the
    second of what is taken back and the like."""
    events: list[Event] = []
    for place in range(count):
        kind = rng.choice(["started", "finished", "finished", "rated", "rated"])
        minute = rng.choice([rng.randint(0, 90), rng.randint(0, 200_000)])
        stars = rng.choice([1.0, 2.5, 3.0, 5.0]) if kind == "rated" else None
        user, movie = rng.randint(1, 12), rng.randint(1, 5)
        events.append(told(kind, user, movie, minute, rating=stars, event_id=f"event {place}"))
    rng.shuffle(events)
    return [events, [undone(rng.choice(events).key) for _ in range(count // 8)]]


def cut(rng: random.Random, events: list[Event], size: int) -> Iterator[list[Event]]:
    place = 0
    while place < len(events):
        length = rng.randint(1, size)
        yield events[place : place + length]
        place += length


@pytest.mark.parametrize("seed", range(3))
def test_however_batches_are_cut_the_figures_are_those_of_the_edges(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    events, taken_back = draw_events(rng, 150)
    figures, clocks = [], set()
    for size in (1000, 40, 4):
        database.run_text("MATCH (n) DETACH DELETE n")
        apply(database, *cut(rng, events, size), *cut(rng, taken_back, size))
        figures.append(require_true(database))
        clocks.add(clock(database))
    assert len(clocks) == 1
    for other in figures[1:]:
        assert all(same(other[movie], figures[0][movie]) for movie in other)


def test_mixed_with_what_is_taken_back(database: Database) -> None:
    rng = random.Random(7)
    events, taken_back = draw_events(rng, 120)
    mixed = [*events, *taken_back]
    rng.shuffle(mixed)
    for batch in cut(rng, mixed, 6):
        apply(database, batch)
        require_true(database)


@pytest.mark.parametrize("taken_back", ["finish", "start", "worse", "good", "liked"])
def test_undo_of_each_kind(database: Database, taken_back: str) -> None:
    """Of a viewing its end or all of it, of two ratings the one that stands; the bulk-loaded one is below them."""
    bulk = milliseconds_of(datetime(2005, 1, 1))
    add_ratings(database, [(1, 8, 3.0, bulk)])
    apply(
        database,
        [told("started", event_id="start"), told("finished", minute=9, event_id="finish")],
        [
            told("rated", movie=8, minute=5, rating=4, event_id="good"),
            told("liked", movie=8, value=1, event_id="liked"),
        ],
        [told("rated", movie=8, minute=6, rating=1, event_id="worse")],
    )
    before = require_true(database)
    assert (before[7].viewers, before[8].viewers) == (1, 0)
    apply(database, [undone(taken_back)])
    after = require_true(database)
    assert after[7].viewers == (0 if taken_back in ("finish", "start") else 1)
    assert after[8].viewers == (1 if taken_back == "worse" else 0)
    apply(database, [undone("worse"), undone("good")])
    assert same(require_true(database)[8], count_by_hand([bulk]))


def test_erased_users_do_not_count(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("graph.repositories.erasures.EDGES", 3)
    rng = random.Random(5)
    events, _ = draw_events(rng, 200)
    apply(database, events)
    newest = clock(database)
    erasures = Erasures(database, tmp_path / "erased.json")
    for user in (3, 4):
        apply(database, [Event(type=EventType.ERASED, source=API, at=NOON + timedelta(days=200), user_id=user)])
        assert not erasures.remove(user, seconds=-1).complete
        require_true(database)
        assert erasures.remove(user).complete
        require_true(database)
    assert clock(database) == newest


def test_a_few_erased_of_many_are_subtracted(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apply(database, [told("rated", user, minute=-1440 * (user % 50), rating=3 + user % 3) for user in range(1, 400)])
    monkeypatch.setattr("graph.repositories.recency.Recency._count_again", lambda *_: pytest.fail("counted again"))
    for user in (40, 41, 90):
        Erasures(database, tmp_path / "erased.json").remove(user)
    assert require_true(database)[7].viewers == 396


def test_ratings_added_in_bulk_count(database: Database) -> None:
    rng = random.Random(3)
    events, _ = draw_events(rng, 80)
    apply(database, events)
    pairs = [(user, movie) for user in range(1, 20) for movie in range(1, 7)]
    for _ in range(3):
        rows = [
            (*pair, rng.choice([1.0, 3.0, 4.5]), milliseconds_of(NOON + rng.randint(-90_000, 90_000) * MINUTE))
            for pair in sorted(rng.sample(pairs, 60))
        ]
        for part in (rows[:30], rows[30:], rows):
            add_ratings(database, part)
            require_true(database)
        assert (clock(database) or NOON) >= max(
            NOON + timedelta(milliseconds=row[3] - milliseconds_of(NOON)) for row in rows if row[2] >= COUNTED_FROM
        )


def test_live_edges_carried_over_count_beside_what_was_loaded(database: Database) -> None:
    rng = random.Random(4)
    events, _ = draw_events(rng, 120)
    apply(database, events)
    live, newest = read_figures(database), clock(database)
    state = LiveEdges(database).read_state()
    for bulk in (False, True):
        database.run_text("MATCH (n) DETACH DELETE n")
        if bulk:
            rows = [(user, movie, 5.0, milliseconds_of(NOON) - DAY * user) for user in range(1, 9) for movie in (1, 2)]
            Ingest(database).transact(
                lambda batch: batch.create_nodes({1: (None, None), 2: (None, None)}, set(range(9)))
            )
            Ingest(database).transact(lambda batch: batch.add_ratings(rows))  # noqa: B023
        LiveEdges(database).write_state(state, lambda _: None)
        found = require_true(database)
        assert clock(database) == newest
        assert bulk or all(same(found[movie], figures) for movie, figures in live.items())


def test_what_retention_removes_goes_on_counting(database: Database) -> None:
    apply(database, [told("finished"), told("finished", 2, minute=60)])
    before = require_true(database)
    Ingest(database).transact(lambda batch: batch.retain("remove_old_viewings", NOON + 30 * MINUTE, 100))
    assert len(database.run_text("MATCH ()-[w:WATCHED]->() RETURN w")) == 1
    assert read_figures(database) == before


def test_an_earlier_database_is_counted_when_it_is_migrated(database: Database) -> None:
    events, _ = draw_events(random.Random(6), 150)
    apply(database, events)
    newest = clock(database)
    database.run_text("CREATE (:Catalogue {name: 'movielens', schemaVersion: 2}), (:Movie {movieId: 99})")
    for half_life in HALF_LIVES:
        database.run_text(f"MATCH (m:Movie) REMOVE m.recent{half_life}, m.viewers, m.recent")
    database.run_text("MATCH (s:Sequence) REMOVE s.newestAt")
    for _ in range(2):
        apply_schema(database)
        assert require_true(database)[99] == Figures()
        assert clock(database) == newest
        database.run_text("MATCH (c:Catalogue) SET c.schemaVersion = 2")
