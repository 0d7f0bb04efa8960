"""Who rates what when in `generator`: its inner loops, compiled by numba.

Each user draws from random numbers of their own, so that the ratings are the same whatever the threads' timing. All
stand in one file, since numba keeps what it compiled until that function's own file changes.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from loader.synthesis.formatting import SCORE_LIMIT
from loader.synthesis.tables import DAYS, Doubles, Floats, Integers, Movies, Records, Users

SCORE_STEPS = 3000
TASTE_IN_STARS = 0.35  # what e times as much attention adds to the score
NOISE = 0.75
LATEST = 9  # the probe set is drawn from so many latest ratings of a user, as Netflix did
BLOCKS = 32
NEWTON_STEPS = 2
MOVIES_PER_DRAW = 3  # which a race passes in the time of a draw
DRIFT = 0.9  # how much a taste has lost at the far end of a user's time
SITTINGS_POWER = 0.6  # who rates 100 movies does so on some 16 days
TRIES = 16

# splitmix64 (Steele, Lea & Flood 2014)
GOLDEN, FIRST_FACTOR, SECOND_FACTOR = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
SHIFT_30, SHIFT_27, SHIFT_31, SHIFT_11 = (np.uint64(number) for number in (30, 27, 31, 11))


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
def _find_period(day: float, periods: int) -> int:
    return int(day * periods / DAYS)


@njit(cache=True)
def _attend(users: Users, user: int, attention: Doubles, prospects: Floats, mixed: Doubles) -> None:
    """Write what share of a user's attention, from joining to the end, each movie gets into `mixed`."""
    mixed[:] = 0
    for taste in range(users.shares.shape[1]):
        share, row = users.shares[user, taste], attention[users.groups[user, taste]]
        for movie in range(len(mixed)):
            mixed[movie] += share * row[movie]
    ahead = prospects[_find_period(users.joined[user], len(prospects))]
    total = 0.0
    for movie in range(len(mixed)):
        mixed[movie] *= ahead[movie]
        total += mixed[movie]
    mixed /= total


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
def _mix_tastes(users: Users, user: int, days: Doubles, mixes: Doubles) -> None:
    """Write sums of the shares of a user's tastes on each day, days x tastes, the last one is 1.

    Tastes come and go, one after the other, in the time from joining to the end.
    """
    tastes = users.shares.shape[1]
    for sitting in range(len(days)):
        passed = (days[sitting] - users.joined[user]) / (DAYS - users.joined[user])
        total = 0.0
        for taste in range(tastes):
            total += users.shares[user, taste] * (1 - DRIFT * abs(passed - taste / (tastes - 1)))
            mixes[sitting, taste] = total
        for taste in range(tastes):
            mixes[sitting, taste] /= total


@njit(cache=True)
def _draw_movie(movies: Movies, group: int, day: float, state: NDArray[np.uint64]) -> int:
    """What a group watches on that day: one of its current movies, or of all."""
    period = _find_period(day, len(movies.prospects))
    currency = movies.currency[period, group]
    place = _random(state)
    if place < currency:
        return int(movies.current[period, group, int(place / currency * movies.current.shape[2])])
    place = (place - currency) / (1 - currency)
    movie = movies.guide[group, int(place * movies.guide.shape[1])]
    while movies.cumulative[group, movie] <= place:
        movie += 1
    return int(movie)


