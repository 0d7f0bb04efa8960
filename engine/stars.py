"""Predicted stars: a baseline, and for each movie one ridge regression over its raters' ratings of other movies.

The neighbourhood model of Koren 2008 (Factorization Meets the Neighborhood, equation 10), which he fits by gradient
descent: a target's features are the residuals of its neighbours and whether they were rated at all, both scaled by
(ratings of the user)^-alpha. Only users who rated the target are learned from, so each target has an exact solution.
The user's bias moves with time (Koren 2009, Collaborative Filtering with Temporal Dynamics), where that helps: what the
habits leave of the user's newest ratings is added, and fades.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engine.interactions import Interactions
from engine.kernels import Floats, Integers
from engine.star_baseline import Baseline, BaselineParameters, fit_baseline
from engine.star_kernels import Doubles, leave_out, sum_contributions, sum_histories
from engine.star_regressions import Residuals, fit_target
from graph.serving_rule import NEIGHBOURS

# Ratings of an average movie that a movie's own spread is drawn towards.
SPREAD_SHRINKAGE = 20
# Later than all ratings by so much that none is new, in milliseconds.
NEVER = 2**60


@dataclass(frozen=True)
class StarsParameters:
    """What the fit depends on; `engine/star_choice.py` chooses them on the ratings at hand, from these on.

    Raises ValueError for a value that leaves nothing to fit.
    """

    baseline: BaselineParameters = field(default_factory=BaselineParameters)
    neighbours: int = NEIGHBOURS  # K: STARS edges out of a movie
    candidates: int = 150  # movies that a target's first regression looks at
    ridge: float = 8.0
    exponent: float = 0.3  # alpha: how much less each rating of a long history counts
    half_life: float | None = None  # seconds in which a rating's part in the newest bias halves; None: there is none
    newest_ridge: float = 10.0  # ratings of 0 that the newest bias is drawn towards
    raters: int = 4000  # of a target that are learned from, at most
    least_raters: int = 5  # of a target; one with fewer has no neighbours

    def __post_init__(self) -> None:
        if min(self.neighbours, self.candidates, self.raters, self.least_raters) < 1:
            raise ValueError("neighbours, candidates and numbers of raters must be at least 1")
        if min(self.ridge, self.newest_ridge) <= 0 or (self.half_life is not None and self.half_life <= 0):
            raise ValueError("ridges and half-lives must be positive")


@dataclass(frozen=True)
class Predicted:
    """Stars of each pair, and how far off they are thought to be: up to a factor, a standard deviation."""

    stars: Doubles
    deviation: Doubles


@dataclass(frozen=True)
class StarsModel:
    """A fitted model.

    `neighbours`, `weights`, `rated_weights`: movies x K, neighbours -1 where there are fewer. `spread`: standard
    deviation of each movie's ratings from what is predicted, `unseen_spread` that of a movie the fit has not seen.
    `noise`: mean square of what the baseline leaves. `low`, `high`: the scale.
    """

    parameters: StarsParameters
    baseline: Baseline
    neighbours: Integers
    weights: Floats
    rated_weights: Floats
    spread: Floats
    unseen_spread: float
    noise: float
    low: float
    high: float

    def predict(
        self, known: Interactions, users: Integers, movies: Integers, moments: Integers | None = None
    ) -> Predicted:
        """Stars for pairs of a row and a column, from what the users are known to have rated before each pair's moment.

        Moments are in milliseconds since 1970. Without them all that is known counts, and nothing of it is new.
        """
        moments = np.full(len(users), NEVER) if moments is None else moments
        # Whoever is asked about many movies at one moment has one history.
        histories, history_of = np.unique(np.stack([users, moments]), axis=1, return_inverse=True)
        habits, inverses, gains, scales = self._learn_users(known, *histories)
        features = self.baseline.features
        tastes = sum_contributions(
            (users, movies, moments),
            (known.stars.indptr, known.stars.indices, known.stars.data, known.at),
            (self.baseline.offsets, features, habits[history_of]),
            (self.neighbours, self.weights, self.rated_weights),
        )
        asked = features[movies].astype(np.float64)
        expected = self.baseline.offsets[movies] + (asked * habits[history_of]).sum(axis=1) + gains[history_of]
        unknown = self.noise * np.einsum("pj,pjk,pk->p", asked, inverses[history_of], asked)
        deviation = np.sqrt(self.spread[movies].astype(np.float64) ** 2 + unknown)
        return Predicted(np.clip(expected + scales[history_of] * tastes, self.low, self.high), deviation)

    def _learn_users(
        self, known: Interactions, users: Integers, moments: Integers
    ) -> tuple[Doubles, Doubles, Doubles, Floats]:
        """Of users before a moment: habits, the inverses of their systems, the newest bias, the features' scale."""
        parameters = self.parameters
        systems, told, newest = sum_histories(
            users,
            moments,
            (known.stars.indptr, known.stars.indices, known.stars.data, known.at),
            self.baseline.offsets,
            self.baseline.features,
            1000 * (parameters.half_life or 1.0),
        )
        habits, inverses = parameters.baseline.solve(systems, told)
        gains = (newest[:, -1] - (habits * newest[:, :-1]).sum(axis=1)) / (newest[:, 0] + parameters.newest_ridge)
        if parameters.half_life is None:
            gains[:] = 0
        return habits, inverses, np.asarray(gains), scale_users(systems[:, 0, 0], parameters.exponent)


