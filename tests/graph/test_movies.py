from datetime import timedelta

import pytest

from graph.database import Database
from graph.queries import query
from graph.repositories.movies import MovieFilter, Movies, lucene_query
from graph.times import utc_now


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


def test_few_ratings_count_near_the_mean_of_all(movies: Movies) -> None:
    popular = movies.find_popular_movies(0, 10)
    assert [movie.movie_id for movie in popular] == [1, 7, 5, 3, 2, 4]
    mean = (40 * 4.2 + 80 * 3.9 + 100 * 4.0 + 10 * 3.0 + 5.0 + 60 * 4.1) / 291
    assert popular[0].score == pytest.approx((40 * 4.2 + 50 * mean) / 90)


def test_trending_counts_recent_viewings_more(
    movies: Movies, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    viewings = [[1, 0], [2, 4], [2, 4], [3, 30]]
    database.run_text(
        """
        UNWIND $viewings AS row
        MATCH (movie:Movie {movieId: row[0]})
        CREATE (:User {userId: rand()})-[:WATCHED {startedAt: $now - duration({days: row[1]})}]->(movie)
        """,
        viewings=viewings,
        now=now,
    )
    trending = movies.find_trending_movies(now, 0, 10)
    assert [(movie.movie_id, round(movie.score, 3)) for movie in trending] == [(1, 1.0), (2, 0.5)]
    assert movies.find_trending_movies(now + timedelta(days=60), 0, 10) == []
    monkeypatch.setattr("graph.repositories.movies.TRENDING_VIEWINGS", 1)
    assert [movie.movie_id for movie in movies.find_trending_movies(now, 0, 10)] == [1]


def test_trending_reads_the_newest_viewings_from_the_index(database: Database) -> None:
    """However many there are, only those that count are read."""
    names = ("userId", "since", "now", "mostViewings", "halfLifeDays", "offset", "limit", *MovieFilter().parameters())
    explained = database.explain(query("find_trending_movies"), **dict.fromkeys(names))
    plan = explained["args"]["string-representation"]
    assert "RANGE INDEX (anon_1)-[watched:WATCHED(startedAt)]" in plan
    assert plan.count("+Top") == 1  # the movies'


def test_a_movie_is_told_whole_or_not_at_all(movies: Movies) -> None:
    movie = movies.get_movie(6)
    assert movie is not None
    assert (movie.title, movie.genres, movie.available, movie.rating_count) == ("Never Rated", [], True, 0)
    assert movies.get_movie(404) is None
