"""Fitting predicted stars from the staged ratings and the live ones, and putting them to use."""

import logging
from collections.abc import Iterable
from datetime import datetime
from time import sleep

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tqdm import tqdm

from common.settings import Settings
from common.times import utc_now
from engine.dataset import Dataset
from engine.forgetting import forget_users
from engine.interactions import Interactions
from engine.positives import RATED, LiveRating, replace_told, tabulate_live
from engine.star_choice import Choice, choose_parameters
from engine.stars import StarsModel, StarsParameters, fit_stars
from graph.repositories.models import Models
from graph.repositories.stars import Stars, StarsVersion

logger = logging.getLogger(__name__)

# Properties of a version that are chosen on the ratings at hand.
CHOSEN = (
    "movieRidge",
    "userRidge",
    "scaleRidge",
    "popularityRidge",
    "ridge",
    "exponent",
    "halfLife",
    "newestRidge",
    "margin",
)


def refit_stars(
    settings: Settings, models: Models, stars: Stars, start: StarsParameters, *, quiet: bool = False
) -> StarsVersion:
    """Fit the staged and the live ratings and put the new version to use while the service runs.

    `start`: the parameters that the choice starts from.
    """
    dataset = Dataset(settings.staging / models.get_dataset())
    forget_users(dataset, models.read_tombstones())
    shards = (pl.read_parquet(file, columns=RATED) for file in dataset.shards())
    ratings, movie_ids = read_ratings(shards, stars.read_live_ratings())
    choice = choose_parameters(ratings, start, logger.info)
    with tqdm(total=100, unit="%", desc="Fitting", disable=quiet or None) as bar:
        model = fit_stars(ratings.stars, choice.parameters, lambda share: bar.update(100 * share))
    fitted = describe_version(model, choice, movie_ids, utc_now())
    with tqdm(total=len(fitted.edges), unit="edge", desc="Writing", disable=quiet or None) as bar:
        stars.put_to_use(fitted, bar.update)
    sleep(settings.budget.settle)
    stars.remove_unused()
    return fitted


def read_ratings(shards: Iterable[pl.DataFrame], live: list[LiveRating]) -> tuple[Interactions, NDArray[np.int64]]:
    """Ratings, and the movie id of each column. Live ones replace what is staged of the same pair.

    `shards`: userId, movieId, rating and at by user and movie, each user in one of them.
    """
    newer = tabulate_live(live).select(RATED)
    staged = (shard.select(RATED) for shard in shards)
    ratings, _, movie_ids = Interactions.from_tables(replace_told(staged, newer, newer))
    return ratings, movie_ids


def describe_version(model: StarsModel, choice: Choice, movie_ids: NDArray[np.int64], now: datetime) -> StarsVersion:
    """A fitted model as edges and properties; `movie_ids`: of its columns."""
    baseline, parameters = model.baseline, model.parameters
    target, place = np.nonzero(model.neighbours >= 0)
    neighbour = model.neighbours[target, place]
    edges = zip(
        movie_ids[target].tolist(),
        movie_ids[neighbour].tolist(),
        model.weights[target, place].tolist(),
        model.rated_weights[target, place].tolist(),
        strict=True,
    )
    movies = zip(
        *(column.tolist() for column in (movie_ids, baseline.movie_bias, baseline.popularity, model.spread)),
        strict=True,
    )
    return StarsVersion(
        version=f"{now:%Y%m%d-%H%M%S}",
        fitted_at=now,
        edges=list(edges),
        movies=list(movies),
        properties={
            "mean": baseline.mean,
            "popularity": baseline.unseen_popularity,
            "userRidge": float(parameters.baseline.user_ridge),
            "scaleRidge": float(parameters.baseline.scale_ridge),
            "popularityRidge": float(parameters.baseline.popularity_ridge),
            "movieRidge": float(parameters.baseline.movie_ridge),
            "ridge": float(parameters.ridge),
            "exponent": parameters.exponent,
            "halfLife": parameters.half_life,
            "newestRidge": float(parameters.newest_ridge),
            "spread": model.unseen_spread,
            "noise": model.noise,
            "margin": choice.margin,
            "chosenOn": choice.basis,
            "low": model.low,
            "high": model.high,
        },
    )
