"""The best movies of each user by a serving rule, compiled by numba: choosing a rule ranks thousands of times."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.kernels import Indices

Values = NDArray[np.float64]


@njit(parallel=True, cache=True)
def rank_best(
    tastes: tuple[Indices, Indices, Values],
    seen: tuple[Indices, Indices],
    current: Values,
    gain: Values,
    order: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """The `count` best movies of each user, -1 where there are no more, of equals the lower first: users x count.

    `tastes` (positive) and `seen`: CSR of users x movies, columns ascending: pointers, indices (and values). `current`,
    `gain`: the parts of a score that are a movie's own (engine.scoring). `order`: movies with a current part, the
    largest first. A movie that no taste speaks for scores its current part, so only the first of those are looked at.
    """
    taste_begins, liked, amounts = tastes
    seen_begins, known = seen
    users = len(taste_begins) - 1
    ranked = np.full((users, count), -1, np.int64)
    for user in prange(users):
        own = liked[taste_begins[user] : taste_begins[user + 1]]
        amount = amounts[taste_begins[user] : taste_begins[user + 1]]
        old = known[seen_begins[user] : seen_begins[user + 1]]
        scores = np.zeros(count)
        for place in range(len(own)):
            movie = own[place]
            score = current[movie] * (1 + gain[movie] * amount[place])
            if score > scores[-1] and not _has(old, movie):
                _insert(ranked[user], scores, movie, score)
        for movie in order:
            if current[movie] < scores[-1]:
                break
            if not _has(old, movie) and not _has(own, movie):
                _insert(ranked[user], scores, movie, current[movie])
    return ranked


@njit(cache=True)
def _has(ascending: Indices, movie: int) -> bool:
    place = np.searchsorted(ascending, movie)
    return bool(place < len(ascending) and ascending[place] == movie)


@njit(cache=True)
def _insert(movies: NDArray[np.int64], scores: Values, movie: int, score: float) -> None:
    """Put a movie where it belongs in a list by falling score; the last one goes."""
    place = len(movies) - 1
    if score < scores[place] or (score == scores[place] and movies[place] != -1 and movies[place] < movie):
        return
    while place > 0 and (scores[place - 1] < score or (scores[place - 1] == score and movies[place - 1] > movie)):
        movies[place], scores[place] = movies[place - 1], scores[place - 1]
        place -= 1
    movies[place], scores[place] = movie, score
