"""What is current at a moment: how many people watched each movie, and the same decayed by age."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.times import DAY
from engine.interactions import Interactions
from graph.recency import COUNTED_FROM, HALF_LIVES

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Recency:
    """What `(:Movie)` keeps of people who watched or rated it (graph.recency), as of the newest of their moments.

    `decayed`: by half-life in days, each person counting 2 ^ (-age / half-life). `viewers`: each counting 1. `users`:
    how many people there are.
    """

    decayed: dict[int, Values]
    viewers: Values
    users: int

    @property
    def shares(self) -> Values:
        """Share of all users who watched each movie."""
        return self.viewers / max(1, self.users)


def measure_recency(ratings: Interactions) -> Recency:
    """What is current when the newest of some ratings is made; those of few stars do not count."""
    counted = ratings.stars.data >= COUNTED_FROM
    movies, at = ratings.stars.indices[counted], ratings.at[counted]
    age = (at.max(initial=0) - at) / DAY

    def count(weights: Values | None) -> Values:
        return np.bincount(movies, weights=weights, minlength=ratings.movies).astype(np.float64)

    decayed = {half_life: count(2.0 ** (-age / half_life)) for half_life in HALF_LIVES}
    return Recency(decayed, count(None), int((np.diff(ratings.stars.indptr) > 0).sum()))
