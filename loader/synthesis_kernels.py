"""The inner loops of `loader.synthesis`, compiled by numba.

Each user draws from random numbers of their own, so that the ratings are the same whatever the threads' timing.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

RECORD = np.dtype([("movie", "<i4"), ("user", "<i4"), ("day", "<i2"), ("score", "<i2"), ("probe", "u1")])
Records = NDArray[Any]  # of RECORD: movie from 0, user id, days since FIRST_DAY, score in 1/SCORE_STEPS

FIRST_DAY, END_DAY = np.datetime64("1999-11-11"), np.datetime64("2006-01-01")
DAYS = int((END_DAY - FIRST_DAY).astype(np.int64))
NEWLINE, COLON, COMMA, ZERO = 10, 58, 44, 48
DATE_LENGTH = 10  # YYYY-MM-DD
LONGEST_LINE = 24  # user id, stars, date
LONGEST_HEADER = 12
SCORE_STEPS = 3000
SCORE_LIMIT = 2**15 - 1
TASTE_IN_STARS = 0.35  # what e times as much attention adds to the score
NOISE = 0.75
LATEST = 9  # the probe set is drawn from so many latest ratings of a user, as Netflix did
BLOCKS = 32
NEWTON_STEPS = 2

# splitmix64 (Steele, Lea & Flood 2014)
GOLDEN, FIRST_FACTOR, SECOND_FACTOR = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
SHIFT_30, SHIFT_27, SHIFT_31, SHIFT_11 = (np.uint64(number) for number in (30, 27, 31, 11))


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


@njit(cache=True)
def _random(state: NDArray[np.uint64]) -> float:
    """A number from 0 to 1, without 1."""
    state[0] += GOLDEN
    bits = state[0]
    bits = (bits ^ (bits >> SHIFT_30)) * FIRST_FACTOR
    bits = (bits ^ (bits >> SHIFT_27)) * SECOND_FACTOR
    bits = bits ^ (bits >> SHIFT_31)
    return float(bits >> SHIFT_11) * 2.0**-53


@njit(cache=True)
def _attend(groups: Integers, shares: Doubles, attention: Doubles, mixed: Doubles) -> None:
    """Write what attention a user of these groups pays to each movie into `mixed`."""
    mixed[:] = 0
    for taste in range(len(groups)):
        row = attention[groups[taste]]
        for movie in range(len(mixed)):
            mixed[movie] += shares[taste] * row[movie]


@njit(cache=True)
def _find_smallest(values: Doubles, place: int) -> float:
    """The value at a place if they were sorted (Hoare's quickselect; np.partition takes 10 s to compile)."""
    values = values.copy()
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        low, high = (low, right) if place <= right else (left, high) if place >= left else (place, place)
    return float(values[place])


@njit(cache=True)
def _choose_by_draws(
    user: int, users: Users, movies: Movies, taken_by: Integers, state: NDArray[np.uint64], own: Records
) -> bool:
    """Draw one of the user's groups and a movie of it, again if they have it, until there are enough.

    Gives up, and says so, after as many draws as there are movies.
    """
    count = 0
    for _ in range(len(taken_by)):
        if count == len(own):
            break
        left = _random(state)
        taste = 0
        while taste < users.shares.shape[1] - 1 and left >= users.shares[user, taste]:
            left -= users.shares[user, taste]
            taste += 1
        group, place = users.groups[user, taste], _random(state)
        movie = movies.guide[group, int(place * movies.guide.shape[1])]
        while movies.cumulative[group, movie] <= place:
            movie += 1
        if taken_by[movie] != user:
            taken_by[movie] = user
            own[count].movie = movie
            count += 1
    return count == len(own)


@njit(cache=True)
def _choose_by_race(
    user: int, users: Users, movies: Movies, times: Doubles, state: NDArray[np.uint64], own: Records
) -> None:
    """What enough draws would give, in time that depends on the number of movies alone.

    Drawing without replacement is a race of exponential arrival times, which the first ones win.
    """
    _attend(users.groups[user], users.shares[user], movies.attention, times)
    for movie in range(len(times)):
        times[movie] = -np.log(1 - _random(state)) / times[movie]
    last = _find_smallest(times, len(own) - 1)
    count = 0
    for movie in range(len(times)):
        if times[movie] <= last and count < len(own):
            own[count].movie = movie
            count += 1


@njit(cache=True)
def _judge(user: int, users: Users, movies: Movies, state: NDArray[np.uint64], own: Records) -> None:
    """Give a user's ratings their user id, scores and days."""
    for position in range(len(own)):
        movie = own[position].movie
        attention = 0.0
        for taste in range(users.shares.shape[1]):
            attention += users.shares[user, taste] * movies.attention[users.groups[user, taste], movie]
        noise = np.sqrt(3.0) * (_random(state) + _random(state) + _random(state) + _random(state) - 2)  # nearly normal
        score = users.biases[user] + movies.qualities[movie] + NOISE * noise
        score += TASTE_IN_STARS * np.log(attention / movies.weights[movie])
        own[position].user = users.ids[user]
        own[position].score = max(-SCORE_LIMIT, min(SCORE_LIMIT, int(np.floor(score * SCORE_STEPS))))
        earliest = max(users.joined[user], movies.released[movie])
        own[position].day = earliest + int(_random(state) * (DAYS - earliest))


@njit(cache=True)
def _mark_probe(own: Records, chance: float, state: NDArray[np.uint64]) -> None:
    """Put some of a user's latest ratings into the probe set, never more than half of all."""
    candidates = min(LATEST, len(own) // 2)
    if candidates == 0:
        return
    since = _find_smallest(own["day"], len(own) - candidates)
    for position in range(len(own)):
        if own[position].day >= since and candidates > 0:
            candidates -= 1
            own[position].probe = _random(state) < chance


@njit(cache=True)
def group_records(records: Records, group_of: Integers, groups: int) -> tuple[Records, Integers]:
    """Records by the group of their movie, in each group as they were; and where each group begins, and the end."""
    begins = np.zeros(groups + 1, dtype=np.int64)
    for row in range(len(records)):
        begins[group_of[records[row].movie] + 1] += 1
    begins = np.cumsum(begins)
    free = begins.copy()
    grouped = np.empty_like(records)
    for row in range(len(records)):
        group = group_of[records[row].movie]
        grouped[free[group]] = records[row]
        free[group] += 1
    return grouped, begins


@njit(parallel=True, cache=True)
def draw_ratings(
    users: Users, movies: Movies, begins: Integers, bounds: Integers, chance: float, seed: np.uint64, out: Records
) -> None:
    """Draw all ratings of the users bounds[0] to bounds[-1]; each block between two bounds is one thread's.

    `begins`: where each user's ratings would begin if all users were in `out`, and the end. `chance`: of one of a
    user's latest ratings to be in the probe set.
    """
    for block in prange(len(bounds) - 1):
        taken_by = np.full(len(movies.weights), -1, dtype=np.int64)
        times = np.empty(len(movies.weights), dtype=np.float64)
        state = np.empty(1, dtype=np.uint64)
        for user in range(bounds[block], bounds[block + 1]):
            own = out[begins[user] - begins[bounds[0]] : begins[user + 1] - begins[bounds[0]]]
            state[0] = seed ^ (np.uint64(user) * FIRST_FACTOR)
            if not _choose_by_draws(user, users, movies, taken_by, state, own):
                _choose_by_race(user, users, movies, times, state, own)
            _judge(user, users, movies, state, own)
            _mark_probe(own, chance, state)


@njit(parallel=True, cache=True)
def expect_counts(
    counts: Integers, groups: Integers, shares: Doubles, represents: Doubles, efforts: Doubles, attention: Doubles
) -> Doubles:
    """How many ratings each movie will get: BLOCKS x movies, to be added up.

    Given is a sample of users each of which stands for `represents` many.

    A user who draws for a time e has a movie with probability 1 - exp(-e · attention); `efforts` are these times, made
    better in place: call after call they come to give the user's number of ratings.
    """
    size = attention.shape[1]
    expected = np.zeros((BLOCKS, size), dtype=np.float64)
    for block in prange(BLOCKS):
        mixed = np.empty(size, dtype=np.float64)
        for user in range(block, len(efforts), BLOCKS):
            _attend(groups[user], shares[user], attention, mixed)
            for _ in range(NEWTON_STEPS):
                missing, slope = float(counts[user]), 1e-300
                for movie in range(size):
                    without = np.exp(-efforts[user] * mixed[movie])
                    missing += without - 1
                    slope += mixed[movie] * without
                efforts[user] = max(efforts[user] + missing / slope, counts[user])  # the root is never below
            for movie in range(size):
                expected[block, movie] += -represents[user] * np.expm1(-efforts[user] * mixed[movie])
    return expected


@njit(cache=True)
def _write_number(number: int, out: Bytes, position: int) -> int:
    """Write digits; returns where they end."""
    digits = 1
    rest = number // 10
    while rest > 0:
        rest //= 10
        digits += 1
    for place in range(position + digits - 1, position - 1, -1):
        out[place] = ZERO + number % 10
        number //= 10
    return position + digits


@njit(cache=True)
def format_ratings(
    records: Records, bounds: Integers, first: int, stars: Bytes, dates: Bytes, full: bool, out: Bytes
) -> int:
    """Write `MovieID:` and the lines of the movies from `first` (counted from 0) on; returns how many bytes.

    `bounds`: where in `records` each movie's begin, and the end. `stars`: by score + SCORE_LIMIT + 1. `dates`: days x
    DATE_LENGTH. `full`: with stars and dates, and with headers of movies that have no line.
    """
    position = 0
    for index in range(len(bounds) - 1):
        if not full and bounds[index] == bounds[index + 1]:
            continue
        position = _write_number(first + index + 1, out, position)
        out[position] = COLON
        out[position + 1] = NEWLINE
        position += 2
        for row in range(bounds[index], bounds[index + 1]):
            position = _write_number(records[row].user, out, position)
            if full:
                out[position] = COMMA
                out[position + 1] = ZERO + stars[records[row].score + SCORE_LIMIT + 1]
                out[position + 2] = COMMA
                out[position + 3 : position + 3 + DATE_LENGTH] = dates[records[row].day]
                position += 3 + DATE_LENGTH
            out[position] = NEWLINE
            position += 1
    return position
