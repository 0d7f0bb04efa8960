"""The loops over ratings of predicted stars, compiled by numba."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.kernels import Floats, Indices, Integers


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
    scales: Floats,
    column_of: Integers,
    width: int,
) -> Floats:
    """Features of some users (users x 2 · width): the scaled residuals of chosen movies, then whether they rated them.

    `shifts`: what each user's residuals gain. `rows`: the residuals as CSR: pointers, indices, values. `scales`: of all
    users. `column_of`: of each movie, -1 if it is not chosen.
    """
    indptr, indices, residuals = rows
    features = np.zeros((len(users), 2 * width), dtype=np.float32)
    for row, user in enumerate(users):
        for position in range(indptr[user], indptr[user + 1]):
            column = column_of[indices[position]]
            if column >= 0:
                features[row, column] = (residuals[position] + shifts[row]) * scales[user]
                features[row, width + column] = scales[user]
    return features


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
