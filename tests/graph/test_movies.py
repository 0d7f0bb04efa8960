from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from common.times import milliseconds_of
from graph.database import Database
from graph.recency import HALF_LIVES
from graph.repositories.ingest import Ingest
from graph.repositories.models import Model, Models
from graph.repositories.movies import MovieFilter, Movies, ScoredMovie, lucene_query
from graph.serving_rule import ServingRule


@pytest.fixture
def movies(database: Database) -> Movies:
    database.run_text(
        """
        UNWIND [[1, 'Amélie', 2001, 40, 4.2], [2, 'The Terminator', 1984, 80, 3.9], [3, 'Heat', 1995, 100, 4.0],
                [4, 'The Heat', 2013, 10, 3.0], [5, 'Rarely Seen', null, 1, 5.0], [6, 'Never Rated', 1999, 0, null],
                [7, 'Léon: The Professional', 1994, 60, 4.1]] AS row
        CREATE (:Movie {movieId: row[0], title: row[1], year: row[2], ratingCount: row[3], ratingMean: row[4]})
        """
    )
    database.read("await_indexes")
    # The full-text index is brought up to date a moment after a commit; this waits for it.
    database.run_text("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
    return Movies(database)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("amelie", 1),
        ("AMÉLIE", 1),
        ("termnator", 2),
        ("terminatr", 2),
        ("heat", 3),
        ("leon professional", 7),
        ("profess", 7),
    ],
)
def test_search_forgives_accents_and_typos(movies: Movies, text: str, first: int) -> None:
    assert movies.search_movies(text, 0, 5)[0].movie_id == first


@pytest.mark.parametrize("text", ["", "!!", '"', "a AND (", "title:*", "\\", "[1 TO 2}", "~~", "\udc80", "*"])
def test_search_takes_any_text(movies: Movies, text: str) -> None:
    movies.search_movies(text, 0, 5)


def test_nothing_of_lucenes_syntax_comes_from_the_text() -> None:
    for text in ("(heat) OR *:*", "(heat) \U0001d40e\U0001d411 *:*"):  # the latter mathematical bold letters
        assert lucene_query(text) == "(heat^4 OR heat*^2 OR heat~1) AND (or^4 OR or*)"


NOW = datetime(2026, 1, 1, 12)


@pytest.fixture
def watched(movies: Movies, database: Database) -> Movies:
    """Heat was watched by most; Amélie by two today, The Terminator four days ago, one without a title today."""
    days = {1: [0, 0], 2: [4, 4], 3: [30, 40, 50, 60], 8: [0, 0, 0]}
    ingest = Ingest(database)
    rows = sorted(
        (10 * movie + place, movie, 4.0, milliseconds_of(NOW - timedelta(days=age)))
        for movie, ages in days.items()
        for place, age in enumerate(ages)
    )
    ingest.transact(lambda batch: batch.create_nodes({8: (None, None)}, {row[0] for row in rows}))
    ingest.transact(lambda batch: batch.add_ratings(rows))
    return movies


def test_popular_is_what_most_persons_watched(watched: Movies) -> None:
    popular = watched.find_popular_movies(0, 10)
    assert [(movie.movie_id, movie.score) for movie in popular] == [(3, 4.0), (1, 2.0), (2, 2.0)]


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_trending_decays_by_the_half_life_of_the_version_in_use(
    watched: Movies, database: Database, half_life: int
) -> None:
    """By figures that the switch to the version sets, and by those of batches after it."""
    models = Models(database)
    models.create_catalogue("movielens")
    models.switch_model(Model("v1", NOW, 1, 1, {}, {}, rule=ServingRule(half_life=half_life)))
    old = sum(2 ** (-age / half_life) for age in (30, 40, 50, 60))
    later = [(90, 3, 4.0, milliseconds_of(NOW))]
    for added in (0, 1):
        expected = sorted([(2.0, 1), (2 * 2 ** (-4 / half_life), 2), (old + added, 3)], reverse=True)
        trending = watched.find_trending_movies(0, 10)
        assert [(movie.score, movie.movie_id) for movie in trending] == [
            (pytest.approx(score), movie) for score, movie in expected
        ]
        Ingest(database).transact(lambda batch: batch.create_nodes({}, {90}))
        Ingest(database).transact(lambda batch: batch.add_ratings(later))


def find_either(movies: Movies) -> list[Callable[..., list[ScoredMovie]]]:
    return [movies.find_popular_movies, movies.find_trending_movies]


def test_lists_for_all_leave_out_what_is_asked_and_come_in_pages(watched: Movies, database: Database) -> None:
    database.run_text(
        "MATCH (m:Movie {movieId: 1}) SET m.genres = ['Romance'] CREATE (:User {userId: 1})-[:CLICKED]->(m)"
    )
    database.run_text("MATCH (m:Movie {movieId: 2}), (u:User {userId: 1}) CREATE (u)-[:LIKED {value: -1}]->(m)")
    for find in find_either(watched):
        whole = [movie.movie_id for movie in find(0, 10)]
        assert [movie.movie_id for offset in range(4) for movie in find(offset, 1)] == whole
        assert {movie.movie_id for movie in find(0, 10, user_id=1)} == {1, 3}
        assert {movie.movie_id for movie in find(0, 10, MovieFilter(exclude=(3,)))} == {1, 2}
        assert {movie.movie_id for movie in find(0, 10, MovieFilter(genre="Romance"))} == {1}
        assert {movie.movie_id for movie in find(0, 10, MovieFilter(year_from=1990, year_to=2000))} == {3}
    database.run_text("MATCH (m:Movie {movieId: 3}) SET m.available = false")
    assert all({movie.movie_id for movie in find(0, 10)} == {1, 2} for find in find_either(watched))


def test_a_movie_is_told_whole_or_not_at_all(movies: Movies) -> None:
    movie = movies.get_movie(6)
    assert movie is not None
    assert (movie.title, movie.genres, movie.available, movie.rating_count) == ("Never Rated", [], True, 0)
    assert movies.get_movie(404) is None
