"""Item-item weights: a sparse linear model with zero diagonal, one small ridge regression per target movie.

The closed form of SLIM with feature selection (Ning & Karypis 2011), regularised by popularity like EDLAE (Steck 2020),
cut to the edges that count most and solved again for just those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import get_num_threads
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.kernels import accumulate_gram, mirror_upper, solve_targets
from engine.selection import find_largest
from graph.serving_rule import NEIGHBOURS

# The Gram matrix is dense: 3.6 GB at this size. Rarer movies get no weights from the fit.
MOST_MOVIES = 30_000
# Rows of dense weights that are sorted at once.
SOURCES_AT_ONCE = 1024
# Beyond so many times the reach pairs count as far apart.
REACHES = 8
# How the work's shares are told: the Gram matrix in so many steps, the rest in two.
GRAM_STEPS = 20
GRAM_SHARE = 0.8
ALL_ALIKE = np.ones(1, dtype=np.float32)


@dataclass(frozen=True)
class SimilarityParameters:
    """What the fit depends on; the defaults were chosen on validation splits (docs/evaluation.md).

    The letters are those of DESIGN, "The engine". Raises ValueError for a value that leaves nothing to fit.
    """

    neighbours: int = NEIGHBOURS  # K: weights out of a movie
    candidates: int = 200  # C: movies that a target's first regression looks at
    ridge: float = 100.0  # λ, relative to the mean weight of a user
    popularity_ridge: float = 2.0  # p/q: ridge that grows with a movie's own weight
    candidate_exponent: float = 0.35  # alpha: how much popular movies are held back as candidates
    user_exponent: float = 0.5  # a: how much less the movies of long histories count
    popularity_discount: float = 0.05  # β: how much popular targets are held back
    far_share: float = 0.3  # what a pair far apart in a user's order counts, beside 1 for one side by side
    reach: float = 30.0  # places apart at which the rest has fallen to 1/e

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.candidates < 1:
            raise ValueError("neighbours and candidates must be at least 1")
        if self.ridge <= 0 or self.popularity_ridge < 0:
            raise ValueError("ridge must be positive and popularity_ridge not negative")
        if not 0 <= self.far_share <= 1 or self.reach <= 0:
            raise ValueError("far_share must be between 0 and 1, and reach positive")

    def closeness(self) -> NDArray[np.float32]:
        """What a pair counts by how many places it is apart, until hardly anything changes."""
        distances = np.arange(int(REACHES * self.reach) + 2)
        return (self.far_share + (1 - self.far_share) * np.exp(-distances / self.reach)).astype(np.float32)


@dataclass(frozen=True)
class Similarities:
    """Weights as edges, by source and then rank; `source` and `target` are columns of the matrix.

    All four have one element an edge; `rank` 1 is the source's weight of largest absolute value.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]
    rank: NDArray[np.int32]


def fit_similarities(
    positives: csr_array,
    parameters: SimilarityParameters = SimilarityParameters(),
    progress: Callable[[float], object] = lambda _: None,
) -> Similarities:
    """Fit the weights. `positives`: users x movies; stored is a positive's place in its user's order of watching.

    Of places only how far apart they are matters: movies watched about the same time tell more of each other.

    `progress` is told the shares of the whole work as they are done.
    """
    movies = most_rated(positives, MOST_MOVIES)
    all_columns = len(movies) == positives.shape[1]  # then spare the memory of a copy
    matrix = positives if all_columns and positives.has_canonical_format else csr_array(positives[:, movies])
    matrix.sum_duplicates()  # sorts too
    source, target, weight = _fit_edges(matrix, parameters, progress)
    return _order_edges(movies[source], movies[target], weight)


def keep_strongest(weights: csr_array | NDArray[np.float32], neighbours: int) -> Similarities:
    """Of any weights, source x target, those of largest absolute value out of each source; none of 0."""
    sources, targets, kept_weights = [], [], []
    for first in range(0, weights.shape[0], SOURCES_AT_ONCE):
        block = csr_array(weights[first : first + SOURCES_AT_ONCE])
        block.eliminate_zeros()
        source, target = (axis.astype(np.int64) for axis in block.nonzero())
        weight = block.data.astype(np.float32)
        kept = _rank_in_source(source, target, weight) <= neighbours
        sources.append(source[kept] + first)
        targets.append(target[kept])
        kept_weights.append(weight[kept])
    if not sources:
        return _order_edges(*_no_edges())
    return _order_edges(np.concatenate(sources), np.concatenate(targets), np.concatenate(kept_weights))


