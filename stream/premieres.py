"""What simulated viewers talk about: a few of the catalogue's movies, which come up one after the other and fade."""

import math
import random
from collections.abc import Sequence

from graph.repositories.movies import Movie

PEAK = 2.0  # a movie is watched most so many premieres after its own
LASTING = 12  # premieres until it is forgotten


class Premieres:
    """One movie after the other becomes current; when and which follows from the seed."""

    def __init__(self, movies: Sequence[Movie], every: float, seed: int) -> None:
        """`every`: seconds from one premiere to the next; the first ones are before second 0."""
        self._movies = movies
        self._every = every
        self._seed = seed

    def draw(self, now: float, rng: random.Random) -> Movie:
        """A movie that is current at a moment (seconds), rather one that many talk about."""
        newest = math.floor(now / self._every)
        numbers = range(newest - LASTING, newest + 1)
        buzz = [_measure_buzz(now / self._every - number) for number in numbers]
        return self._premiere(rng.choices(numbers, buzz)[0])

    def _premiere(self, number: int) -> Movie:
        return random.Random(f"{self._seed} {number}").choice(self._movies)  # noqa: S311


def _measure_buzz(age: float) -> float:
    """How much is said of a movie so many premieres after its own, 1 at most."""
    return age / PEAK * math.exp(1 - age / PEAK)
