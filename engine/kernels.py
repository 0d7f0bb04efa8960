"""The numeric kernels, compiled by numba, on all cores. Each result is made by one thread in one order, so the same
input gives the same bits whatever the threads' timing."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Places = NDArray[np.int8] | NDArray[np.int16] | NDArray[np.int32]
Indices = NDArray[np.int32] | NDArray[np.int64]  # as scipy chose them


@njit(parallel=True, cache=True)
def accumulate_gram(
    users: tuple[Indices, Indices, Places],
    movies: tuple[Indices, Indices, Indices],
    user_weights: Floats,
    closeness: Floats,
    threads: int,
    gram: Floats,
) -> None:
    """Add Σ_u weight_u · closeness(|place_ui - place_uj|) for all pairs i, j to the upper triangle of `gram`.

    `gram`: movies x movies. `users`: CSR of users x movies: indptr, indices, places, ascending within a user. `movies`:
    its CSC: indptr, users, positions in the CSR. `closeness`: by distance; what is further apart counts as the last.
    `threads`: how many share the movies. A movie at a time: its row fits into the cache, the matrix does not.
    """
    indptr, indices, places = users
    begins, raters, positions = movies
    furthest = len(closeness) - 1
    for first in prange(threads):
        for movie in range(first, len(gram), threads):
            row = gram[movie]
            for rating in range(begins[movie], begins[movie + 1]):
                position = positions[rating]
                weight = user_weights[raters[rating]]
                place = np.int64(places[position])
                for other in range(position, indptr[raters[rating] + 1]):
                    distance = abs(np.int64(places[other]) - place)
                    row[indices[other]] += weight * closeness[distance if distance < furthest else furthest]


@njit(parallel=True, cache=True)
def mirror_upper(gram: Floats) -> None:
    """Copy the upper triangle to the lower one, in place, tile by tile to keep to the cache."""
    size = len(gram)
    tile = 64
    for block in prange((size + tile - 1) // tile):
        first = block * tile
        last = min(first + tile, size)
        for start in range(0, last, tile):
            for row in range(first, last):
                for column in range(start, min(start + tile, row)):
                    gram[row, column] = gram[column, row]


@njit(parallel=True, cache=True)
def solve_targets(gram: Floats, ridge: Floats, offsets: Integers, sources: Integers) -> Floats:
    """For each target j and its sources N: solve (gram[N, N] + diag(ridge[N])) · w = gram[N, j].

    `offsets`: where in `sources` each target's are, CSR fashion. Returns the weights, as long as `sources`.
    """
    weights = np.zeros(len(sources), dtype=np.float32)
    for target in prange(len(offsets) - 1):
        own = sources[offsets[target] : offsets[target + 1]]
        count = len(own)
        if count == 0:
            continue
        system = np.empty((count, count), dtype=np.float32)
        for i in range(count):
            row = gram[own[i]]
            for j in range(i, count):
                system[i, j] = row[own[j]]
            system[i, i] += ridge[own[i]]
        solution = gram[target][own]
        _eliminate(system, solution)
        weights[offsets[target] : offsets[target + 1]] = solution
    return weights


@njit(cache=True)
def _eliminate(system: Floats, right: Floats) -> None:
    """Solve in place what is symmetric and positive definite, so that pivots need not be looked for.

    Only the upper triangle of `system` is read; `right` becomes the solution. LAPACK is as fast at this size (200 rows)
    and takes numba 16 seconds to compile.
    """
    count = len(right)
    for step in range(count):
        row = system[step]
        for i in range(step + 1, count):
            factor = row[i] / row[step]
            pivots, below = row[i:], system[i, i:]
            for j in range(len(below)):
                below[j] -= factor * pivots[j]
            right[i] -= factor * right[step]
    for step in range(count - 1, -1, -1):
        row = system[step]
        rest = right[step]
        for j in range(step + 1, count):
            rest -= row[j] * right[j]
        right[step] = rest / row[step]