def fit_stars(
    stars: csr_array,
    parameters: StarsParameters = StarsParameters(),
    progress: Callable[[float], object] = lambda _: None,
    targets: Integers | None = None,
) -> StarsModel:
    """Fit ratings (users x movies, columns ascending in each row). `progress` is told the shares of the work.

    `targets`: the movies that get neighbours; all of them if not given.
    """
    if stars.nnz == 0:
        raise ValueError("there are no ratings to fit")
    baseline = fit_baseline(stars, parameters.baseline)
    told = _leave_residuals(stars, baseline, parameters)
    # Without neighbours, what the baseline leaves for a rater left out is the error.
    left_out = leave_out(*told.rows, told.effects, told.inverses).astype(np.float64)
    counts = np.bincount(stars.indices, minlength=stars.shape[1])
    errors = np.bincount(stars.indices, left_out**2, stars.shape[1]) / np.maximum(counts, 1)
    wanted = np.arange(stars.shape[1]) if targets is None else targets
    wanted = wanted[counts[wanted] >= parameters.least_raters]
    neighbours, weights, rated_weights = _fit_regressions(told, wanted, parameters, errors, progress)
    movie_spread = float(baseline.movie_bias[counts > 0].std())
    # The last one is of a movie without ratings.
    spread = _spread(np.append(errors, 0), np.append(counts, 0), movie_spread, parameters.baseline.movie_ridge)
    return StarsModel(
        parameters,
        baseline,
        neighbours,
        weights,
        rated_weights,
        spread=spread[:-1],
        unseen_spread=float(spread[-1]),
        noise=float(np.square(told.rows[2]).mean(dtype=np.float64)),
        low=float(stars.data.min()),
        high=float(stars.data.max()),
    )


def _leave_residuals(stars: csr_array, baseline: Baseline, parameters: StarsParameters) -> Residuals:
    """What the baseline leaves of the ratings, by users and by movies."""
    habits, inverses = baseline.learn_habits(stars)
    residuals = csr_array((baseline.residuals(stars, habits), stars.indices, stars.indptr), shape=stars.shape)
    columns = residuals.tocsc()
    return Residuals(
        rows=(stars.indptr, stars.indices, np.asarray(residuals.data, dtype=np.float32)),
        columns=(columns.indptr, columns.indices, np.asarray(columns.data, dtype=np.float32)),
        # Of the ratings of those who rated the target, the target's own is none of the history.
        scales=scale_users(np.diff(stars.indptr) - 1, parameters.exponent),
        effects=baseline.features,
        inverses=inverses,
    )


def _fit_regressions(
    told: Residuals,
    targets: Integers,
    parameters: StarsParameters,
    errors: Doubles,
    progress: Callable[[float], object],
) -> tuple[Integers, Floats, Floats]:
    """Each movie's neighbours, weights and weights of having rated (movies x K); sets the targets' `errors`."""
    neighbours = np.full((len(errors), parameters.neighbours), -1, dtype=np.int64)
    weights, rated_weights = np.zeros((2, *neighbours.shape), dtype=np.float32)
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
        for target, found in zip(targets.tolist(), pool.map(fit, targets.tolist()), strict=True):
            if found is not None:
                count = len(found.neighbours)
                neighbours[target, :count] = found.neighbours
                weights[target, :count], rated_weights[target, :count] = found.weights, found.rated_weights
                errors[target] = found.error
            progress(1 / len(targets))
    return neighbours, weights, rated_weights


def scale_users(ratings: NDArray[np.number], exponent: float) -> Floats:
    """What each feature of a user with so many ratings counts."""
    return np.asarray(np.maximum(ratings, 1).astype(np.float32) ** np.float32(-exponent), dtype=np.float32)


def _spread(errors: Doubles, ratings: NDArray[np.integer], movie_spread: float, movie_ridge: float) -> Floats:
    """Standard deviation of each movie's ratings from what is predicted: errors, and what is not known of its bias.

    `errors`: mean squared ones, of few ratings drawn towards that of all. `movie_spread`: of the biases.
    """
    common = np.average(errors, weights=ratings)
    variance = (ratings * errors + SPREAD_SHRINKAGE * common) / (ratings + SPREAD_SHRINKAGE)
    unknown = movie_spread**2 * movie_ridge / (movie_ridge + ratings)
    return np.asarray(np.sqrt(variance + unknown), dtype=np.float32)
