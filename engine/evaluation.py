"""Accuracy of ranked lists, by the definitions of the papers that the published figures are from.

A list is a row of columns of the user-movie matrix, best first, each once, filled up with -1; whether a matrix or a
traversal made it does not matter. `relevant` marks what is to be found: csr_array, users x movies. Users with nothing
to find have no accuracy (nan) and count nowhere.

Recall@k and NDCG@k as in Liang et al. 2018 (Variational Autoencoders for Collaborative Filtering): recall is capped,
found / min(k, to be found), and gains are binary. LightGCN (He et al. 2020) and the tables that follow it do not cap:
`capped=False`. HR@k (hit rate), MRR@k and MAP@k are the usual ones; MAP divides by min(k, to be found).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from common.errors import RecommenderError

Columns = NDArray[np.int64]
Values = NDArray[np.float64]

CONFIDENCE = 1.96  # 95 % of a normal distribution


class NothingToFindError(RecommenderError, ValueError):
    """Nobody has anything to find, so there is no accuracy."""


@dataclass(frozen=True)
class Estimate:
    """A mean over users with its 95 % confidence interval, mean ± half_width (infinite for a single user)."""

    mean: float
    half_width: float
    users: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def measure_users(
    ranked: Columns, relevant: csr_array, cutoffs: Sequence[int], *, capped: bool = True
) -> dict[str, Values]:
    """Recall, NDCG, HR, MRR and MAP of each user at each cutoff, by name (`recall@20`)."""
    hits = find_hits(ranked, relevant)
    wanted = np.diff(relevant.indptr)
    found = {}
    for k in cutoffs:
        most = np.minimum(k, wanted) if capped else wanted
        found[f"recall@{k}"] = recall_at(hits, most, k)
        found[f"ndcg@{k}"] = ndcg_at(hits, np.minimum(k, wanted), k)
        found[f"hr@{k}"] = hit_rate_at(hits, k)
        found[f"mrr@{k}"] = reciprocal_rank_at(hits, k)
        found[f"map@{k}"] = average_precision_at(hits, np.minimum(k, wanted), k)
    return {name: np.where(wanted > 0, values, np.nan) for name, values in found.items()}


def find_hits(ranked: Columns, relevant: csr_array) -> NDArray[np.bool_]:
    """Which places of the lists hold what is to be found, in the shape of `ranked`."""
    users, movies = relevant.shape
    rows = np.repeat(np.arange(users), np.diff(relevant.indptr))
    hits = np.isin(ranked + np.arange(users)[:, None] * movies, rows * movies + relevant.indices)
    return np.asarray(hits & (ranked >= 0))


def recall_at(hits: NDArray[np.bool_], wanted: Columns, k: int) -> Values:
    """Hits among the first k, as a share of `wanted` (how many a full recall has, for each user)."""
    return np.asarray(hits[:, :k].sum(axis=1) / np.maximum(wanted, 1))


def ndcg_at(hits: NDArray[np.bool_], wanted: Columns, k: int) -> Values:
    """Σ 1 / log2(1 + rank) over the hits among the first k, as a share of the sum for `wanted` hits on top."""
    gains = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate(([0], np.cumsum(gains)))[wanted]
    found = (hits[:, :k] * gains[: hits.shape[1]]).sum(axis=1)
    return np.asarray(found / np.maximum(best, 1))  # a first place alone gives 1


def hit_rate_at(hits: NDArray[np.bool_], k: int) -> Values:
    """1 where there is a hit among the first k, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank_at(hits: NDArray[np.bool_], k: int) -> Values:
    """1 / rank of the first hit, 0 where there is none among the first k."""
    first = hits[:, :k]
    ranks = np.arange(1, first.shape[1] + 1)
    return np.asarray((first / ranks).max(axis=1, initial=0))


def average_precision_at(hits: NDArray[np.bool_], wanted: Columns, k: int) -> Values:
    """Σ of the precision at each hit among the first k, as a share of `wanted`."""
    first = hits[:, :k]
    precision = np.cumsum(first, axis=1) / np.arange(1, first.shape[1] + 1)
    return np.asarray((precision * first).sum(axis=1) / np.maximum(wanted, 1))


def measure_coverage(ranked: Columns, movies: int) -> Estimate:
    """Share of all movies that are in anybody's list; its interval by the jackknife over users."""
    users = len(ranked)
    counts = np.bincount(ranked[ranked >= 0], minlength=movies)
    alone = ((ranked >= 0) & (counts[ranked] == 1)).sum(axis=1)  # movies that nobody else's list has
    variance = (users - 1) / users * ((alone - alone.mean()) ** 2).sum()
    half_width = CONFIDENCE * float(np.sqrt(variance)) / movies if users > 1 else float("inf")
    return Estimate(float((counts > 0).sum() / movies), half_width, users)


def measure_overlap(ranked: Columns, length: int) -> Estimate:
    """Mean share of `length` places that the lists of two users have in common, over all pairs of different users.

    0 where nobody's movies are anybody else's, 1 where all have the same. The interval is that of a U-statistic of
    order 2 (Hoeffding 1948): twice that of the users' own means. nan for a single user.
    """
    users = len(ranked)
    if users < 2:
        return Estimate(float("nan"), float("inf"), users)
    places = ranked >= 0
    others = np.bincount(ranked[places]) - 1
    shared = np.zeros(ranked.shape)
    shared[places] = others[ranked[places]]
    means = shared.sum(axis=1) / (users - 1) / length
    return Estimate(float(means.mean()), float(2 * CONFIDENCE * means.std(ddof=1) / np.sqrt(users)), users)


def mean_popularity(ranked: Columns, shares: Values) -> Values:
    """Mean share of users who know the movies of each list (nan for an empty one); what is novel has a low one.

    `shares`: for each movie, the share of users who have it in the training part.
    """
    places = ranked >= 0
    count = places.sum(axis=1)
    total = np.where(places, shares[ranked], 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def estimate_mean(values: Values) -> Estimate:
    """The mean of one value a user, nan left out, with the interval of the normal approximation.

    Raises NothingToFindError if there is no value.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        raise NothingToFindError("no user has a relevant movie in the test part")
    half_width = CONFIDENCE * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else float("inf")
    return Estimate(float(known.mean()), float(half_width), len(known))


def estimate_by_user(values: Values, users: Columns) -> Estimate:
    """Mean of all values with its 95 % interval over users, whose values are not independent of each other.

    `users`: the user (a row or id) of each value. Cluster-robust (Liang & Zeger 1986): what each user's values add up
    to around the mean is one observation. Raises NothingToFindError if there is no value.
    """
    if len(values) == 0:
        raise NothingToFindError("there is nothing to estimate a mean from")
    mean, known = float(values.mean()), int(np.unique(users).size)
    if known < 2:
        return Estimate(mean, float("inf"), known)
    sums = np.bincount(users, weights=values - mean)
    variance = known / (known - 1) * (sums**2).sum() / len(values) ** 2
    return Estimate(mean, float(CONFIDENCE * np.sqrt(variance)), known)