def most_rated(positives: csr_array, most: int) -> NDArray[np.int64]:
    """Columns with a positive, at most so many, those with the most first choice; ascending."""
    return find_largest(np.bincount(positives.indices, minlength=positives.shape[1]), most)


def gram_matrix(
    matrix: csr_array,
    user_exponent: float,
    closeness: NDArray[np.float32] = ALL_ALIKE,
    progress: Callable[[float], object] = lambda _: None,
) -> NDArray[np.float32]:
    """XᵀDX (movies x movies) with D = diag(n_u^-user_exponent), n_u the length of a user's row.

    Each pair of a user's movies counts by how many places they are apart: a positive definite kernel, so that it stays
    a Gram matrix. `matrix`: users x movies, canonical CSR, places stored. `progress` is told shares of the work.
    """
    user_weights = np.maximum(np.diff(matrix.indptr), 1).astype(np.float32) ** np.float32(-user_exponent)
    gram = np.zeros((matrix.shape[1], matrix.shape[1]), dtype=np.float32)
    bounds = np.linspace(0, len(user_weights), GRAM_STEPS + 1).astype(np.int64).tolist()
    for begin, end in pairwise(bounds):  # users stay in order, so the sums are the same as in one go
        part = matrix[begin:end]
        positions = np.arange(part.nnz, dtype=part.indices.dtype)
        movies = csr_array((positions, part.indices, part.indptr), shape=part.shape).tocsc()
        accumulate_gram(
            (part.indptr, part.indices, part.data),
            (movies.indptr, movies.indices, movies.data),
            user_weights[begin:end],
            closeness,
            get_num_threads(),
            gram,
        )
        progress(1 / GRAM_STEPS)
    mirror_upper(gram)
    return gram


def _fit_edges(
    matrix: csr_array, parameters: SimilarityParameters, progress: Callable[[float], object]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Sources, targets and weights of the kept edges, by target."""
    closeness = parameters.closeness()
    gram = gram_matrix(matrix, parameters.user_exponent, closeness, lambda share: progress(share * GRAM_SHARE))
    diagonal = gram.diagonal().copy()
    if len(diagonal) == 0:
        return _no_edges()
    scale = np.float32(diagonal.sum(dtype=np.float64) / matrix.nnz)
    ridge = np.float32(parameters.ridge) * scale + np.float32(parameters.popularity_ridge) * diagonal
    discount = diagonal ** np.float32(-parameters.popularity_discount)
    held_back = diagonal ** np.float32(-parameters.candidate_exponent)
    source, target = _choose_candidates(gram, held_back, parameters.candidates)
    weight = solve_targets(gram, ridge, _offsets(target, len(gram)), source)
    progress((1 - GRAM_SHARE) / 2)
    kept = _rank_in_source(source, target, weight * discount[target]) <= parameters.neighbours
    source, target = source[kept], target[kept]
    weight = solve_targets(gram, ridge, _offsets(target, len(gram)), source)
    progress((1 - GRAM_SHARE) / 2)
    return source, target, weight * discount[target]


def _choose_candidates(
    gram: NDArray[np.float32], movie_weights: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """To each target from the `count` movies i with the largest gram[i, target] · movie_weights[i]; by target, source.

    Only movies that share a user with the target, never itself; of equals the first ones.
    """
    chosen = []
    for target in range(len(gram)):
        scores = gram[target] * movie_weights
        scores[target] = 0
        chosen.append(find_largest(scores, count))
    targets = np.repeat(np.arange(len(gram)), [len(sources) for sources in chosen])
    return np.concatenate(chosen), targets


def _no_edges() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    nothing = np.empty(0, dtype=np.int64)
    return nothing, nothing, np.empty(0, dtype=np.float32)


def _order_edges(source: NDArray[np.int64], target: NDArray[np.int64], weight: NDArray[np.float32]) -> Similarities:
    """Edges by source and rank."""
    rank = _rank_in_source(source, target, weight)
    order = np.lexsort((rank, source))
    return Similarities(
        source[order].astype(np.int32), target[order].astype(np.int32), weight[order], rank[order].astype(np.int32)
    )


def _offsets(target: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Where each target's edges begin, given edges by target."""
    return np.concatenate(([0], np.cumsum(np.bincount(target, minlength=count)))).astype(np.int64)


def _rank_in_source(
    source: NDArray[np.int64], target: NDArray[np.int64], weight: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Rank of each edge among its source's by absolute weight, from 1; of equals the lower target first."""
    order = np.lexsort((target, -np.abs(weight), source))
    begins = _offsets(source, int(source.max(initial=-1)) + 1)
    rank = np.empty(len(source), dtype=np.int64)
    rank[order] = np.arange(len(source)) - begins[source[order]] + 1
    return rank
