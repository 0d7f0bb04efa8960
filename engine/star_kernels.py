"""The loops over ratings of predicted stars, compiled by numba."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.kernels import Floats, Indices, Integers

Doubles = NDArray[np.float64]


@njit(nogil=True, cache=True)
def sum_users(
    indptr: Indices, indices: Indices, stars: Floats, offsets: Floats, features: Floats
) -> tuple[Doubles, Doubles]:
    """Each user's system of equations: Σ f fᵀ (users x features x features) and Σ f · (stars - offset).

    `indptr`, `indices`, `stars`: CSR of users x movies. `offsets`: of movies. `features` f: movies x features.
    """
    users, width = len(indptr) - 1, features.shape[1]
    systems, told = np.zeros((users, width, width)), np.zeros((users, width))
    for user in range(users):
        for position in range(indptr[user], indptr[user + 1]):
            movie = indices[position]
            rest = np.float64(stars[position]) - offsets[movie]
            for one in range(width):
                told[user, one] += features[movie, one] * rest
                for other in range(width):
                    systems[user, one, other] += np.float64(features[movie, one]) * features[movie, other]
    return systems, told


@njit(nogil=True, cache=True)
def sum_movies(
    indptr: Indices, indices: Indices, stars: Floats, mean: float, popularity: Floats, habits: Doubles
) -> tuple[Doubles, Doubles]:
    """Of each movie, Σ scale · (stars without what its bias explains) and Σ scale², scale being 1 + the user's."""
    sums, squares = np.zeros(len(popularity)), np.zeros(len(popularity))
    for user in range(len(indptr) - 1):
        shift, scale, tilt = habits[user, 0] + mean, 1 + habits[user, 1], habits[user, 2]
        for position in range(indptr[user], indptr[user + 1]):
            movie = indices[position]
            sums[movie] += scale * (stars[position] - shift - tilt * popularity[movie])
            squares[movie] += scale * scale
    return sums, squares


@njit(nogil=True, cache=True)
def subtract_effects(
    indptr: Indices, indices: Indices, stars: Floats, offsets: Floats, features: Floats, habits: Doubles
) -> Floats:
    """What is left of each rating without the movie's offset and the user's habits · the movie's features."""
    rest = np.empty(len(stars), dtype=np.float32)
    for user in range(len(indptr) - 1):
        for position in range(indptr[user], indptr[user + 1]):
            movie = indices[position]
            left = np.float64(stars[position]) - offsets[movie]
            for one in range(features.shape[1]):
                left -= habits[user, one] * features[movie, one]
            rest[position] = left
    return rest


@njit(nogil=True, cache=True)
def leave_out(indptr: Indices, indices: Indices, residuals: Floats, features: Floats, inverses: Doubles) -> Floats:
    """The residuals as they are where each rating is left out of its user's habits: residual / (1 - its leverage)."""
    rest = np.empty(len(residuals), dtype=np.float32)
    for user in range(len(indptr) - 1):
        for position in range(indptr[user], indptr[user + 1]):
            own = features[indices[position]]
            leverage = 0.0
            for one in range(len(own)):
                for other in range(len(own)):
                    leverage += inverses[user, one, other] * own[one] * own[other]
            rest[position] = residuals[position] / (1 - leverage)
    return rest


@njit(nogil=True, cache=True)
def count_shared(users: Indices, indptr: Indices, indices: Indices, movies: int) -> Floats:
    """How many of some users rated each movie."""
    shared = np.zeros(movies, dtype=np.float32)
    for user in users:
        for position in range(indptr[user], indptr[user + 1]):
            shared[indices[position]] += 1
    return shared


@njit(nogil=True, cache=True)
def gather_features(
    users: Indices,
    shifts: Floats,
    rows: tuple[Indices, Indices, Floats],
    effects: Floats,
    scales: Floats,
    column_of: Integers,
    width: int,
) -> Floats:
    """Features of some users (users x 2 · width): the scaled residuals of chosen movies, then whether they rated them.

    `shifts`: what each user's residuals gain, in units of the movies' `effects` (movies x 3). `rows`: the residuals as
    CSR: pointers, indices, values. `scales`: of all users. `column_of`: of each movie, -1 if it is not chosen.
    """
    indptr, indices, residuals = rows
    features = np.zeros((len(users), 2 * width), dtype=np.float32)
    for row, user in enumerate(users):
        for position in range(indptr[user], indptr[user + 1]):
            movie = indices[position]
            column = column_of[movie]
            if column >= 0:
                residual = residuals[position]
                for one in range(effects.shape[1]):
                    residual += shifts[row, one] * effects[movie, one]
                features[row, column] = residual * scales[user]
                features[row, width + column] = scales[user]
    return features


@njit(nogil=True, cache=True)
def sum_histories(
    users: Integers,
    moments: Integers,
    rows: tuple[Indices, Indices, Floats, Integers],
    offsets: Floats,
    features: Floats,
    half_life: float,
) -> tuple[Doubles, Doubles, Doubles]:
    """For each pair of a user and a moment, sums over the user's ratings before that moment.

    Σ f fᵀ (pairs x features x features), Σ f · rest (pairs x features), rest being stars - offset, and Σ weight · f and
    Σ weight · rest (pairs x (features + 1)), a weight halving in `half_life` milliseconds. `rows`: CSR: pointers,
    indices, stars, moments.
    """
    indptr, indices, stars, at = rows
    pairs, width = len(users), features.shape[1]
    systems, told = np.zeros((pairs, width, width)), np.zeros((pairs, width))
    newest = np.zeros((pairs, width + 1))
    for pair in range(pairs):
        for position in range(indptr[users[pair]], indptr[users[pair] + 1]):
            age = moments[pair] - at[position]
            if age <= 0:
                continue
            movie = indices[position]
            rest = np.float64(stars[position]) - offsets[movie]
            weight = 2.0 ** (-age / half_life)
            for one in range(width):
                told[pair, one] += features[movie, one] * rest
                newest[pair, one] += weight * features[movie, one]
                for other in range(width):
                    systems[pair, one, other] += np.float64(features[movie, one]) * features[movie, other]
            newest[pair, width] += weight * rest
    return systems, told, newest


@njit(parallel=True, cache=True)
def sum_contributions(
    pairs: tuple[Integers, Integers, Integers],
    rows: tuple[Indices, Indices, Floats, Integers],
    baseline: tuple[Floats, Floats, Doubles],
    edges: tuple[Integers, Floats, Floats],
) -> Doubles:
    """For each pair, the sum over the movie's neighbours that the user rated before the moment, not scaled.

    `pairs`: users, movies and moments. `rows`: CSR: pointers, indices, stars, moments. `baseline`: the movies' offsets
    and features, and each pair's habits. `edges`: neighbours, weights, weights of having been rated (movies x K).
    """
    users, targets, moments = pairs
    indptr, indices, stars, at = rows
    offsets, features, habits = baseline
    neighbours, weights, rated_weights = edges
    sums = np.zeros(len(users), dtype=np.float64)
    for pair in prange(len(users)):
        begin, target = indptr[users[pair]], targets[pair]
        own = indices[begin : indptr[users[pair] + 1]]
        for place in range(neighbours.shape[1]):
            movie = neighbours[target, place]
            if movie < 0:
                break
            position = np.searchsorted(own, movie)
            if position < len(own) and own[position] == movie and at[begin + position] < moments[pair]:
                residual = np.float64(stars[begin + position]) - offsets[movie]
                for one in range(features.shape[1]):
                    residual -= habits[pair, one] * features[movie, one]
                sums[pair] += weights[target, place] * residual + rated_weights[target, place]
    return sums
