"""The regressions of predicted stars, compiled by numba; each target is one thread's."""

import numpy as np
import scipy.linalg.cython_lapack  # noqa: F401  as in engine.kernels
from numba import njit, prange
from numpy.typing import NDArray

from engine.kernels import Floats, Indices, Integers


@njit(nogil=True, cache=True)
def fit_targets(
    targets: Integers,
    rows: tuple[Indices, Indices, Floats],
    columns: tuple[Indices, Indices, Floats],
    scales: Floats,
    left_out: Floats,
    popularity: Floats,
    raters: int,
    candidates: int,
    ridge: np.float32,
    neighbours: Integers,
    weights: Floats,
    rated_weights: Floats,
    errors: Floats,
) -> None:
    """For each target the neighbours that explain its raters' residuals best, written into its rows of the last four.

    Threads may call it side by side: it is compiled in half the time that numba takes for threads of its own.

    `rows`, `columns`: the residuals as CSR (users x movies) and as CSC: pointers, indices, values. `scales`: of each
    user's features. `left_out`: of each user, what share of a rating's residual all the user's residuals gain where the
    user's bias is made without that rating. `popularity`: what a candidate's shared raters are divided by.
    `neighbours`, `weights`, `rated_weights`: targets x K, -1 where there are fewer. `errors`: mean squared error for a
    rater left out; a target without neighbours keeps what it has.
    """
    indptr, indices, residuals = rows
    column_indptr, column_users, column_residuals = columns
    movies = len(popularity)
    for target in targets:
        begin = column_indptr[target]
        rated = column_indptr[target + 1] - begin
        count = min(rated, raters)
        shared = np.zeros(movies, dtype=np.float32)
        for rater in range(count):
            user = column_users[begin + rater * rated // count]  # evenly spread where there are too many
            for position in range(indptr[user], indptr[user + 1]):
                shared[indices[position]] += 1
        shared[target] = 0
        chosen = _largest(shared / popularity, candidates)
        width = len(chosen)
        if width == 0:
            continue
        column_of = np.full(movies, -1, dtype=np.int64)
        column_of[chosen] = np.arange(width)
        features = np.zeros((count, 2 * width), dtype=np.float32)
        wanted = np.empty(count, dtype=np.float32)
        for rater in range(count):
            own = begin + rater * rated // count
            user = column_users[own]
            shift = column_residuals[own] * left_out[user]  # the target's own rating is none of the user's history
            wanted[rater] = column_residuals[own] + shift
            for position in range(indptr[user], indptr[user + 1]):
                column = column_of[indices[position]]
                if column >= 0:
                    features[rater, column] = (residuals[position] + shift) * scales[user]
                    features[rater, width + column] = scales[user]
        solved = _solve_ridge(features, wanted, ridge)
        explained = solved * solved * (features * features).sum(axis=0)
        kept = _largest(explained[:width] + explained[width:], neighbours.shape[1])
        if len(kept) < width:
            features = np.ascontiguousarray(features[:, np.concatenate((kept, kept + width))])
            solved = _solve_ridge(features, wanted, ridge)
        errors[target] = _left_out_error(features, wanted - features @ solved, ridge)
        neighbours[target, : len(kept)] = chosen[kept]
        weights[target, : len(kept)] = solved[: len(kept)]
        rated_weights[target, : len(kept)] = solved[len(kept) :]


@njit(cache=True)
def _largest(scores: Floats, count: int) -> Integers:
    """Places of the largest positive scores, at most so many, ascending; of equals the first ones."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) <= count:
        return positive
    order = np.argsort(-scores[positive], kind="mergesort")
    return np.sort(positive[order[:count]])


@njit(cache=True)
def _solve_ridge(features: Floats, wanted: Floats, ridge: np.float32) -> Floats:
    """The ridge regression's weights, from the smaller of its two systems of equations."""
    rows, columns = features.shape
    turned = features if rows < columns else np.ascontiguousarray(features.T)
    system = turned @ turned.T
    for place in range(len(system)):
        system[place, place] += ridge
    if rows < columns:
        return features.T @ np.linalg.solve(system, wanted)
    return np.linalg.solve(system, features.T @ wanted)


@njit(cache=True)
def _left_out_error(features: Floats, rest: Floats, ridge: np.float32) -> np.float32:
    """Mean squared error of each row as predicted from all others: what is left of it / (1 - its leverage)."""
    system = features.T @ features
    for place in range(len(system)):
        system[place, place] += ridge
    leverage = (np.linalg.solve(system, np.ascontiguousarray(features.T)) * features.T).sum(axis=0)
    return np.float32(((rest / (1 - leverage)) ** 2).mean())


@njit(parallel=True, cache=True)
def sum_contributions(
    users: Integers,
    targets: Integers,
    rows: tuple[Indices, Indices, Floats],
    scales: Floats,
    neighbours: Integers,
    weights: Floats,
    rated_weights: Floats,
) -> NDArray[np.float64]:
    """For each pair of a user and a target: the sum over the target's neighbours that the user rated."""
    indptr, indices, residuals = rows
    sums = np.zeros(len(users), dtype=np.float64)
    for pair in prange(len(users)):
        user, target = users[pair], targets[pair]
        own = indices[indptr[user] : indptr[user + 1]]
        for place in range(neighbours.shape[1]):
            movie = neighbours[target, place]
            if movie < 0:
                break
            position = np.searchsorted(own, movie)
            if position < len(own) and own[position] == movie:
                residual = residuals[indptr[user] + position]
                sums[pair] += scales[user] * (weights[target, place] * residual + rated_weights[target, place])
    return sums
