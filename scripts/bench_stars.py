"""Predicted stars on a loaded database: the fit, and how long predictions take."""

from functools import partial

import numpy as np
import polars as pl

from common.settings import Settings
from engine.dataset import current_dataset
from graph.database import Database
from graph.repositories.stars import Stars
from scripts.bench_bulk import measure_command
from scripts.bench_traversal import Report, count_ratings, percentiles, time_each

RANDOM_USERS = 1000
HEAVIEST_USERS = 200
MANY = 200


def measure_stars(settings: Settings, ratings: int, report: Report, *arguments: str) -> None:
    """`engine fit-stars` with some arguments, then predictions of one movie and of many, one user after the other.

    Movies are drawn as they are rated: popular ones more often.
    """
    report("fit-stars", ratings=ratings, **measure_command(settings, "engine", ["fit-stars", *arguments]))
    counts = count_ratings(settings)
    rng = np.random.default_rng(1)
    random = rng.permutation(counts["userId"].to_numpy())[:RANDOM_USERS]
    heaviest = counts.sort("len", "userId", descending=True)["userId"].to_numpy()[:HEAVIEST_USERS]
    rated = pl.read_parquet(current_dataset(settings.staging).shard_file(0), columns=["movieId"])["movieId"].to_numpy()
    with Database.from_settings(settings) as database:
        stars = Stars(database)

        def predict(count: int, user_id: int) -> None:
            stars.predict_stars(user_id, np.unique(rng.choice(rated, 4 * count))[:count].tolist())

        for movies in (1, MANY):
            time_each(random, partial(predict, movies))  # not counted: planned, and read from the disk
            for name, users in (("random", random), ("heaviest", heaviest)):
                figures = percentiles(time_each(users, partial(predict, movies)))
                report("predictions", ratings=ratings, users=name, asked=len(users), movies=movies, **figures)
