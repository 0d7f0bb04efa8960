"""Splits of ratings, and the accuracy of ranked lists by Recall@k and NDCG@k as in Liang et al. 2018.

(Variational Autoencoders for Collaborative Filtering.) A ranked list is an array of movie ids or columns, best first,
each once; where it came from, a matrix or a traversal, does not matter. It must leave out all that the user rated in
the training part. Relevant movies are test ratings of RELEVANT_FROM stars or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

# Stars from which a test rating counts as a hit.
RELEVANT_FROM = 4.0


@dataclass(frozen=True)
class Estimate:
    """A mean over users with its 95 % confidence interval, mean ± half_width (infinite for a single user)."""

    mean: float
    half_width: float
    users: int


@dataclass(frozen=True)
class Accuracy:
    """How good ranked lists are, over the users who have something relevant to find."""

    recall: Estimate
    ndcg: Estimate


def split_random(users: Ids, seed: int, share: float = 0.2) -> NDArray[np.bool_]:
    """Which ratings are test ratings: `share` of each user's, rounded down, but at least 1 of 5 or more.

    `users` has the user (row or id) of each rating. The same order and seed give the same split.
    """
    _, user = np.unique(users, return_inverse=True)
    counts = np.bincount(user)
    wanted = np.floor(counts * share + 1e-9).astype(np.int64)
    wanted = np.where(counts >= 5, np.maximum(wanted, 1), wanted)
    order = np.lexsort((np.random.default_rng(seed).random(len(user)), user))
    begins = np.cumsum(counts) - counts
    place = np.empty(len(user), dtype=np.int64)
    place[order] = np.arange(len(user)) - begins[user[order]]
    return np.asarray(place < wanted[user])


def group_by_user(users: Ids, movies: Ids, count: int) -> list[Ids]:
    """The movies of each of `count` users, from pairs of row and movie."""
    order = np.argsort(users, kind="stable")
    bounds = np.searchsorted(users[order], np.arange(1, count))
    return list(np.split(movies[order], bounds)) if count else []


def measure_rankings(ranked: Sequence[Ids], relevant: Sequence[Ids], k: int) -> Accuracy:
    """Recall@k and NDCG@k of one ranked list a user, given the user's relevant movies.

    `ranked` may be a users x n array; a shorter list, or one filled up with -1, misses the rest. Users with nothing
    relevant do not count; raises ValueError if none is left.
    """
    pairs = [(own, wanted) for own, wanted in zip(ranked, relevant, strict=True) if len(wanted)]
    return Accuracy(
        recall=estimate_mean(np.array([recall_at(own, wanted, k) for own, wanted in pairs])),
        ndcg=estimate_mean(np.array([ndcg_at(own, wanted, k) for own, wanted in pairs])),
    )


def recall_at(ranked: Ids, relevant: Ids, k: int) -> float:
    """Relevant movies among the first k, as a share of min(k, relevant ones)."""
    return float(np.isin(ranked[:k], relevant).sum() / min(k, len(relevant)))


def ndcg_at(ranked: Ids, relevant: Ids, k: int) -> float:
    """Σ 1 / log2(1 + rank) over the relevant movies among the first k, as a share of the best possible sum."""
    gains = 1 / np.log2(np.arange(2, k + 2))
    hits = np.isin(ranked[:k], relevant)
    return float(gains[: len(hits)][hits].sum() / gains[: min(k, len(relevant))].sum())


def estimate_mean(values: NDArray[np.float64]) -> Estimate:
    """The mean of one value a user, with the interval of the normal approximation."""
    if len(values) == 0:
        raise ValueError("no user has a relevant movie in the test part")
    if len(values) == 1:
        return Estimate(float(values[0]), float("inf"), 1)
    half_width = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return Estimate(float(values.mean()), float(half_width), len(values))
