"""The engine beside its baselines, on the same random splits of the same ratings."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.baselines import build_weights, count_popularity, fit_ease, rank_by_popularity, rank_by_weights
from engine.evaluation import RELEVANT_FROM, Accuracy, estimate_mean, group_by_user, measure_rankings, split_random
from engine.similarity import SimilarityParameters, fit_similarities

LIST_LENGTH = 20
EASE_RIDGES = (50.0, 100.0, 200.0, 400.0, 800.0)
# The split that chooses EASE's ridge is made inside the first training part.
VALIDATION_SEED = 1000

Columns = NDArray[np.int64]


@dataclass(frozen=True)
class ModelAccuracy:
    """Means over the splits with their 95 % half-widths."""

    model: str
    recall: float
    recall_half_width: float
    ndcg: float
    ndcg_half_width: float


@dataclass(frozen=True)
class Split:
    """One split: matrices users × movies of what is known, and what is to be found."""

    positives: csr_array
    seen: csr_array
    relevant: list[Columns]

    def measure(self, ranked: Columns) -> Accuracy:
        """Accuracy of ranked columns, users × LIST_LENGTH."""
        return measure_rankings(list(ranked), self.relevant, LIST_LENGTH)


def compare_models(ratings: pl.DataFrame, seeds: int, history: NDArray[np.float32]) -> list[ModelAccuracy]:
    """Accuracy of popularity, dense EASE and the engine over `seeds` splits.

    `ratings`: userId, movieId, rating. `history`: what ½ to 5 stars count in a user's history (10 values). EASE sees
    binary ratings of 4 stars or more; its ridge is chosen on a validation split.
    """
    users, movies = (np.unique(ratings[name].to_numpy(), return_inverse=True)[1] for name in ("userId", "movieId"))
    stars = ratings["rating"].to_numpy()
    splits = (make_split(users, movies, stars, split_random(users, seed)) for seed in range(seeds))
    ridge = choose_ease_ridge(users, movies, stars)
    found: dict[str, list[Accuracy]] = {}
    for seed, split in enumerate(splits):
        test = split_random(users, seed)
        weighed = _matrix(users[~test], movies[~test], history[_half_stars(stars[~test])], split.seen.shape)
        shown = split.positives.shape[1]
        similarities = build_weights(fit_similarities(split.positives, SimilarityParameters()), shown)
        lists = {
            "popularity": rank_by_popularity(count_popularity(split.positives), split.seen, LIST_LENGTH),
            f"EASE dense (λ={ridge:g})": rank_by_weights(
                split.positives, fit_ease(split.positives, ridge), split.seen, LIST_LENGTH
            ),
            "engine": rank_by_weights(weighed, similarities, split.seen, LIST_LENGTH),
        }
        for model, ranked in lists.items():
            found.setdefault(model, []).append(split.measure(ranked))
    return [summarise(model, accuracies) for model, accuracies in found.items()]


def make_split(users: Columns, movies: Columns, stars: NDArray[np.float32], test: NDArray[np.bool_]) -> Split:
    """Split ratings of (row, column, stars) by a mask of the test ratings."""
    shape = (int(users.max()) + 1, int(movies.max()) + 1)
    liked = stars >= RELEVANT_FROM
    ones = np.ones(len(users), dtype=np.float32)
    return Split(
        positives=_matrix(users[~test & liked], movies[~test & liked], ones[~test & liked], shape),
        seen=_matrix(users[~test], movies[~test], ones[~test], shape),
        relevant=group_by_user(users[test & liked], movies[test & liked], shape[0]),
    )


def choose_ease_ridge(users: Columns, movies: Columns, stars: NDArray[np.float32]) -> float:
    """The ridge of EASE_RIDGES with the best NDCG on a validation split of the first training part."""
    training = ~split_random(users, 0)
    users, movies, stars = users[training], movies[training], stars[training]
    split = make_split(users, movies, stars, split_random(users, VALIDATION_SEED))

    def ndcg(ridge: float) -> float:
        weights = fit_ease(split.positives, ridge)
        return split.measure(rank_by_weights(split.positives, weights, split.seen, LIST_LENGTH)).ndcg.mean

    return max(EASE_RIDGES, key=ndcg)


def summarise(model: str, accuracies: list[Accuracy]) -> ModelAccuracy:
    """Mean over splits; its interval tells how much the split matters."""
    recall = estimate_mean(np.array([accuracy.recall.mean for accuracy in accuracies]))
    ndcg = estimate_mean(np.array([accuracy.ndcg.mean for accuracy in accuracies]))
    return ModelAccuracy(model, recall.mean, recall.half_width, ndcg.mean, ndcg.half_width)


def _half_stars(stars: NDArray[np.float32]) -> Columns:
    return np.rint(stars * 2).astype(np.int64) - 1


def _matrix(rows: Columns, columns: Columns, values: NDArray[np.float32], shape: tuple[int, int]) -> csr_array:
    matrix = csr_array((values, (rows, columns)), shape=shape)
    matrix.sort_indices()
    return matrix
