"""Predicted stars against brute force, and what any model of them must hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from engine.stars import StarsModel, StarsParameters, fit_baseline, fit_stars

PARAMETERS = StarsParameters(neighbours=6, candidates=9, ridge=2.0, exponent=0.4)


def draw_ratings(users: int = 60, movies: int = 25, seed: int = 1, share: float = 0.4) -> csr_array:
    """Users of two tastes, who rate each kind of movie otherwise."""
    rng = np.random.default_rng(seed)
    tastes, kinds = rng.integers(0, 2, users), rng.integers(0, 2, movies)
    liking = np.where(tastes[:, None] == kinds[None, :], 4.2, 2.2) + rng.normal(0, 0.4, (users, movies))
    stars = np.clip(np.rint(liking * 2) / 2, 0.5, 5).astype(np.float32)
    return csr_array(np.where(rng.random((users, movies)) < share, stars, 0))


def all_pairs(stars: csr_array) -> tuple[np.ndarray, np.ndarray]:
    users, movies = np.indices(stars.shape)
    return users.ravel(), movies.ravel()


def brute_force(stars: csr_array, parameters: StarsParameters) -> np.ndarray:
    """Predictions for all pairs, by dense algebra and plain loops."""
    ratings, known = stars.toarray().astype(np.float64), stars.toarray() > 0
    mean = ratings[known].mean()
    movie_bias = np.zeros(stars.shape[1])
    for _ in range(10):
        user_bias = np.where(known, ratings - mean - movie_bias, 0).sum(1) / (known.sum(1) + parameters.user_ridge)
        rest = np.where(known, ratings - mean - user_bias[:, None], 0)
        movie_bias = rest.sum(0) / (known.sum(0) + parameters.movie_ridge)
    user_bias = np.where(known, ratings - mean - movie_bias, 0).sum(1) / (known.sum(1) + parameters.user_ridge)
    expected = mean + user_bias[:, None] + movie_bias[None, :]
    residuals = np.where(known, ratings - expected, 0)
    predicted = expected.copy()
    for target in range(stars.shape[1]):
        raters = np.flatnonzero(known[:, target])
        shared = known[raters].sum(0)
        shared[target] = 0
        best = np.sort(np.argsort(-shared, kind="stable")[: parameters.candidates])
        chosen = best[shared[best] > 0]
        scale = np.maximum(known[raters].sum(1) - 1.0, 1) ** -parameters.exponent
        # As if none of the raters had rated the target: their biases, too.
        hidden = np.where(np.arange(stars.shape[1]) == target, False, known[raters])
        rest = np.where(hidden, ratings[raters] - mean - movie_bias, 0).sum(1)
        other_bias = rest / (hidden.sum(1) + parameters.user_ridge)
        left = ratings[raters] - mean - other_bias[:, None] - movie_bias[None, :]
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
    predicted = fit_stars(stars, PARAMETERS).predict(stars, users, movies)
    np.testing.assert_allclose(predicted, brute_force(stars, PARAMETERS).ravel(), atol=1e-4)


def test_tastes_are_found_that_the_baseline_cannot_know() -> None:
    stars = draw_ratings(users=300, movies=40)
    hidden = np.random.default_rng(2).random(stars.nnz) < 0.2
    users = np.repeat(np.arange(300), np.diff(stars.indptr))
    shown = csr_array((stars.data[~hidden], (users[~hidden], stars.indices[~hidden])), shape=stars.shape)
    shown.sort_indices()
    pairs = users[hidden], stars.indices[hidden].astype(np.int64)
    model = fit_stars(shown, StarsParameters(neighbours=10))
    errors = model.predict(shown, *pairs) - stars.data[hidden]
    baseline_errors = model.predict_baseline(shown, *pairs) - stars.data[hidden]
    assert np.sqrt((errors**2).mean()) < 0.6 * np.sqrt((baseline_errors**2).mean())


def test_raters_beyond_the_most_are_left_out_evenly() -> None:
    stars = draw_ratings(users=400, movies=12)
    users, movies = all_pairs(stars)
    whole = fit_stars(stars, StarsParameters(neighbours=12)).predict(stars, users, movies)
    most = int(np.bincount(stars.indices).max())
    same = fit_stars(stars, StarsParameters(neighbours=12, raters=most)).predict(stars, users, movies)
    fewer = fit_stars(stars, StarsParameters(neighbours=12, raters=80)).predict(stars, users, movies)
    assert np.array_equal(same, whole)
    assert 0 < np.abs(fewer - whole).mean() < 0.15


def test_what_is_not_known_is_uncertain() -> None:
    stars = csr_array(np.vstack([draw_ratings().toarray(), np.zeros((1, 25), dtype=np.float32)]))
    model = fit_stars(stars, PARAMETERS)
    heaviest = int(np.argmax(np.diff(stars.indptr)))
    users, movies = np.array([heaviest, 60]), np.array([3, 3])
    known, unknown = model.deviation(stars, users, movies)
    assert model.spread[3] <= known < unknown
    # Of a user without ratings the movie's mean is all there is.
    assert model.predict(stars, users, movies)[1] == pytest.approx(model.baseline.mean + model.baseline.movie_bias[3])


def test_what_few_ratings_tell_of_a_movie_is_uncertain() -> None:
    """Predictions of rarely rated movies are further off, and the interval holds as many of them as of the others."""
    rng = np.random.default_rng(6)
    liking = 3 + rng.normal(0, 0.3, (400, 1)) + rng.normal(0, 0.6, 300)[None, :] + rng.normal(0, 0.5, (400, 300))
    rated = rng.random((400, 300)) < np.where(np.arange(300) < 200, 0.004, 0.3)
    stars = csr_array(np.where(rated, np.clip(liking, 0.5, 5), 0).astype(np.float32))
    model = fit_stars(stars, StarsParameters(neighbours=10))
    users, movies = (axis.ravel() for axis in np.nonzero(~rated))
    inside = np.abs(model.predict(stars, users, movies) - np.clip(liking, 0.5, 5)[users, movies])
    inside = inside <= 1.2816 * model.deviation(stars, users, movies)
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
    assert model.spread[25] == pytest.approx(model.unseen_spread)
    assert not (model.neighbours == 25).any()


def test_nothing_to_fit_is_told() -> None:
    with pytest.raises(ValueError, match="no ratings"):
        fit_stars(csr_array((3, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="ridges"):
        StarsParameters(ridge=0)
    with pytest.raises(ValueError, match="at least 1"):
        StarsParameters(neighbours=0)


def test_the_baseline_needs_no_taste() -> None:
    """Where all users and movies only shift the same ratings, it explains them, but for what it is drawn to zero."""
    rng = np.random.default_rng(3)
    expected = 3 + rng.normal(0, 0.5, (200, 1)) + rng.normal(0, 0.5, (1, 150))
    stars = csr_array(expected.astype(np.float32))
    residuals = fit_baseline(stars, 1.0, 1.0).residuals(stars)
    assert np.sqrt((residuals**2).mean()) < 0.02


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 1000), st.floats(0, 1))
def test_predictions_stay_on_the_scale(users: int, movies: int, seed: int, share: float) -> None:
    stars = draw_ratings(users, movies, seed, share)
    if stars.nnz == 0:
        return
    model: StarsModel = fit_stars(stars, PARAMETERS)
    predicted = model.predict(stars, *all_pairs(stars))
    assert np.isfinite(predicted).all()
    assert predicted.min() >= stars.data.min()
    assert predicted.max() <= stars.data.max()
    assert (model.neighbours != np.arange(movies)[:, None]).all()
