"""Scores by a serving rule: what the traversal computes (cypher/recommend_movies.cypher), on arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.baselines import Floats, rank_by_scores
from engine.interactions import Columns
from engine.recency import Recency
from graph.repositories.recommendations import INDEXED
from graph.serving_rule import ServingRule

Values = NDArray[np.float64]


@dataclass(frozen=True)
class MovieParts:
    """The parts of a score that are a movie's own: `current`, and `gain`, by which a taste of 1 raises it."""

    current: Values
    gain: Values

    def score(self, tastes: Values) -> Values:
        """Scores by tastes, users x movies; 0 for movies that nobody has watched."""
        return np.asarray(self.current * (1 + self.gain * tastes))


def weigh_movies(recency: Recency, rule: ServingRule) -> MovieParts:
    """Each movie's own parts of the score."""
    current = (recency.decayed[rule.half_life] + rule.long_run * recency.shares) ** rule.exponent
    gain = rule.gain / (recency.shares + rule.popularity_offset)
    return MovieParts(np.where(recency.viewers > 0, current, 0.0), gain)


def sum_tastes(history: csr_array, weights: csr_array | Floats) -> csr_array:
    """Positive sums of weight · SIMILAR.weight, as a share of the history's weights: users x movies.

    `history`: users x movies, what each interaction counts. `weights`: source x target.
    """
    total = np.asarray(abs(history).sum(axis=1))
    tastes = csr_array(history.astype(np.float64) @ weights)
    tastes.data /= np.repeat(np.where(total > 0, total, 1), np.diff(tastes.indptr))
    tastes.data[tastes.data < 0] = 0
    tastes.eliminate_zeros()
    tastes.sort_indices()
    return tastes


def rank_by_rule(tastes: csr_array, recency: Recency, rule: ServingRule, seen: csr_array, count: int) -> Columns:
    """The best `count` movies of each user, -1 where there are no more: users x count.

    Candidates are those of the traversal: the movies that the history speaks for, and the first INDEXED that the user
    has not seen of those most watched lately and of those most watched ever. `tastes`: of `sum_tastes`.
    """
    parts = weigh_movies(recency, rule)
    indexes = [_order(recency.decayed[rule.half_life]), _order(recency.viewers)]

    def scores(rows: slice) -> Values:
        own = tastes[rows].toarray()
        unseen = seen[rows].toarray() == 0
        candidates = own > 0
        for order in indexes:
            ordered = unseen[:, order]
            candidates[:, order] |= ordered & (np.cumsum(ordered, axis=1) <= INDEXED)
        return np.where(candidates, parts.score(own), 0.0)

    return rank_by_scores(scores, seen, count)


def _order(values: Values) -> Columns:
    """Movies with a value by falling value, of equals the lower first."""
    order = np.argsort(-values, kind="stable")
    return np.asarray(order[values[order] > 0])
