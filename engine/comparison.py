"""The engine beside its baselines, on the same random splits of the same ratings."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import t as student

from engine.baselines import build_weights, count_popularity, fit_ease, rank_by_popularity, rank_by_weights
from engine.evaluation import RELEVANT_FROM, Accuracy, estimate_mean, group_by_user, measure_rankings, split_random
from engine.similarity import fit_similarities
from engine.training import LIKED_FROM

LIST_LENGTH = 20
HALF_STARS = np.arange(1, 11) / 2
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
    """One split: the ratings that are known (stars, users × movies), and what is to be found."""

    stars: csr_array
    relevant: list[Columns]

    def measure(self, ranked: Columns) -> Accuracy:
        """Accuracy of ranked columns, users × LIST_LENGTH."""
        return measure_rankings(list(ranked), self.relevant, LIST_LENGTH)

    def rank(self, history: csr_array, weights: csr_array | NDArray[np.float32]) -> Columns:
        """The list of each user, users × LIST_LENGTH."""
        return rank_by_weights(history, weights, self.stars, LIST_LENGTH)

    def positives(self, threshold: float) -> csr_array:
        """The known ratings of so many stars or more, as 1."""
        weighed = self.weigh_history((threshold <= HALF_STARS).astype(np.float32))
        weighed.eliminate_zeros()
        return weighed

    def weigh_history(self, counted: NDArray[np.float32]) -> csr_array:
        """What each rating counts, given what ½ to 5 stars count (10 values)."""
        values = counted[np.rint(self.stars.data * 2).astype(np.int64) - 1]
        return csr_array((values, self.stars.indices, self.stars.indptr), shape=self.stars.shape, copy=True)


def compare_models(ratings: pl.DataFrame, seeds: int, counted: NDArray[np.float32]) -> list[ModelAccuracy]:
    """Accuracy of popularity, dense EASE and the engine over `seeds` splits.

    `ratings`: userId, movieId, rating. `counted`: what ½ to 5 stars count in a user's history (10 values). EASE is
    shown as published, on ratings of 4 stars or more, and at its best: fitted and weighed like the engine. Its ridges
    are chosen on a validation split.
    """
    users, movies = (np.unique(ratings[name].to_numpy(), return_inverse=True)[1] for name in ("userId", "movieId"))
    stars = ratings["rating"].to_numpy()
    published = (HALF_STARS >= RELEVANT_FROM).astype(np.float32)
    ridge = choose_ease_ridge(users, movies, stars, RELEVANT_FROM, published)
    best_ridge = choose_ease_ridge(users, movies, stars, LIKED_FROM, counted)
    found: dict[str, list[Accuracy]] = {}
    for seed in range(seeds):
        split = make_split(users, movies, stars, split_random(users, seed))
        weighed = split.weigh_history(counted)
        relevant, liked = split.positives(RELEVANT_FROM), split.positives(LIKED_FROM)
        engine = build_weights(fit_similarities(liked), liked.shape[1])
        lists = {
            "popularity": rank_by_popularity(count_popularity(relevant), split.stars, LIST_LENGTH),
            f"EASE dense (λ={ridge:g})": split.rank(relevant, fit_ease(relevant, ridge)),
            f"EASE dense (λ={best_ridge:g}), fitted and weighed as the engine": split.rank(
                weighed, fit_ease(liked, best_ridge)
            ),
            "engine": split.rank(weighed, engine),
        }
        for model, ranked in lists.items():
            found.setdefault(model, []).append(split.measure(ranked))
    return [summarise(model, accuracies) for model, accuracies in found.items()]


def make_split(users: Columns, movies: Columns, stars: NDArray[np.float32], test: NDArray[np.bool_]) -> Split:
    """Split ratings of (row, column, stars) by a mask of the test ratings."""
    shape = (int(users.max()) + 1, int(movies.max()) + 1)
    liked = stars >= RELEVANT_FROM
    return Split(
        stars=_matrix(users[~test], movies[~test], stars[~test], shape),
        relevant=group_by_user(users[test & liked], movies[test & liked], shape[0]),
    )


def choose_ease_ridge(
    users: Columns, movies: Columns, stars: NDArray[np.float32], threshold: float, counted: NDArray[np.float32]
) -> float:
    """The ridge of EASE_RIDGES with the best NDCG on a validation split of the first training part.

    EASE is fitted to ratings of `threshold` stars or more, and given histories in which ½ to 5 stars count `counted`.
    """
    training = ~split_random(users, 0)
    users, movies, stars = users[training], movies[training], stars[training]
    split = make_split(users, movies, stars, split_random(users, VALIDATION_SEED))
    positives, history = split.positives(threshold), split.weigh_history(counted)

    def ndcg(ridge: float) -> float:
        return split.measure(split.rank(history, fit_ease(positives, ridge))).ndcg.mean

    return max(EASE_RIDGES, key=ndcg)


def summarise(model: str, accuracies: list[Accuracy]) -> ModelAccuracy:
    """Mean over splits; its interval, Student's for so few of them, tells how much the split matters."""
    wider = float(student.ppf(0.975, len(accuracies) - 1)) / 1.96
    recall = estimate_mean(np.array([accuracy.recall.mean for accuracy in accuracies]))
    ndcg = estimate_mean(np.array([accuracy.ndcg.mean for accuracy in accuracies]))
    return ModelAccuracy(model, recall.mean, wider * recall.half_width, ndcg.mean, wider * ndcg.half_width)


def _matrix(rows: Columns, columns: Columns, values: NDArray[np.float32], shape: tuple[int, int]) -> csr_array:
    matrix = csr_array((values, (rows, columns)), shape=shape)
    matrix.sort_indices()
    return matrix
