"""The regressions of predicted stars: a movie's ratings explained by what its raters gave other movies."""

from dataclasses import dataclass

import numpy as np

from engine.kernels import Floats, Indices, Integers
from engine.selection import find_largest
from engine.star_kernels import Doubles, count_shared, gather_features


@dataclass(frozen=True)
class Residuals:
    """What a baseline leaves of ratings.

    `rows`, `columns`: pointers, indices and values, as CSR and as CSC of users x movies. `scales`: of each user's
    features. `effects`: what the users' habits are about (movies x 3). `inverses`: of each user's system of equations
    (users x 3 x 3), which tells what the habits are without a rating.
    """

    rows: tuple[Indices, Indices, Floats]
    columns: tuple[Indices, Indices, Floats]
    scales: Floats
    effects: Floats
    inverses: Doubles


@dataclass(frozen=True)
class Regression:
    """One movie's neighbours, ascending, what their residuals and having rated them count, and the mean squared error
    for a rater left out."""

    neighbours: Integers
    weights: Floats
    rated_weights: Floats
    error: float


def fit_target(
    residuals: Residuals, target: int, raters: int, candidates: int, neighbours: int, ridge: float
) -> Regression | None:
    """The neighbours that explain the residuals of a target's raters best; None if they rated nothing else.

    `raters`: how many are learned from, at most. `candidates`: movies in the first regression. Threads may call it side
    by side.
    """
    pointers, column_users, column_residuals = residuals.columns
    rated = int(pointers[target + 1] - pointers[target])
    count = min(rated, raters)
    spread = pointers[target] + np.arange(count) * rated // count  # evenly, where there are too many
    users, own = column_users[spread], column_residuals[spread]
    shared = count_shared(users, residuals.rows[0], residuals.rows[1], len(residuals.effects))
    shared[target] = 0
    chosen = find_largest(shared, candidates)
    width = len(chosen)
    if width == 0:
        return None
    # The target's own rating is none of the user's history, nor of the user's habits.
    pulls = residuals.inverses[users] @ residuals.effects[target]
    wanted = (own / (1 - pulls @ residuals.effects[target])).astype(np.float32)
    shifts = (pulls * wanted[:, None]).astype(np.float32)
    column_of = np.full(len(residuals.effects), -1)
    column_of[chosen] = np.arange(width)
    features = gather_features(users, shifts, residuals.rows, residuals.effects, residuals.scales, column_of, width)
    solved = _solve_ridge(features, wanted, ridge)
    explained = np.square(solved) * np.square(features).sum(axis=0)
    kept = find_largest(explained[:width] + explained[width:], neighbours)
    if len(kept) < width:
        features = features[:, np.concatenate((kept, kept + width))]
        solved = _solve_ridge(features, wanted, ridge)
    error = _left_out_error(features, wanted - features @ solved, ridge)
    return Regression(chosen[kept], solved[: len(kept)], solved[len(kept) :], error)


def _solve_ridge(features: Floats, wanted: Floats, ridge: float) -> Floats:
    """The ridge regression's weights, from the smaller of its two systems of equations."""
    rows, columns = features.shape
    if rows < columns:
        return np.asarray(features.T @ np.linalg.solve(_add_ridge(features @ features.T, ridge), wanted))
    return np.linalg.solve(_add_ridge(features.T @ features, ridge), features.T @ wanted)


def _left_out_error(features: Floats, rest: Floats, ridge: float) -> float:
    """Mean squared error of each row as predicted from all others: what is left of it / (1 - its leverage)."""
    system = _add_ridge(features.T @ features, ridge)
    leverage = (np.linalg.solve(system, features.T) * features.T).sum(axis=0)
    return float(np.square(rest / (1 - leverage)).mean())


def _add_ridge(system: Floats, ridge: float) -> Floats:
    system[np.diag_indices(len(system))] += np.float32(ridge)
    return system
