"""Predicted stars against brute force, and what any model of them must hold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from engine.interactions import Interactions
from engine.star_baseline import BaselineParameters, fit_baseline
from engine.stars import StarsModel, StarsParameters, fit_stars

PARAMETERS = StarsParameters(
    BaselineParameters(user_ridge=5.0, scale_ridge=6.0, popularity_ridge=7.0, movie_ridge=3.0),
    neighbours=6,
    candidates=9,
    ridge=2.0,
    exponent=0.4,
)
RIDGES = np.diag([5.0, 6.0, 7.0])


def draw_ratings(users: int = 60, movies: int = 25, seed: int = 1, share: float = 0.4) -> csr_array:
    """Users of two tastes, who rate each kind of movie otherwise; some movies are rated more often."""
    rng = np.random.default_rng(seed)
    tastes, kinds = rng.integers(0, 2, users), rng.integers(0, 2, movies)
    liking = np.where(tastes[:, None] == kinds[None, :], 4.2, 2.2) + rng.normal(0, 0.4, (users, movies))
    stars = np.clip(np.rint(liking * 2) / 2, 0.5, 5).astype(np.float32)
    return csr_array(np.where(rng.random((users, movies)) < share * rng.uniform(0.8, 1.2, movies), stars, 0))


def known_of(stars: csr_array) -> Interactions:
    return Interactions(stars, np.zeros(stars.nnz, dtype=np.int64))


def all_pairs(stars: csr_array) -> tuple[np.ndarray, np.ndarray]:
    users, movies = np.indices(stars.shape)
    return users.ravel(), movies.ravel()


def learn_habits(rest: np.ndarray, known: np.ndarray, features: np.ndarray) -> np.ndarray:
    """One ridge regression a user, of what is left of the ratings by the movies' features."""
    return np.stack(
        [
            np.linalg.solve(features[own].T @ features[own] + RIDGES, features[own].T @ left[own])
            for left, own in zip(rest, known, strict=True)
        ]
    )


