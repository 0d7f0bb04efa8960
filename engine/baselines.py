"""What the engine is measured against, popularity, recency and dense EASE, and the ranking of movies by any model.

Item-item weights are matrices source x target: a user's scores are `history @ weights`.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_array

from engine.kernels import mirror_upper
from engine.similarity import Similarities, gram_matrix

Columns = NDArray[np.int64]
Floats = NDArray[np.float32]
Scores = NDArray[np.float32] | NDArray[np.float64]

# Users that are scored at once: 36 MB of scores for 17,770 movies.
BATCH = 512


def count_popularity(positives: csr_array) -> Floats:
    """How many positives each movie has. `positives`: users x movies."""
    return np.bincount(positives.indices, minlength=positives.shape[1]).astype(np.float32)


def order_by_recency(movies: Columns, ages: NDArray[np.float64], count: int) -> Floats:
    """A score of each of `count` movies by Σ 2^-age over what was watched of it: the higher, the more was, lately.

    `movies`, `ages`: of each interaction, the age in half-lives. Sums are compared by their logarithms, so that no age
    is too old; the score is the place from the end of the order, -inf for what nobody watched.
    """
    sums = np.full(count, -np.inf)
    np.logaddexp2.at(sums, movies, -ages)
    scores = np.empty(count, dtype=np.float32)
    scores[np.argsort(-sums, kind="stable")] = np.arange(count, 0, -1)
    scores[sums == -np.inf] = -np.inf
    return scores


def fit_ease(positives: csr_array, ridge: float) -> Floats:
    """Dense weights of EASE (Steck 2019, Embarrassingly Shallow Autoencoders): B = P / -diag(P), zero diagonal.

    P is the inverse of XᵀX + ridge · I. `positives`: users x movies, what is stored counts as 1, canonical CSR. Takes
    two float32 matrices movies x movies; for up to some 30,000 movies (32-bit LAPACK). Raises ValueError if the matrix
    cannot be inverted, for want of ridge.
    """
    users, movies = positives.shape
    if movies == 0:
        return np.empty((0, 0), dtype=np.float32)
    inverse = _invert_by_users(positives, ridge) if users < movies else _invert_by_movies(positives, ridge)
    diagonal = inverse.diagonal().copy()
    inverse /= -diagonal
    np.fill_diagonal(inverse, 0)
    return inverse


def build_weights(similarities: Similarities, movies: int) -> csr_array:
    """The weights as a matrix, source x target."""
    coordinates = (similarities.source, similarities.target)
    return csr_array((similarities.weight, coordinates), shape=(movies, movies))


def rank_by_weights(history: csr_array, weights: csr_array | Floats, seen: csr_array, count: int) -> NDArray[np.int64]:
    """The best `count` movies of each user by `history @ weights`, -1 where there are no more: users x count.

    `history`: users x movies, what each interaction counts. `seen`: users x movies, what is stored is never ranked.
    Like the traversal it adds sparse weights up in double precision, and ranks what the history reaches: a movie whose
    score is exactly 0 is left out.
    """
    if isinstance(weights, np.ndarray):
        single = history.astype(np.float32)
        return rank_by_scores(lambda rows: np.asarray(single[rows] @ weights), seen, count)
    double = history.astype(np.float64)
    return rank_by_scores(lambda rows: csr_array(double[rows] @ weights).toarray(), seen, count)


def rank_by_scores(scores: Callable[[slice], Scores], seen: csr_array, count: int) -> NDArray[np.int64]:
    """The best `count` movies of each user by the scores of a batch of users (users x movies; exactly 0: none)."""
    ranked = np.full((seen.shape[0], count), -1, dtype=np.int64)
    for rows in _batches(seen.shape[0]):
        batch = scores(rows)
        batch[batch == 0] = -np.inf
        ranked[rows] = _rank_unseen(batch, seen[rows], count)
    return ranked


def rank_by_popularity(popularity: Floats, seen: csr_array, count: int) -> NDArray[np.int64]:
    """The `count` most popular movies that each user has not seen, -1 where there are no more: users x count.

    Minus infinity is no popularity: such a movie is not ranked.
    """
    return rank_by_scores(lambda rows: np.tile(popularity + 1, (rows.stop - rows.start, 1)), seen, count)


def _batches(users: int) -> Iterator[slice]:
    return (slice(start, min(start + BATCH, users)) for start in range(0, users, BATCH))


def _rank_unseen(scores: Scores, seen: csr_array, count: int) -> NDArray[np.int64]:
    """Columns by falling score, of equals the lower first; -1 for what is seen or minus infinity. Changes `scores`."""
    rows = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
    scores[rows, seen.indices] = -np.inf
    kept = min(count, scores.shape[1])
    ranked = np.full((len(scores), count), -1, dtype=np.int64)
    if kept:
        falling = np.negative(scores)
        best = np.sort(np.argpartition(falling, kept - 1, axis=1)[:, :kept], axis=1)
        values = np.take_along_axis(falling, best, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        best = np.where(values == np.inf, -1, best)
        ranked[:, :kept] = np.take_along_axis(best, order, axis=1)
    return ranked


def _invert_by_movies(positives: csr_array, ridge: float) -> Floats:
    gram = gram_matrix(positives, user_exponent=0)
    gram[np.diag_indices_from(gram)] += np.float32(ridge)
    return _invert_positive(gram)


def _invert_by_users(positives: csr_array, ridge: float) -> Floats:
    """The same inverse where users are fewer: (I - Xᵀ (XXᵀ + ridge · I)⁻¹ X) / ridge, by Woodbury's identity."""
    if ridge <= 0:
        raise ValueError("the Gram matrix is not positive definite: use a larger ridge")
    x = (positives.toarray() != 0).astype(np.float32)
    kernel = x @ x.T
    kernel[np.diag_indices_from(kernel)] += np.float32(ridge)
    inverse: Floats = x.T @ (_invert_positive(kernel) @ x)
    inverse /= np.float32(-ridge)
    inverse[np.diag_indices_from(inverse)] += np.float32(1 / ridge)
    return inverse


def _invert_positive(matrix: Floats) -> Floats:
    """The inverse of a symmetric positive definite matrix, by Cholesky and in place."""
    factor, info = spotrf(matrix.T, lower=1, overwrite_a=1)
    if info == 0:
        factor, info = spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise ValueError("the Gram matrix is not positive definite: use a larger ridge")
    inverse: Floats = factor.T  # column-major: the filled lower triangle is the upper one of the transpose
    mirror_upper(inverse)
    return inverse
