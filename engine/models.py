"""The models that can be compared, and stored where they are item-item weights: ours and the field's.

Each has a grid of parameters, ascending, that validation walks (engine.comparison).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from common.errors import RecommenderError
from common.times import DAY
from engine.baselines import (
    Floats,
    build_weights,
    count_popularity,
    fit_ease,
    order_by_recency,
    rank_by_popularity,
    rank_by_scores,
    rank_by_weights,
)
from engine.grid import Grid, Parameters
from engine.interactions import Columns, Interactions
from engine.protocols import RELEVANT_FROM, Task
from engine.similarity import SimilarityParameters, fit_similarities
from engine.slist import SlistParameters, rank_slist
from graph.serving_rule import ServingRule

logger = logging.getLogger(__name__)

# Stars from which a rating counts as liking in our fit. 3 finds more of what people rate 4 or 5 than 4 does
# (docs/evaluation.md).
LIKED_FROM = ServingRule.liked_from
ALS_ITERATIONS = 15
ALS_SEED = 1

Progress = Callable[[float], object]


IMPLICIT = ("implicit",)


class MissingPackagesError(RecommenderError):
    """A model needs packages that only evaluation has."""


def require_packages(model: str, packages: Sequence[str]) -> None:
    """Raise MissingPackagesError if what a model needs is not installed."""
    if not all(map(find_spec, packages)):
        raise MissingPackagesError(f"{model} needs more packages: pip install -r requirements-evaluation.txt")


@dataclass(frozen=True)
class Model:
    """A model to compare: `rank` fits it to a task and gives each user's best columns (users x count).

    Validation begins at `parameters`. `packages` are imported when it is fitted, since only evaluation has them.
    """

    key: str
    name: str
    grid: Grid
    parameters: Parameters
    rank: Callable[[Task, int, Parameters], Columns]
    packages: Sequence[str] = ()


@dataclass(frozen=True)
class ItemModel:
    """Item-item weights, source x target: what can be stored as SIMILAR edges.

    `fit` gets positives, users x movies, with their places in each user's order (engine.similarity). `parameters` are
    those of the stored model, and where validation begins. `liked_from`: stars of a positive. `packages`: as of Model.
    """

    key: str
    name: str
    grid: Grid
    parameters: Parameters
    fit: Callable[[csr_array, Parameters, Progress], csr_array | Floats]
    liked_from: float = RELEVANT_FROM
    packages: Sequence[str] = ()

    def rank(self, task: Task, count: int, parameters: Parameters) -> Columns:
        """Fit to a task and rank; each positive of a history counts 1, as published."""
        weights = self.fit_ratings(task.training, parameters)
        return rank_by_weights(task.history.positives(self.liked_from), weights, task.history.stars, count)

    def fit_ratings(self, ratings: Interactions, parameters: Parameters) -> csr_array | Floats:
        """The weights that some ratings give."""
        return self.fit(ratings.ordered_positives(self.liked_from), parameters, lambda _: None)


def rank_popular(task: Task, count: int, _: Parameters) -> Columns:
    """The most liked movies, the same for everybody but for what they know."""
    popularity = count_popularity(task.training.positives(RELEVANT_FROM))
    return rank_by_popularity(popularity, task.history.stars, count)


def rank_lately(task: Task, count: int, parameters: Parameters) -> Columns:
    """The movies liked most lately, the same for everybody but for what they know; the half-life is in days."""
    liked = task.training.select(task.training.stars.data >= LIKED_FROM)
    ages = (task.training.at.max(initial=0) - liked.at) / (DAY * parameters["half_life"])
    return rank_by_popularity(
        order_by_recency(liked.stars.indices.astype(np.int64), ages, liked.movies), task.history.stars, count
    )


def rank_by_factors(task: Task, count: int, parameters: Parameters) -> Columns:
    """iALS (Hu, Koren & Volinsky 2008) from implicit; users are folded in from their history."""
    history = _matrix(task.history.positives(RELEVANT_FROM))
    with threadpool_limits(1, user_api="blas"):  # implicit has its own threads, and warns
        model = _implicit("cpu.als").AlternatingLeastSquares(
            factors=int(parameters["factors"]),
            regularization=parameters["regularization"],
            alpha=parameters["alpha"],
            iterations=ALS_ITERATIONS,
            random_state=ALS_SEED,
        )
        model.fit(_matrix(task.training.positives(RELEVANT_FROM)), show_progress=False)
        users = model.recalculate_user(np.arange(task.history.users), history)
    return rank_by_scores(lambda rows: users[rows] @ model.item_factors.T, task.history.stars, count)


def rank_by_attention(task: Task, count: int, parameters: Parameters) -> Columns:
    """SASRec: see engine.sasrec."""
    from engine.sasrec import SasrecParameters, rank_sasrec

    return rank_sasrec(task.training, task.history, count, SasrecParameters(**parameters))


def fit_slim(positives: csr_array, parameters: Parameters, progress: Progress) -> csr_array:
    """Our model: see engine.similarity."""
    known = {field.name for field in fields(SimilarityParameters)}
    given = SimilarityParameters(**{name: value for name, value in parameters.items() if name in known})  # type: ignore[arg-type]
    return build_weights(fit_similarities(positives, given, progress), positives.shape[1])


def fit_dense(positives: csr_array, parameters: Parameters, progress: Progress) -> Floats:
    """EASE (Steck 2019)."""
    weights = fit_ease(positives, parameters["ridge"])
    progress(1)
    return weights


def fit_cosine(positives: csr_array, parameters: Parameters, progress: Progress) -> csr_array:
    """Item-kNN by the cosine, from implicit."""
    return _nearest(_implicit("nearest_neighbours").normalize(_matrix(positives).T), parameters, progress)


def fit_bm25(positives: csr_array, parameters: Parameters, progress: Progress) -> csr_array:
    """Item-kNN weighted by BM25, from implicit."""
    weigh = _implicit("nearest_neighbours").bm25_weight
    return _nearest(weigh(_matrix(positives).T, parameters["k1"], parameters["b"]), parameters, progress)


def _nearest(weighted: csr_matrix, parameters: Parameters, progress: Progress) -> csr_array:
    """Each movie's nearest neighbours, itself not among them; `weighted`: movies x users."""
    model = _implicit("nearest_neighbours").ItemItemRecommender(K=int(parameters["neighbours"]) + 1)
    with threadpool_limits(1, user_api="blas"):
        model.fit(csr_matrix(weighted.T), show_progress=False)
    weights = csr_array(model.similarity)
    weights.setdiag(0)
    weights.eliminate_zeros()
    progress(1)
    return weights


