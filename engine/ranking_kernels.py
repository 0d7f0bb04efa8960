"""Ranks of single movies by a serving rule, compiled by numba: choosing a rule takes so many that not all is sorted."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.kernels import Indices

Values = NDArray[np.float64]
Rows = tuple[Indices, Indices]
NOWHERE = 1 << 40


@njit(parallel=True, cache=True)
def rank_targets(
    tastes: tuple[Indices, Indices, Values], seen: Rows, targets: Rows, current: Values, gain: Values, ordered: Values
) -> NDArray[np.int64]:
    """How many movies that a user has not seen score higher than each target; NOWHERE for one that scores 0.

    `tastes` (positive, not of what is seen), `seen`, `targets`: CSR of users x movies, pointers, indices (and values).
    `current`, `gain`: of engine.scoring.MovieParts. `ordered`: `current` ascending. A movie that no taste speaks for
    scores its current part, so those are counted by a search, and only what differs is looked at.
    """
    taste_begins, liked, amounts = tastes
    seen_begins, seen_movies = seen
    begins, movies = targets
    ranks = np.empty(len(movies), np.int64)
    for user in prange(len(begins) - 1):
        first, last = taste_begins[user], taste_begins[user + 1]
        for place in range(begins[user], begins[user + 1]):
            target = movies[place]
            found = first + np.searchsorted(liked[first:last], target)
            taste = amounts[found] if found < last and liked[found] == target else 0.0
            score = current[target] * (1 + gain[target] * taste)
            if score <= 0:
                ranks[place] = NOWHERE
                continue
            higher = len(ordered) - np.searchsorted(ordered, score, side="right")
            for other in range(first, last):
                movie = liked[other]
                higher += movie != target and current[movie] * (1 + gain[movie] * amounts[other]) > score
                higher -= current[movie] > score
            for other in range(seen_begins[user], seen_begins[user + 1]):
                higher -= current[seen_movies[other]] > score
            ranks[place] = higher
    return ranks
