"""What the inner loops of `generator` share: users, movies, ratings and days."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

RECORD = np.dtype([("movie", "<i4"), ("user", "<i4"), ("day", "<i2"), ("score", "<i2"), ("probe", "u1")])
Records = NDArray[Any]  # of RECORD: movie from 0, user id, days since FIRST_DAY, score in 1/SCORE_STEPS

FIRST_DAY, END_DAY = np.datetime64("1999-11-11"), np.datetime64("2006-01-01")
DAYS = int((END_DAY - FIRST_DAY).astype(np.int64))


class Users(NamedTuple):
    """One element a user; `groups` and `shares` are users x tastes, a user's shares add up to 1."""

    ids: NDArray[np.int32]
    counts: Integers  # ratings
    groups: NDArray[np.int64]
    shares: Doubles
    biases: Floats
    joined: Integers  # days since FIRST_DAY


class Movies(NamedTuple):
    """One element a movie; `attention` and `cumulative` are groups x movies."""

    weights: Doubles  # popularity
    attention: Doubles  # chance of each movie to be a group's next one
    cumulative: Doubles  # sums of attention along the movies, the last one is 1
    guide: NDArray[np.int32]  # groups x movies: the movie that holds 0, 1/movies, 2/movies … of these sums
    qualities: Floats
    released: Integers  # days since FIRST_DAY
    currency: Floats  # periods x groups: chance that a group's next movie is a current one
    current: NDArray[np.int32]  # periods x groups x places: movies as often as a wave of attention carries them
    liveliness: Floats  # periods x movies: attention, 1 in the movie's best period
    prospects: Floats  # periods x movies: mean attention from that period to the end, 1 for a movie without waves