def _implicit(module: str) -> Any:
    """A module of implicit's. Raises MissingPackagesError if it is not installed."""
    require_packages("a model of implicit's", IMPLICIT)
    return import_module(f"implicit.{module}")


def _matrix(positives: csr_array) -> csr_matrix:
    """Positives as 1, as implicit wants them."""
    ones = np.ones(positives.nnz, dtype=np.float32)
    return csr_matrix((ones, positives.indices, positives.indptr), shape=positives.shape)


# The last is all of them, up to that many movies.
NEIGHBOURS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12_800.0)
RIDGES = (3.125, 6.25, 12.5, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0)

POPULARITY = Model("popularity", "popularity", {}, {}, rank_popular)
LATELY = Model(
    "lately",
    "rated lately",
    {"half_life": (0.5, 1.0, 2.0, 3.0, 7.0, 14.0, 30.0, 90.0, 365.0)},
    {"half_life": 7.0},
    rank_lately,
)
COSINE = ItemModel(
    "cosine", "item-kNN cosine", {"neighbours": NEIGHBOURS}, {"neighbours": 50}, fit_cosine, packages=IMPLICIT
)
BM25 = ItemModel(
    "bm25",
    "item-kNN BM25",
    {
        "neighbours": NEIGHBOURS,
        "k1": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        "b": (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0),
    },
    {"neighbours": 50, "k1": 3.0, "b": 0.6},
    fit_bm25,
    packages=IMPLICIT,
)
IALS = Model(
    "ials",
    "iALS",
    {
        "factors": (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0),
        "regularization": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        "alpha": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    },
    {"factors": 32.0, "regularization": 3.0, "alpha": 3.0},
    rank_by_factors,
    IMPLICIT,
)
SLIST = Model(
    "slist",
    "SLIST",
    {
        "alpha": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "ridge": (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0),
        "decay": (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
        "newest": (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0),
        "days": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0, 4096.0),
    },
    asdict(SlistParameters()),
    lambda task, count, parameters: rank_slist(task.training, task.history, count, SlistParameters(**parameters)),
)
SASREC = Model(
    "sasrec",
    "SASRec, full softmax",
    {"days": (2.0, 8.0, 32.0, 1e6)},
    {"days": 8.0, "size": 32.0},
    rank_by_attention,
    ("keras", "jax"),
)
EASE = ItemModel("ease", "EASE", {"ridge": RIDGES}, {"ridge": 200.0}, fit_dense)
SLIM = ItemModel(
    "slim",
    "SLIM",
    {
        "ridge": RIDGES,
        "popularity_ridge": (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
        "candidate_exponent": (-0.2, -0.1, 0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8),
        "popularity_discount": (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6),
        "far_share": (0.0, 0.1, 0.3, 0.6, 1.0),
    },
    asdict(SimilarityParameters()),
    fit_slim,
    LIKED_FROM,
)
COMPARED: Mapping[str, Model | ItemModel] = {
    model.key: model for model in (POPULARITY, LATELY, COSINE, BM25, IALS, EASE, SLIST, SASREC)
}
STORABLE = {model.key: model for model in (COSINE, BM25, EASE, SLIM)}