@njit(cache=True)
def _choose_by_draws(
    users: Users,
    user: int,
    movies: Movies,
    days: Doubles,
    mixes: Doubles,
    taken_by: Integers,
    state: NDArray[np.uint64],
    own: Records,
) -> bool:
    """Draw a day, one of the user's groups and a movie of it, again if they have it, until there are enough.

    Gives up, and says so, when the draws have cost as much as a race.
    """
    count = 0
    for _ in range(len(taken_by) // MOVIES_PER_DRAW + 1):
        if count == len(own):
            break
        sitting = int(_random(state) * len(days))
        day, place, taste = days[sitting], _random(state), 0
        while mixes[sitting, taste] <= place:
            taste += 1
        movie = _draw_movie(movies, users.groups[user, taste], day, state)
        if taken_by[movie] != user and movies.released[movie] <= day:
            taken_by[movie] = user
            own[count].movie = movie
            own[count].day = day
            count += 1
    return count == len(own)


@njit(cache=True)
def _choose_by_race(
    users: Users, user: int, movies: Movies, times: Doubles, state: NDArray[np.uint64], own: Records
) -> None:
    """Nearly what enough draws would give, without days, in time that depends on the number of movies alone.

    Drawing without replacement is a race of exponential arrival times, which the first ones win.
    """
    _attend(users, user, movies.attention, movies.prospects, times)
    for movie in range(len(times)):
        times[movie] = -np.log(1 - _random(state)) / times[movie]
    last = _find_smallest(times, len(own) - 1)
    count = 0
    for movie in range(len(times)):
        if times[movie] <= last and count < len(own):
            own[count].movie = movie
            count += 1


@njit(cache=True)
def _draw_sittings(joined: int, ratings: int, state: NDArray[np.uint64], days: Doubles) -> int:
    """Write the days on which a user of so many ratings rates, rising; returns how many.

    They are spread evenly from joining to the end, as sums of exponential gaps are.
    """
    sittings = min(ratings, 1 + int(ratings**SITTINGS_POWER * (0.5 + _random(state))))
    reached = 0.0
    for sitting in range(sittings):
        reached -= np.log(1 - _random(state))
        days[sitting] = reached
    end = reached - np.log(1 - _random(state))
    for sitting in range(sittings):
        days[sitting] = joined + np.floor(days[sitting] / end * (DAYS - joined))
    return sittings


@njit(cache=True)
def _date_ratings(movies: Movies, days: Doubles, sittings: int, state: NDArray[np.uint64], own: Records) -> None:
    """Give each of a user's ratings one of the days, rather one on which the movie has much attention.

    The last day is put off if a movie is released after it.
    """
    newest = 0
    for position in range(len(own)):
        newest = max(newest, movies.released[own[position].movie])
    if days[sittings - 1] < newest:
        days[sittings - 1] = newest + int(_random(state) * (DAYS - newest))
    for position in range(len(own)):
        movie = own[position].movie
        own[position].day = days[sittings - 1]
        for _ in range(TRIES):
            day = days[int(_random(state) * sittings)]
            if day >= movies.released[movie]:
                own[position].day = day
                if _random(state) < movies.liveliness[_find_period(day, len(movies.prospects)), movie]:
                    break


@njit(cache=True)
def _judge(user: int, users: Users, movies: Movies, state: NDArray[np.uint64], own: Records) -> None:
    """Give a user's ratings their user id and scores."""
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


@njit(cache=True)
def _mark_probe(own: Records, chance: float, state: NDArray[np.uint64]) -> None:
    """Put some of a user's latest ratings into the probe set, never more than half of all; of one day any."""
    candidates = min(LATEST, len(own) // 2)
    if candidates == 0:
        return
    since = _find_smallest(own["day"], len(own) - candidates)
    tied = 0
    for position in range(len(own)):
        tied += own[position].day == since
        candidates -= own[position].day > since
    for position in range(len(own)):
        is_candidate = own[position].day > since
        if own[position].day == since:
            is_candidate = _random(state) * tied < candidates
            tied -= 1
            candidates -= is_candidate
        own[position].probe = is_candidate and _random(state) < chance


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
        days = np.empty(len(movies.weights), dtype=np.float64)
        mixes = np.empty((len(movies.weights), users.shares.shape[1]), dtype=np.float64)
        state = np.empty(1, dtype=np.uint64)
        for user in range(bounds[block], bounds[block + 1]):
            own = out[begins[user] - begins[bounds[0]] : begins[user + 1] - begins[bounds[0]]]
            state[0] = seed ^ (np.uint64(user) * FIRST_FACTOR)
            sittings = _draw_sittings(users.joined[user], len(own), state, days)
            _mix_tastes(users, user, days[:sittings], mixes)
            if not _choose_by_draws(users, user, movies, days[:sittings], mixes, taken_by, state, own):
                _choose_by_race(users, user, movies, times, state, own)
                _date_ratings(movies, days, sittings, state, own)
            _judge(user, users, movies, state, own)
            _mark_probe(own, chance, state)


@njit(parallel=True, cache=True)
def expect_counts(
    users: Users, represents: Doubles, efforts: Doubles, attention: Doubles, prospects: Floats
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
            _attend(users, user, attention, prospects, mixed)
            for _ in range(NEWTON_STEPS):
                missing, slope = float(users.counts[user]), 1e-300
                for movie in range(size):
                    without = np.exp(-efforts[user] * mixed[movie])
                    missing += without - 1
                    slope += mixed[movie] * without
                efforts[user] = max(efforts[user] + missing / slope, users.counts[user])  # the root is never below
            for movie in range(size):
                expected[block, movie] += -represents[user] * np.expm1(-efforts[user] * mixed[movie])
    return expected
