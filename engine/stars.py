"""Predicted stars: a baseline, and for each movie one ridge regression over its raters' ratings of other movies.

The neighbourhood model of Koren 2008 (Factorization Meets the Neighborhood, equation 10), which he fits by gradient
descent: a target's features are the residuals of its neighbours and whether they were rated at all, both scaled by
(ratings of the user)^-alpha. Only users who rated the target are learned from, so each target has an exact solution.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engine.star_kernels import sum_contributions
from engine.star_regressions import Residuals, fit_target

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

BASELINE_ROUNDS = 10
# Ratings of an average movie that a movie's own spread is drawn towards.
SPREAD_SHRINKAGE = 20
# A rater left out of a movie's regression, but not of the choice of its neighbours, makes the error look smaller: so
# much, for four of five ratings of the sample's folds to be within the interval (docs/evaluation.md).
CHOICE_FACTOR = 1.09


@dataclass(frozen=True)
class StarsParameters:
    """What the fit depends on; the defaults were chosen on two of the folds that docs/evaluation.md measures.

    Raises ValueError for a value that leaves nothing to fit.
    """

    neighbours: int = 50  # K: STARS edges out of a movie
    candidates: int = 300  # movies that a target's first regression looks at
    ridge: float = 4.0
    exponent: float = 0.3  # alpha: how much less each rating of a long history counts
    popularity_exponent: float = 0.0  # how much popular movies are held back as candidates
    user_ridge: float = 5.0  # ratings of 0 that each user's bias is drawn towards
    movie_ridge: float = 3.0  # the same for movies
    raters: int = 4000  # of a target that are learned from, at most
    least_raters: int = 5  # of a target; one with fewer has no neighbours

    def __post_init__(self) -> None:
        if min(self.neighbours, self.candidates, self.raters, self.least_raters) < 1:
            raise ValueError("neighbours, candidates and numbers of raters must be at least 1")
        if min(self.ridge, self.user_ridge, self.movie_ridge) <= 0:
            raise ValueError("ridges must be positive")


@dataclass(frozen=True)
class Baseline:
    """What is expected before anything is known of tastes: `mean` + the user's bias + `movie_bias`, in stars."""

    mean: float
    movie_bias: Floats
    user_ridge: float

    def user_bias(self, stars: csr_array) -> Floats:
        """Biases of users from what they rated (users x movies)."""
        rest = csr_array((stars.data - self.mean - self.movie_bias[stars.indices], stars.indices, stars.indptr))
        return _shrunk_mean(rest.sum(axis=1), np.diff(stars.indptr), self.user_ridge)

    def residuals(self, stars: csr_array) -> Floats:
        """What the baseline leaves of each stored rating, in their order."""
        expected = np.repeat(self.user_bias(stars), np.diff(stars.indptr)) + self.movie_bias[stars.indices]
        return (stars.data - np.float32(self.mean) - expected).astype(np.float32)


@dataclass(frozen=True)
class StarsModel:
    """A fitted model.

    `neighbours`, `weights`, `rated_weights`: movies x K, neighbours -1 where there are fewer. `spread`: standard
    deviation of each movie's ratings from what is predicted, `unseen_spread` that of a movie the fit has not seen.
    `user_spread`: of the users' biases. `low`, `high`: the scale.
    """

    parameters: StarsParameters
    baseline: Baseline
    neighbours: Integers
    weights: Floats
    rated_weights: Floats
    spread: Floats
    unseen_spread: float
    user_spread: float
    low: float
    high: float

    def predict(self, stars: csr_array, users: Integers, movies: Integers) -> NDArray[np.float64]:
        """Stars for pairs of a row and a column of `stars`, which has what the users are known to have rated."""
        scales = scale_users(np.diff(stars.indptr), self.parameters.exponent)
        rows = (stars.indptr, stars.indices, self.baseline.residuals(stars))
        expected = self.predict_baseline(stars, users, movies)
        tastes = sum_contributions(users, movies, rows, scales, self.neighbours, self.weights, self.rated_weights)
        return np.clip(expected + tastes, self.low, self.high)

    def predict_baseline(self, stars: csr_array, users: Integers, movies: Integers) -> NDArray[np.float64]:
        """The same without neighbours, and not held to the scale."""
        expected = self.baseline.user_bias(stars)[users] + self.baseline.movie_bias[movies]
        return expected.astype(np.float64) + self.baseline.mean

    def deviation(self, stars: csr_array, users: Integers, movies: Integers) -> NDArray[np.float64]:
        """Standard deviation of the same predictions: the movie's spread and what is not known of the user."""
        ratings = np.diff(stars.indptr)[users]
        unknown = self.user_spread**2 * self.baseline.user_ridge / (self.baseline.user_ridge + ratings)
        return np.sqrt(self.spread[movies].astype(np.float64) ** 2 + unknown)


