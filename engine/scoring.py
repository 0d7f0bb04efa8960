"""Scores by a serving rule: what the traversal computes (cypher/recommend_movies.cypher), on arrays."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.baselines import Floats
from engine.interactions import Columns
from engine.ranking_kernels import rank_best
from engine.recency import Recency
from graph.serving_rule import ServingRule

Values = NDArray[np.float64]


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

    The traversal looks at those that the history speaks for and at the first few hundred of what is watched most lately
    and ever; here are all movies that anybody watched, so the lists are the same if `count` is small beside that.
    `tastes`: of `sum_tastes`. `seen`: users x movies, what is stored is never ranked; columns ascending.
    """
    shares = recency.shares
    now = (recency.decayed[rule.half_life] + rule.long_run * shares) ** rule.exponent
    current = np.where(recency.viewers > 0, now, 0.0)
    gain = rule.gain / (shares + rule.popularity_offset)
    order = np.argsort(-current, kind="stable")
    return rank_best(
        (tastes.indptr, tastes.indices, tastes.data),
        (seen.indptr, seen.indices),
        current,
        gain,
        order[current[order] > 0],
        count,
    )
