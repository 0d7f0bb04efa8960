"""Who rates what in `generator`: users, movies and tastes, with the shapes of the Netflix Prize's data."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from loader.synthesis.attention import add_tails, average_ahead, draw_releases, draw_waves, pool_current
from loader.synthesis.kernels import expect_counts
from loader.synthesis.tables import DAYS, Doubles, Floats, Integers, Movies, Users

LAST_YEAR = 2005
ID_RATIO = 2_649_429 / 480_189  # largest user id to number of users
ACTIVITY_SIGMA = 1.25
MOST_ACTIVE = 17_653 / 17_770  # share of all movies that the most active user rated
MOST_POPULAR = 232_944 / 480_189  # share of all users that rated the most popular movie
POPULARITY_POWER = 0.465
STEEPEST = 600.0  # far from where exp gives 0
JOINING = 1.0  # logarithm of how much more users join at the end than at the beginning
TASTES = 4  # groups that a user belongs to
GROUPS = 40
FOCUS = 0.05  # Dirichlet parameter of a movie's groups: the smaller, the fewer
USER_SPREAD, MOVIE_SPREAD, POPULARITY_BONUS = 0.45, 0.4, 0.1  # of scores
BROADEST, NARROWEST, BROAD_FALL = 0.3, 0.02, 10.0  # part of a movie's appeal that is the same to all groups, by rank
SAMPLE = 1024
ROUNDS = 15


def make_users(random: Generator, users: int, movies: int, ratings: int) -> Users:
    """Draw users with exactly `ratings` ratings in all, each with at least one; ids tell nothing about the rest."""
    cells = np.floor(np.arange(users + 1) * ID_RATIO).astype(np.int64)  # each user's id is in a cell of its own
    prevalence = random.lognormal(0, 0.5, GROUPS)
    grown = random.random(users)
    joined = 1 + np.log(grown + (1 - grown) * np.exp(-JOINING)) / JOINING
    return Users(
        ids=random.permutation(random.integers(cells[:-1], cells[1:]) + 1).astype(np.int32),
        counts=_draw_activity(random, users, movies, ratings),
        groups=random.choice(GROUPS, (users, TASTES), p=prevalence / prevalence.sum()),
        shares=random.dirichlet(np.full(TASTES, 0.7), users),
        biases=random.normal(0, USER_SPREAD, users).astype(np.float32),
        joined=(joined * (DAYS - 1)).astype(np.int64),
    )


def make_movies(random: Generator, users: Users, movies: int, years: Integers) -> Movies:
    """Draw movies whose expected numbers of ratings follow Netflix's. `years`: 0 for unknown."""
    targets = random.permutation(_popularity(len(users.ids), movies, int(users.counts.sum())))
    rank = np.argsort(np.argsort(-targets)) / movies
    breadth = (NARROWEST + (BROADEST - NARROWEST) * np.exp(-BROAD_FALL * rank))[:, None]
    affinity = (breadth + (1 - breadth) * GROUPS * random.dirichlet(np.full(GROUPS, FOCUS), movies)).T
    released = draw_releases(random, years)
    waves = draw_waves(random, released)
    lively = add_tails(waves, released)
    prospects = average_ahead(lively)
    weights = _calibrate(random, users, affinity, targets, prospects)
    attention = _share_attention(weights, affinity)
    cumulative = np.cumsum(attention, axis=1)
    cumulative /= cumulative[:, -1:].copy()
    places = np.arange(movies) / movies
    popularity = np.log(targets / targets.mean())
    currency, current = pool_current(attention, waves)
    return Movies(
        weights=weights,
        attention=attention,
        cumulative=cumulative,
        guide=np.array([np.searchsorted(row, places, side="right") for row in cumulative], dtype=np.int32),
        qualities=(random.normal(0, MOVIE_SPREAD, movies) + POPULARITY_BONUS * popularity).astype(np.float32),
        released=released,
        currency=currency,
        current=current,
        liveliness=lively / lively.max(axis=0),
        prospects=prospects,
    )


def draw_years(random: Generator, movies: int) -> Integers:
    """Years of release, most of them recent."""
    return (LAST_YEAR - np.minimum(random.exponential(14, movies), 90)).astype(np.int64)


def _draw_activity(random: Generator, users: int, movies: int, ratings: int) -> Integers:
    """Numbers of ratings: lognormal, at least 1, at most MOST_ACTIVE of the movies."""
    skewed = np.exp(ACTIVITY_SIGMA * random.standard_normal(users))
    most = round(MOST_ACTIVE * movies)

    def counts(scale: float) -> Integers:
        return np.clip(np.rint(scale * skewed), 1, most).astype(np.int64)

    drawn = counts(_bisect(lambda scale: int(counts(scale).sum()) <= ratings, 0, most / float(skewed.min())))
    drawn[np.flatnonzero(drawn < most)[: ratings - int(drawn.sum())]] += 1
    return drawn


def _popularity(users: int, movies: int, ratings: int) -> Doubles:
    """Ratings by movie, falling: the curve's steepness is what gives the mean."""
    rank = (np.arange(movies) / movies) ** POPULARITY_POWER
    top = MOST_POPULAR * users
    steepness = _bisect(lambda steep: float(np.exp(-steep * rank).mean()) * top >= ratings / movies, 0, STEEPEST)
    counts = top * np.exp(-steepness * rank)
    return np.asarray(counts * (ratings / counts.sum()))


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The largest number up to `high` for which `holds`, which it does at `low`."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _calibrate(random: Generator, users: Users, affinity: Doubles, targets: Doubles, prospects: Floats) -> Doubles:
    """Weights with which the movies get about their target numbers of ratings, although nobody rates a movie twice.

    The sample has users in proportion to their ratings, since it is the active ones who rate the rare movies.
    """
    order = np.argsort(users.counts, kind="stable")
    ends = np.cumsum(users.counts[order])
    every = int(ends[-1]) / SAMPLE
    chosen = order[np.searchsorted(ends, (np.arange(SAMPLE) + random.random()) * every, side="right")]
    sample = Users._make(column[chosen] for column in users)
    efforts = sample.counts.astype(np.float64)
    weights: Doubles = targets / targets.sum()
    for _ in range(ROUNDS):
        attention = _share_attention(weights, affinity)
        expected = expect_counts(sample, every / sample.counts, efforts, attention, prospects).sum(axis=0)
        weights *= np.clip(targets / expected, 0.2, 5)
        weights /= weights.sum()
    return weights


def _share_attention(weights: Doubles, affinity: Doubles) -> Doubles:
    """Groups x movies: each group's attention adds up to 1."""
    attention: Doubles = np.ascontiguousarray(weights * affinity)
    attention /= attention.sum(axis=1, keepdims=True)
    return attention