def brute_baseline(ratings: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each movie gets from a user without habits, and the features that habits are about."""
    mean, counts = ratings[known].mean(), known.sum(0)
    each = np.log(counts)[np.nonzero(known)[1]]
    popularity, bias = (np.log(counts) - each.mean()) / each.std(), np.zeros(len(counts))
    for _ in range(10):
        features = np.stack([np.ones_like(bias), bias, popularity], axis=1)
        habits = learn_habits(ratings - mean - bias, known, features)
        scales = 1 + habits[:, 1]
        rest = ratings - mean - habits[:, :1] - habits[:, 2:] * popularity
        bias = np.where(known, scales[:, None] * rest, 0).sum(0) / (known.T @ scales**2 + 3.0)
    return mean + bias, np.stack([np.ones_like(bias), bias, popularity], axis=1)


def brute_force(stars: csr_array, parameters: StarsParameters) -> np.ndarray:
    """Predictions for all pairs, by dense algebra and plain loops."""
    ratings, known = stars.toarray().astype(np.float64), stars.toarray() > 0
    offsets, movie_features = brute_baseline(ratings, known)
    expected = offsets + learn_habits(ratings - offsets, known, movie_features) @ movie_features.T
    residuals = np.where(known, ratings - expected, 0)
    predicted = expected.copy()
    for target in range(stars.shape[1]):
        raters = np.flatnonzero(known[:, target])
        shared = known[raters].sum(0)
        shared[target] = 0
        best = np.sort(np.argsort(-shared, kind="stable")[: parameters.candidates])
        chosen = best[shared[best] > 0]
        scale = np.maximum(known[raters].sum(1) - 1.0, 1) ** -parameters.exponent
        # As if none of the raters had rated the target: their habits, too.
        hidden = np.where(np.arange(stars.shape[1]) == target, False, known[raters])
        habits = learn_habits(ratings[raters] - offsets, hidden, movie_features)
        left = ratings[raters] - offsets - habits @ movie_features.T
        features = np.hstack([np.where(hidden, left, 0)[:, chosen], hidden[:, chosen]]) * scale[:, None]
        wanted = left[:, target]

        def solve(columns: np.ndarray, wanted: np.ndarray = wanted) -> np.ndarray:
            return np.linalg.solve(
                columns.T @ columns + parameters.ridge * np.eye(columns.shape[1]), columns.T @ wanted
            )

        explained = (solve(features) ** 2 * (features**2).sum(0)).reshape(2, -1).sum(0)
        kept = np.sort(np.argsort(-explained, kind="stable")[: parameters.neighbours])
        weights = solve(features[:, np.concatenate([kept, kept + len(chosen)])])
        scales = np.maximum(known.sum(1), 1.0) ** -parameters.exponent
        for weight, rated_weight, movie in zip(weights[: len(kept)], weights[len(kept) :], chosen[kept], strict=True):
            told = weight * residuals[:, movie] + rated_weight * known[:, movie]
            predicted[:, target] += scales * told
    return np.clip(predicted, stars.data.min(), stars.data.max())


@pytest.mark.parametrize("share", [0.15, 0.5])  # both ways to solve: fewer raters than features, and more
def test_predictions_are_those_of_brute_force(share: float) -> None:
    stars = draw_ratings(share=share)
    users, movies = all_pairs(stars)
    predicted = fit_stars(stars, PARAMETERS).predict(known_of(stars), users, movies).stars
    np.testing.assert_allclose(predicted, brute_force(stars, PARAMETERS).ravel(), atol=1e-4)


def test_tastes_are_found_that_the_baseline_cannot_know() -> None:
    stars = draw_ratings(users=300, movies=40)
    hidden = np.random.default_rng(2).random(stars.nnz) < 0.2
    users = np.repeat(np.arange(300), np.diff(stars.indptr))
    shown = csr_array((stars.data[~hidden], (users[~hidden], stars.indices[~hidden])), shape=stars.shape)
    shown.sort_indices()
    pairs = users[hidden], stars.indices[hidden].astype(np.int64)
    model = fit_stars(shown, StarsParameters(neighbours=10))
    without = fit_stars(shown, targets=np.empty(0, dtype=np.int64))
    assert (without.neighbours == -1).all()
    errors = model.predict(known_of(shown), *pairs).stars - stars.data[hidden]
    baseline_errors = without.predict(known_of(shown), *pairs).stars - stars.data[hidden]
    assert np.sqrt((errors**2).mean()) < 0.8 * np.sqrt((baseline_errors**2).mean())


def test_raters_beyond_the_most_are_left_out_evenly() -> None:
    stars = draw_ratings(users=400, movies=12)
    users, movies = all_pairs(stars)
    whole = fit_stars(stars, StarsParameters(neighbours=12)).predict(known_of(stars), users, movies).stars
    most = int(np.bincount(stars.indices).max())
    same = fit_stars(stars, StarsParameters(neighbours=12, raters=most)).predict(known_of(stars), users, movies).stars
    fewer = fit_stars(stars, StarsParameters(neighbours=12, raters=80)).predict(known_of(stars), users, movies).stars
    assert np.array_equal(same, whole)
    assert 0 < np.abs(fewer - whole).mean() < 0.15


def test_what_is_not_known_is_uncertain() -> None:
    stars = csr_array(np.vstack([draw_ratings().toarray(), np.zeros((1, 25), dtype=np.float32)]))
    model = fit_stars(stars, PARAMETERS)
    heaviest = int(np.argmax(np.diff(stars.indptr)))
    users, movies = np.array([heaviest, 60]), np.array([3, 3])
    predicted = model.predict(known_of(stars), users, movies)
    known, unknown = predicted.deviation
    assert model.spread[3] <= known < unknown
    own = model.baseline.features[3]
    prior = (own**2 / np.diag(RIDGES)).sum()
    assert unknown == pytest.approx(np.sqrt(model.spread[3] ** 2 + model.noise * prior))
    # Of a user without ratings the movie's mean is all there is.
    assert predicted.stars[1] == pytest.approx(model.baseline.mean + model.baseline.movie_bias[3])


def test_only_what_was_rated_before_a_moment_is_known_at_it() -> None:
    stars = draw_ratings()
    at = np.random.default_rng(3).permutation(stars.nnz).astype(np.int64)
    model = fit_stars(stars, replace(PARAMETERS, half_life=0.03))
    moment = int(np.median(at))
    earlier = Interactions(stars, at).select(at < moment)
    pairs = all_pairs(stars)
    moments = np.full(len(pairs[0]), moment)
    told = model.predict(Interactions(stars, at), *pairs, moments)
    of_earlier = model.predict(earlier, *pairs, moments)
    np.testing.assert_allclose(told.stars, of_earlier.stars)
    np.testing.assert_allclose(told.deviation, of_earlier.deviation)
    assert np.abs(told.stars - model.predict(Interactions(stars, at), *pairs).stars).max() > 0.1


def test_what_is_left_of_the_newest_ratings_is_added_and_fades() -> None:
    stars = draw_ratings()
    at = np.arange(stars.nnz, dtype=np.int64) * 500
    parameters = replace(PARAMETERS, half_life=2.0, newest_ridge=4.0)
    model, still = fit_stars(stars, parameters), fit_stars(stars, PARAMETERS)
    known, user = Interactions(stars, at), np.array([7, 7, 7])
    own = slice(stars.indptr[7], stars.indptr[8])
    later = at[own].max() + np.array([1, 2_001, 10**9])
    gains = model.predict(known, user, np.array([2, 2, 2]), later).stars
    gains -= still.predict(known, user, np.array([2, 2, 2]), later).stars
    habits, _ = model.baseline.learn_habits(stars)
    left = model.baseline.residuals(stars, habits)[own]
    weights = 2.0 ** -((later[:, None] - at[own]) / 2000)
    np.testing.assert_allclose(gains, (weights * left).sum(1) / (weights.sum(1) + 4), atol=1e-5)
    assert abs(gains[0]) > 0.02
    assert gains[2] == pytest.approx(0, abs=1e-9)


def test_what_few_ratings_tell_of_a_movie_is_uncertain() -> None:
    """Predictions of rarely rated movies are further off, and the interval holds as many of them as of the others."""
    rng = np.random.default_rng(6)
    liking = 3 + rng.normal(0, 0.3, (400, 1)) + rng.normal(0, 0.6, 300)[None, :] + rng.normal(0, 0.5, (400, 300))
    rated = rng.random((400, 300)) < np.where(np.arange(300) < 200, 0.004, 0.3)
    stars = csr_array(np.where(rated, np.clip(liking, 0.5, 5), 0).astype(np.float32))
    model = fit_stars(stars, StarsParameters(neighbours=10))
    users, movies = (axis.ravel() for axis in np.nonzero(~rated))
    predicted = model.predict(known_of(stars), users, movies)
    inside = np.abs(predicted.stars - np.clip(liking, 0.5, 5)[users, movies]) <= 1.2816 * predicted.deviation
    rare, often = inside[movies < 200].mean(), inside[movies >= 200].mean()
    assert rare > often - 0.06


@pytest.mark.parametrize("raters", [4, 5])
def test_a_movie_has_neighbours_once_enough_rated_it(raters: int) -> None:
    stars = draw_ratings().toarray()
    stars[raters:, 3] = 0
    stars[:raters, 3] = np.arange(raters) % 4 + 1
    model = fit_stars(csr_array(stars), PARAMETERS)
    assert (model.neighbours[3] >= 0).any() == (raters >= PARAMETERS.least_raters)
    assert (np.delete(model.neighbours, 3, axis=0) >= 0).any(axis=1).all()
    assert 0.8 * model.unseen_spread < model.spread[3] < 2 * model.unseen_spread


def test_a_movie_without_ratings_has_no_neighbours_and_no_bias() -> None:
    stars = csr_array(np.hstack([draw_ratings().toarray(), np.zeros((60, 1), dtype=np.float32)]))
    model = fit_stars(stars, PARAMETERS)
    assert (model.neighbours[25] == -1).all()
    assert model.baseline.movie_bias[25] == 0
    assert model.baseline.popularity[25] == pytest.approx(np.median(model.baseline.popularity[:25]), abs=1e-2)
    assert model.baseline.unseen_popularity == pytest.approx(np.median(model.baseline.popularity[:25]))
    assert model.spread[25] == pytest.approx(model.unseen_spread)
    assert not (model.neighbours == 25).any()


def test_nothing_to_fit_is_told() -> None:
    with pytest.raises(ValueError, match="no ratings"):
        fit_stars(csr_array((3, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="ridges"):
        StarsParameters(ridge=0)
    with pytest.raises(ValueError, match="ridges"):
        BaselineParameters(scale_ridge=0)
    with pytest.raises(ValueError, match="half-lives"):
        StarsParameters(half_life=0)
    with pytest.raises(ValueError, match="at least 1"):
        StarsParameters(neighbours=0)


def test_the_baseline_knows_habits_without_tastes() -> None:
    """Where users only shift, stretch and tilt the same ratings, it explains them, but for what it is drawn to zero."""
    rng = np.random.default_rng(3)
    rated = rng.random((200, 150)) < rng.uniform(0.1, 0.9, 150)
    popularity = np.log(rated.sum(0))
    popularity = (popularity - popularity.mean()) / popularity.std()
    bias = rng.normal(0, 0.5, 150)
    expected = 3 + rng.normal(0, 0.5, (200, 1)) + (1 + rng.normal(0, 0.4, (200, 1))) * bias
    expected += rng.normal(0, 0.3, (200, 1)) * popularity
    stars = csr_array(np.where(rated, expected, 0).astype(np.float32))

    def left(scale_ridge: float, popularity_ridge: float) -> float:
        baseline = fit_baseline(stars, BaselineParameters(1.0, scale_ridge, popularity_ridge, 1.0))
        return float(np.sqrt(np.square(baseline.residuals(stars, baseline.learn_habits(stars)[0])).mean()))

    assert left(0.5, 0.5) < 0.04
    assert left(1e9, 0.5) > 0.15
    assert left(0.5, 1e9) > 0.15


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 1000), st.floats(0, 1))
def test_predictions_stay_on_the_scale(users: int, movies: int, seed: int, share: float) -> None:
    stars = draw_ratings(users, movies, seed, share)
    if stars.nnz == 0:
        return
    model: StarsModel = fit_stars(stars, PARAMETERS)
    predicted = model.predict(known_of(stars), *all_pairs(stars)).stars
    assert np.isfinite(predicted).all()
    assert predicted.min() >= stars.data.min()
    assert predicted.max() <= stars.data.max()
    assert (model.neighbours != np.arange(movies)[:, None]).all()
