"""Predicted stars through Cypher: as by matrices, with what came a moment ago, and where little is known."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.sparse import csr_array

from common.times import utc_now
from engine.interactions import Interactions
from engine.star_baseline import BaselineParameters
from engine.star_choice import Choice
from engine.stars import Predicted, StarsModel, StarsParameters, fit_stars
from engine.stars_training import describe_version
from graph.database import Database
from graph.queries import query
from graph.repositories.stars import Stars

USERS, MOVIES = 40, 18
MOVIE_IDS = np.arange(MOVIES) * 3 + 7
RATE = """
UNWIND $ratings AS row
MERGE (user:User {userId: row[0]})
MERGE (movie:Movie {movieId: row[1]})
MERGE (user)-[rated:RATED]->(movie)
SET rated.rating = row[2], rated.at = localdatetime('2020-01-01T00:00') + duration({seconds: row[3]})
"""
MEANS = """
MATCH (movie:Movie)<-[rated:RATED]-()
WITH movie, avg(rated.rating) AS mean
SET movie.ratingMean = mean, movie.title = 'Movie ' + movie.movieId
"""


# When predictions are asked for, and how new the ratings are then.
NOW = datetime(2020, 1, 1, 1)
PARAMETERS = StarsParameters(
    BaselineParameters(scale_ridge=2.0, popularity_ridge=3.0), neighbours=5, candidates=12, ridge=1.0, half_life=600.0
)
CHOICE = Choice(PARAMETERS, margin=1.1, basis="nothing")


def milliseconds(moment: datetime) -> int:
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def draw_ratings() -> Interactions:
    rng = np.random.default_rng(5)
    stars = rng.integers(1, 11, (USERS, MOVIES)) / 2
    rated = rng.random((USERS, MOVIES)) < np.linspace(0.2, 0.7, MOVIES)
    sparse = csr_array(np.where(rated, stars, 0).astype(np.float32))
    return Interactions(sparse, milliseconds(NOW) - 1000 * rng.integers(1, 3600, sparse.nnz))


@pytest.fixture(scope="module")
def stars() -> Interactions:
    return draw_ratings()


@pytest.fixture(scope="module")
def model(stars: Interactions) -> StarsModel:
    return fit_stars(stars.stars, PARAMETERS)


def rows_of(stars: Interactions) -> list[list[float]]:
    seconds = (stars.at - milliseconds(datetime(2020, 1, 1))) // 1000
    columns = stars.user_of_each(), MOVIE_IDS[stars.stars.indices], stars.stars.data, seconds
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def predict(model: StarsModel, stars: Interactions, user: int) -> Predicted:
    return model.predict(stars, np.full(MOVIES, user), np.arange(MOVIES), np.full(MOVIES, milliseconds(NOW)))


@pytest.fixture
def graph(database: Database, stars: Interactions, model: StarsModel) -> Database:
    database.run_text(RATE, ratings=rows_of(stars))
    database.run_text(MEANS)
    database.run_text("CREATE (:User {userId: 900}), (:Movie {movieId: 901, title: 'Nobody rated it'})")
    Stars(database).put_to_use(describe_version(model, CHOICE, MOVIE_IDS, utc_now()))
    return database


def test_cypher_predicts_what_the_matrices_do(graph: Database, stars: Interactions, model: StarsModel) -> None:
    for user in range(USERS):
        told = Stars(graph).predict_stars(user, MOVIE_IDS.tolist(), NOW)
        expected = predict(model, stars, user)
        np.testing.assert_allclose([entry.stars for entry in told], expected.stars, atol=1e-4)
        inside = (expected.stars > model.low) & (expected.stars < model.high)  # elsewhere the scale cuts off
        low = np.maximum(expected.stars - CHOICE.margin * expected.deviation, model.low)
        np.testing.assert_allclose(np.array([entry.low for entry in told])[inside], low[inside], atol=1e-4)


def test_a_new_rating_counts_at_once_habits_included(graph: Database, stars: Interactions, model: StarsModel) -> None:
    before = [entry.stars for entry in Stars(graph).predict_stars(3, MOVIE_IDS.tolist(), NOW)]
    graph.run_text(RATE, ratings=[[3, int(MOVIE_IDS[movie]), 0.5, 3590] for movie in range(0, MOVIES, 2)])
    dense, at = stars.stars.toarray(), stars.values(stars.at).toarray()
    dense[3, ::2], at[3, ::2] = 0.5, milliseconds(NOW) - 10_000
    changed = csr_array(dense)
    told = [entry.stars for entry in Stars(graph).predict_stars(3, MOVIE_IDS.tolist(), NOW)]
    expected = predict(model, Interactions(changed, at[dense > 0]), 3)
    np.testing.assert_allclose(told, expected.stars, atol=1e-4)
    assert np.mean(told) < np.mean(before) - 0.2


def test_what_is_left_of_new_ratings_fades(graph: Database, stars: Interactions, model: StarsModel) -> None:
    later = fit_stars(stars.stars, replace(PARAMETERS, half_life=None))
    for user in range(0, USERS, 8):
        told = [entry.stars for entry in Stars(graph).predict_stars(user, MOVIE_IDS.tolist())]  # years later
        np.testing.assert_allclose(told, predict(later, stars, user).stars, atol=1e-4)
    ahead = Stars(graph).predict_stars(1, MOVIE_IDS.tolist(), datetime(2019, 1, 1))  # another clock than the ratings'
    assert np.isfinite([entry.stars for entry in ahead]).all()


def test_reasons_are_the_ratings_that_say_most(graph: Database, stars: Interactions) -> None:
    told = [entry for user in range(USERS) for entry in Stars(graph).predict_stars(user, MOVIE_IDS.tolist())]
    assert {entry.basis for entry in told} == {"ratings", "baseline"}
    for entry in told:
        assert (entry.basis == "ratings") == bool(entry.because)
        sizes = [abs(reason.contribution) for reason in entry.because]
        assert sizes == sorted(sizes, reverse=True)
        assert entry.movie_id not in [reason.movie_id for reason in entry.because]
    own = {entry.movie_id: entry.rating for entry in Stars(graph).predict_stars(0, MOVIE_IDS.tolist())}
    given = stars.stars.toarray()[0].tolist()
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
    database.run_text(RATE, ratings=[[1, 1, 4.0, 0], [2, 1, 2.0, 0]])
    database.run_text(MEANS)
    database.run_text("CREATE (:Movie {movieId: 2})")
    rated, unrated = Stars(database).predict_stars(1, [1, 2])
    assert (rated.stars, rated.basis, rated.rating, rated.model_version) == (3.0, "movie", 4.0, None)
    assert unrated.low < unrated.stars < unrated.high


def test_an_earlier_version_is_served_as_it_was(graph: Database, stars: Interactions) -> None:
    """After the migration: with the user's bias alone, and the interval as it was."""
    [row] = graph.run_text("MATCH (model:StarsModel) RETURN model {.*} AS model")
    model, old_spread = row["model"], 0.5
    graph.run_text(
        "MATCH (m:StarsModel) REMOVE m.margin, m.popularity, m.scaleRidge, m.popularityRidge, m.newestRidge, m.noise, "
        "m.halfLife SET m.userSpread = $spread WITH m MATCH (movie:Movie) REMOVE movie.popularity",
        spread=old_spread,
    )
    for line in query("migrations/004_stars_learn_their_interval").splitlines()[1:]:
        graph.run_text(line)
    user, [told] = 2, Stars(graph).predict_stars(2, [901])
    rows = graph.run_text("MATCH (m:Movie) RETURN m.movieId AS id, m.bias AS bias")
    bias = {row["id"]: row["bias"] or 0 for row in rows}
    own = stars.stars[[user]].tocoo()
    rest = sum(
        given - model["mean"] - bias[int(MOVIE_IDS[movie])] for movie, given in zip(own.col, own.data, strict=True)
    )
    known = own.nnz + model["userRidge"]
    assert told.stars == pytest.approx(model["mean"] + rest / known, abs=1e-5)
    deviation = np.sqrt(model["spread"] ** 2 + old_spread**2 * model["userRidge"] / known)
    assert told.high == pytest.approx(min(told.stars + 1.2816 * deviation, model["high"]), abs=1e-4)


def test_a_later_version_takes_the_place_of_an_earlier_one(graph: Database, stars: Interactions) -> None:
    later = fit_stars(stars.stars, StarsParameters(neighbours=3, ridge=9.0))
    version = describe_version(later, CHOICE, MOVIE_IDS, datetime(2030, 1, 1))
    Stars(graph).put_to_use(version)
    Stars(graph).remove_unused()
    [(edges,)] = [tuple(row) for row in graph.run_text("MATCH (:Movie)-[edge:STARS]->(:Movie) RETURN count(edge)")]
    assert edges == len(version.edges) > 0
    told = [entry.stars for entry in Stars(graph).predict_stars(2, MOVIE_IDS.tolist(), NOW)]
    np.testing.assert_allclose(told, predict(later, stars, 2).stars, atol=1e-4)
