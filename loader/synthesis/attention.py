"""Attention to the movies of `generator` in time: it jumps at the release, fades to a long tail, and comes back.

The tail is 1 from the release to the end; waves of attention stand on it.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loader.synthesis.tables import DAYS, FIRST_DAY, Doubles, Floats, Integers

PERIODS = 75
PERIOD = DAYS / PERIODS  # days
POOL = 1024  # places for current movies
LATEST_RELEASE = DAYS - 90  # later ones would have all of their ratings within days
HEIGHTS = (200.0, 50.0, 50.0, 50.0, 50.0)
FADE = 60.0  # median of days in which a wave falls to 1/e
FADE_SPREAD = 0.5


def draw_releases(random: Generator, years: Integers) -> Integers:
    """Days since FIRST_DAY, 0 for what is older. `years`: 0 for unknown."""
    january = ((years - 1970).astype("datetime64[Y]").astype("datetime64[D]") - FIRST_DAY).astype(np.int64)
    return np.asarray(np.clip(january + random.integers(365, size=len(years)), 0, LATEST_RELEASE))


def draw_waves(random: Generator, released: Integers) -> Doubles:
    """Periods x movies: the waves' mean height. What is older than FIRST_DAY has its first wave on any day."""
    starts = np.arange(PERIODS + 1)[:, None] * PERIOD
    waves = np.zeros((PERIODS, len(released)))
    for number, height in enumerate(HEIGHTS):
        anywhere = random.random(len(released)) * (DAYS - released)
        onsets = released + np.where((number == 0) & (released > 0), 0, anywhere)
        fades = FADE * random.lognormal(0, FADE_SPREAD, len(released))
        areas = height * random.exponential(1, len(released)) * fades
        waves -= areas / PERIOD * np.diff(np.exp(-np.maximum(starts - onsets, 0) / fades), axis=0)
    return waves


def add_tails(waves: Doubles, released: Integers) -> Floats:
    """Periods x movies: all attention."""
    starts = np.arange(PERIODS + 1)[:, None] * PERIOD
    return np.asarray(waves + np.diff(np.maximum(starts - released, 0), axis=0) / PERIOD, dtype=np.float32)


def average_ahead(lively: Floats) -> Floats:
    """Periods x movies: the mean from each period to the last."""
    sums = np.cumsum(lively[::-1], axis=0)[::-1]
    return np.asarray(sums / np.arange(len(lively), 0, -1, dtype=np.float32)[:, None])


def pool_current(attention: Doubles, waves: Doubles) -> tuple[Floats, NDArray[np.int32]]:
    """`currency` and `current` of Movies. `attention`: groups x movies, each group's adds up to 1."""
    currency = np.empty((len(waves), len(attention)), dtype=np.float32)
    current = np.empty((*currency.shape, POOL), dtype=np.int32)
    places = (np.arange(POOL) + 0.5) / POOL
    for period, heights in enumerate(waves):
        for group, shares in enumerate(attention):
            sums = np.cumsum(shares * heights)
            currency[period, group] = sums[-1] / (1 + sums[-1])
            current[period, group] = np.searchsorted(sums, places * sums[-1], side="right")
    return currency, current
