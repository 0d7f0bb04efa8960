"""Predicted stars through Cypher: as by matrices, with what came a moment ago, and where little is known."""

from datetime import datetime

import numpy as np
import pytest
from scipy.sparse import csr_array

from engine.stars import StarsModel, StarsParameters, fit_stars
from engine.stars_training import describe_version
from graph.database import Database
from graph.repositories.stars import Stars
from graph.times import utc_now

USERS, MOVIES = 40, 18
MOVIE_IDS = np.arange(MOVIES) * 3 + 7
RATE = """
UNWIND $ratings AS row
MERGE (user:User {userId: row[0]})
MERGE (movie:Movie {movieId: row[1]})
MERGE (user)-[rated:RATED]->(movie)
SET rated.rating = row[2], rated.at = localdatetime('2020-01-01T00:00')
"""
MEANS = """
MATCH (movie:Movie)<-[rated:RATED]-()
WITH movie, avg(rated.rating) AS mean
SET movie.ratingMean = mean, movie.title = 'Movie ' + movie.movieId
"""


def draw_ratings() -> csr_array:
    rng = np.random.default_rng(5)
    stars = rng.integers(1, 11, (USERS, MOVIES)) / 2
    return csr_array(np.where(rng.random((USERS, MOVIES)) < 0.4, stars, 0).astype(np.float32))


@pytest.fixture(scope="module")
def stars() -> csr_array:
    return draw_ratings()


@pytest.fixture(scope="module")
def model(stars: csr_array) -> StarsModel:
    return fit_stars(stars, StarsParameters(neighbours=5, candidates=12, ridge=1.0))


@pytest.fixture
def graph(database: Database, stars: csr_array, model: StarsModel) -> Database:
    users = np.repeat(np.arange(USERS), np.diff(stars.indptr))
    rows = zip(users.tolist(), MOVIE_IDS[stars.indices].tolist(), stars.data.tolist(), strict=True)
    database.run_text(RATE, ratings=[list(row) for row in rows])
    database.run_text(MEANS)
    database.run_text("CREATE (:User {userId: 900}), (:Movie {movieId: 901, title: 'Nobody rated it'})")
    Stars(database).put_to_use(describe_version(model, MOVIE_IDS, utc_now()))
    return database


def test_cypher_predicts_what_the_matrices_do(graph: Database, stars: csr_array, model: StarsModel) -> None:
    movies = np.arange(MOVIES)
    for user in range(USERS):
        told = Stars(graph).predict_stars(user, MOVIE_IDS.tolist())
        users = np.full(MOVIES, user)
        expected = model.predict(stars, users, movies)
        np.testing.assert_allclose([entry.stars for entry in told], expected, atol=1e-4)
        margin = 1.2816 * model.deviation(stars, users, movies)
        inside = (expected > model.low) & (expected < model.high)  # elsewhere the scale cuts off
        low = np.maximum(expected - margin, model.low)
        np.testing.assert_allclose(np.array([entry.low for entry in told])[inside], low[inside], atol=1e-4)


def test_a_new_rating_counts_at_once_bias_included(graph: Database, stars: csr_array, model: StarsModel) -> None:
    graph.run_text(RATE, ratings=[[3, int(MOVIE_IDS[movie]), 0.5] for movie in range(0, MOVIES, 2)])
    dense = stars.toarray()
    dense[3, ::2] = 0.5
    changed = csr_array(dense)
    told = [entry.stars for entry in Stars(graph).predict_stars(3, MOVIE_IDS.tolist())]
    expected = model.predict(changed, np.full(MOVIES, 3), np.arange(MOVIES))
    np.testing.assert_allclose(told, expected, atol=1e-4)


def test_reasons_are_the_ratings_that_say_most(graph: Database, model: StarsModel, stars: csr_array) -> None:
    told = [entry for user in range(USERS) for entry in Stars(graph).predict_stars(user, MOVIE_IDS.tolist())]
    assert {entry.basis for entry in told} == {"ratings", "baseline"}
    for entry in told:
        assert (entry.basis == "ratings") == bool(entry.because)
        sizes = [abs(reason.contribution) for reason in entry.because]
        assert sizes == sorted(sizes, reverse=True)
        assert entry.movie_id not in [reason.movie_id for reason in entry.because]
    own = {entry.movie_id: entry.rating for entry in Stars(graph).predict_stars(0, MOVIE_IDS.tolist())}
    given = stars.toarray()[0].tolist()
    assert own == {movie: rating or None for movie, rating in zip(MOVIE_IDS.tolist(), given, strict=True)}


def test_who_or_what_is_not_known_gets_less_certain_stars(graph: Database, model: StarsModel) -> None:
    stars, movie_id = Stars(graph), int(MOVIE_IDS[0])
    [known], [empty], [nobody] = (stars.predict_stars(user, [movie_id]) for user in (1, 900, 12345))
    [mean] = [row["mean"] for row in graph.run_text("MATCH (m:Movie {movieId: 7}) RETURN m.ratingMean AS mean")]
    assert (empty.basis, nobody.basis, nobody.stars) == ("baseline", "movie", pytest.approx(mean))
    assert empty.stars == pytest.approx(model.baseline.mean + model.baseline.movie_bias[0], abs=1e-5)
    assert known.high - known.low < empty.high - empty.low
    assert stars.predict_stars(1, [902]) == []
    [unrated] = stars.predict_stars(1, [901])
    assert (unrated.basis, unrated.because) == ("baseline", [])
    assert model.low <= unrated.low < unrated.stars < unrated.high <= model.high


def test_without_a_model_each_movie_has_its_mean(database: Database) -> None:
    database.run_text(RATE, ratings=[[1, 1, 4.0], [2, 1, 2.0]])
    database.run_text(MEANS)
    database.run_text("CREATE (:Movie {movieId: 2})")
    rated, unrated = Stars(database).predict_stars(1, [1, 2])
    assert (rated.stars, rated.basis, rated.rating, rated.model_version) == (3.0, "movie", 4.0, None)
    assert unrated.low < unrated.stars < unrated.high


def test_a_later_version_takes_the_place_of_an_earlier_one(graph: Database, stars: csr_array) -> None:
    later = fit_stars(stars, StarsParameters(neighbours=3, ridge=9.0))
    version = describe_version(later, MOVIE_IDS, datetime(2030, 1, 1))
    Stars(graph).put_to_use(version)
    Stars(graph).remove_unused()
    [(edges,)] = [tuple(row) for row in graph.run_text("MATCH (:Movie)-[edge:STARS]->(:Movie) RETURN count(edge)")]
    assert edges == len(version.edges) > 0
    told = [entry.stars for entry in Stars(graph).predict_stars(2, MOVIE_IDS.tolist())]
    np.testing.assert_allclose(told, later.predict(stars, np.full(MOVIES, 2), np.arange(MOVIES)), atol=1e-4)