def fit_baseline(stars: csr_array, user_ridge: float, movie_ridge: float) -> Baseline:
    """Biases that explain the ratings (users x movies) best, regularised, users and movies by turns."""
    mean = float(stars.data.mean(dtype=np.float64))
    counts = np.bincount(stars.indices, minlength=stars.shape[1])
    baseline = Baseline(mean, np.zeros(stars.shape[1], dtype=np.float32), user_ridge)
    lengths = np.diff(stars.indptr)
    for _ in range(BASELINE_ROUNDS):
        rest = stars.data - np.float32(mean) - np.repeat(baseline.user_bias(stars), lengths)
        sums = np.bincount(stars.indices, weights=rest, minlength=stars.shape[1])
        baseline = Baseline(mean, _shrunk_mean(sums, counts, movie_ridge), user_ridge)
    return baseline


def fit_stars(
    stars: csr_array,
    parameters: StarsParameters = StarsParameters(),
    progress: Callable[[float], object] = lambda _: None,
) -> StarsModel:
    """Fit ratings (users x movies, columns ascending in each row). `progress` is told the shares of the work."""
    if stars.nnz == 0:
        raise ValueError("there are no ratings to fit")
    baseline = fit_baseline(stars, parameters.user_ridge, parameters.movie_ridge)
    residuals = csr_array((baseline.residuals(stars), stars.indices, stars.indptr), shape=stars.shape)
    neighbours, weights, rated_weights, errors = _fit_regressions(residuals, parameters, progress)
    counts = np.bincount(stars.indices, minlength=stars.shape[1])
    movie_spread = float(baseline.movie_bias[counts > 0].std())
    # The last one is of a movie without ratings.
    spread = _spread(np.append(errors, 0), np.append(counts, 0), movie_spread, parameters.movie_ridge)
    return StarsModel(
        parameters,
        baseline,
        neighbours,
        weights,
        rated_weights,
        spread=spread[:-1],
        unseen_spread=float(spread[-1]),
        user_spread=float(baseline.user_bias(stars).std()),
        low=float(stars.data.min()),
        high=float(stars.data.max()),
    )


def _fit_regressions(
    residuals: csr_array, parameters: StarsParameters, progress: Callable[[float], object]
) -> tuple[Integers, Floats, Floats, Floats]:
    """Each movie's neighbours, weights, weights of having rated, and error: movies x K, and movies."""
    columns, movies = residuals.tocsc(), residuals.shape[1]
    neighbours = np.full((movies, parameters.neighbours), -1, dtype=np.int64)
    weights, rated_weights = np.zeros((2, *neighbours.shape), dtype=np.float32)
    # Of the ratings of those who rated the target, the target's own is none of the history, nor of the user's bias.
    others = np.diff(residuals.indptr) - 1
    left_out = (1 / (np.maximum(others, 0) + parameters.user_ridge)).astype(np.float32)
    rated = np.diff(columns.indptr)
    told = Residuals(
        rows=(residuals.indptr, residuals.indices, residuals.data),
        columns=(columns.indptr, columns.indices, columns.data),
        scales=scale_users(others, parameters.exponent),
        left_out=left_out,
        popularity=np.maximum(rated, 1).astype(np.float32) ** np.float32(parameters.popularity_exponent),
    )
    # Without neighbours, what the baseline leaves for a rater left out is the error.
    squares = (residuals.data * (1 + np.repeat(left_out, others + 1))) ** 2
    errors = _shrunk_mean(np.bincount(residuals.indices, squares, movies), np.maximum(rated, 1), 0)
    targets = np.flatnonzero(rated >= parameters.least_raters).tolist()

    fit = partial(
        fit_target,
        told,
        raters=parameters.raters,
        candidates=parameters.candidates,
        neighbours=parameters.neighbours,
        ridge=parameters.ridge,
    )
    # Each regression is one thread's.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(get_num_threads()) as pool:
        for target, found in zip(targets, pool.map(fit, targets), strict=True):
            if found is not None:
                count = len(found.neighbours)
                neighbours[target, :count] = found.neighbours
                weights[target, :count], rated_weights[target, :count] = found.weights, found.rated_weights
                errors[target] = found.error
            progress(1 / len(targets))
    return neighbours, weights, rated_weights, errors


def scale_users(ratings: NDArray[np.integer], exponent: float) -> Floats:
    """What each feature of a user with so many ratings counts."""
    return np.asarray(np.maximum(ratings, 1).astype(np.float32) ** np.float32(-exponent), dtype=np.float32)


def _shrunk_mean(sums: NDArray[np.number], counts: NDArray[np.integer], ridge: float) -> Floats:
    return np.asarray(sums / (counts + ridge), dtype=np.float32)


def _spread(errors: Floats, ratings: NDArray[np.integer], movie_spread: float, movie_ridge: float) -> Floats:
    """Standard deviation of each movie's ratings from what is predicted: errors, and what is not known of its bias.

    `errors`: mean squared ones, of few ratings drawn towards that of all. `movie_spread`: of the biases.
    """
    common = np.average(errors.astype(np.float64), weights=ratings)
    variance = (ratings * errors + SPREAD_SHRINKAGE * common) / (ratings + SPREAD_SHRINKAGE)
    unknown = movie_spread**2 * movie_ridge / (movie_ridge + ratings)
    return np.asarray(np.sqrt(CHOICE_FACTOR**2 * variance + unknown), dtype=np.float32)
