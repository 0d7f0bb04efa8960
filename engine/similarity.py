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
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engine.kernels import accumulate_gram, choose_candidates, count_row_work, mirror_upper, solve_targets

# The Gram matrix is dense: 3.6 GB at this size. Rarer movies get no weights from the fit.
MOST_MOVIES = 30_000
# How the work's shares are told: the Gram matrix in so many steps, the rest in two.
GRAM_STEPS = 20
GRAM_SHARE = 0.8


@dataclass(frozen=True)
class SimilarityParameters:
    """What the fit depends on; the defaults were chosen on validation splits (docs/evaluation.md).

    The letters are those of DESIGN, "The engine". Raises ValueError for a value that leaves nothing to fit.
    """

    neighbours: int = 50  # K: weights out of a movie
    candidates: int = 200  # C: movies that a target's first regression looks at
    ridge: float = 100.0  # λ, relative to the mean weight of a user
    popularity_ridge: float = 2.0  # p/q: ridge that grows with a movie's own weight
    candidate_exponent: float = 0.35  # alpha: how much popular movies are held back as candidates
    user_exponent: float = 0.5  # a: how much less the movies of long histories count
    popularity_discount: float = 0.05  # β: how much popular targets are held back

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.candidates < 1:
            raise ValueError("neighbours and candidates must be at least 1")
        if self.ridge <= 0 or self.popularity_ridge < 0:
            raise ValueError("ridge must be positive and popularity_ridge not negative")


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
    """Fit the weights. `positives`: users x movies, what is stored in it counts as 1, once a pair.

    `progress` is told the shares of the whole work as they are done.
    """
    movies = most_rated(positives, MOST_MOVIES)
    all_columns = len(movies) == positives.shape[1]  # then spare the memory of a copy
    matrix = positives if all_columns and positives.has_canonical_format else csr_array(positives[:, movies])
    matrix.sum_duplicates()  # sorts too
    with threadpool_limits(1, user_api="blas"):  # each regression is one thread's
        source, target, weight = _fit_edges(matrix, parameters, progress)
    rank = _rank_in_source(source, target, weight)
    order = np.lexsort((rank, source))
    return Similarities(
        source=movies[source[order]].astype(np.int32),
        target=movies[target[order]].astype(np.int32),
        weight=weight[order],
        rank=rank[order].astype(np.int32),
    )


def most_rated(positives: csr_array, most: int) -> NDArray[np.int64]:
    """Columns with a positive, at most so many, those with the most first choice; ascending."""
    counts = np.bincount(positives.indices, minlength=positives.shape[1])
    columns = np.flatnonzero(counts)
    if len(columns) > most:
        columns = np.sort(columns[np.argsort(-counts[columns], kind="stable")[:most]])
    return columns.astype(np.int64)


def gram_matrix(
    matrix: csr_array, user_exponent: float, progress: Callable[[float], object] = lambda _: None
) -> NDArray[np.float32]:
    """XᵀDX (movies x movies) with D = diag(n_u^-user_exponent), n_u the length of a user's row.

    `matrix`: users x movies, canonical CSR. `progress` is told shares of the work.
    """
    indptr, indices = matrix.indptr, matrix.indices
    movies = matrix.shape[1]
    user_weights = np.maximum(np.diff(indptr), 1).astype(np.float32) ** np.float32(-user_exponent)
    work = np.cumsum(count_row_work(indptr, indices, movies))
    shares = np.linspace(0, work[-1] if movies else 0, get_num_threads() + 1)[1:-1]
    stripes = np.concatenate(([0], np.searchsorted(work, shares), [movies])).astype(np.int64)
    gram = np.zeros((movies, movies), dtype=np.float32)
    bounds = np.linspace(0, len(user_weights), GRAM_STEPS + 1).astype(np.int64)
    for begin, end in pairwise(bounds):  # users stay in order, so the sums are the same as in one go
        accumulate_gram(indptr[begin : end + 1], indices, user_weights[begin:end], stripes, gram)
        progress(1 / GRAM_STEPS)
    mirror_upper(gram)
    return gram


def _fit_edges(
    matrix: csr_array, parameters: SimilarityParameters, progress: Callable[[float], object]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Sources, targets and weights of the kept edges, by target."""
    gram = gram_matrix(matrix, parameters.user_exponent, lambda share: progress(share * GRAM_SHARE))
    diagonal = gram.diagonal().copy()
    if len(diagonal) == 0:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, np.empty(0, dtype=np.float32)
    scale = np.float32(diagonal.sum(dtype=np.float64) / matrix.nnz)
    ridge = np.float32(parameters.ridge) * scale + np.float32(parameters.popularity_ridge) * diagonal
    discount = diagonal ** np.float32(-parameters.popularity_discount)
    held_back = diagonal ** np.float32(-parameters.candidate_exponent)
    chosen = choose_candidates(gram, held_back, min(parameters.candidates, len(gram)))
    target, position = np.nonzero(chosen >= 0)
    source = chosen[target, position]
    weight = solve_targets(gram, ridge, _offsets(target, len(gram)), source)
    progress((1 - GRAM_SHARE) / 2)
    kept = _rank_in_source(source, target, weight * discount[target]) <= parameters.neighbours
    source, target = source[kept], target[kept]
    weight = solve_targets(gram, ridge, _offsets(target, len(gram)), source)
    progress((1 - GRAM_SHARE) / 2)
    return source, target, weight * discount[target]


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
