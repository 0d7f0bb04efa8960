"""The importer's tables: staged ratings and fitted edges as CSV files of nodes and edges."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.dataset import Dataset
from engine.training import FittedModel
from graph.recency import PROPERTIES, property_of
from graph.repositories.models import model_properties
from graph.schema import SCHEMA_VERSION

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"


def write_tables(dataset: Dataset, fitted: FittedModel, folder: Path, progress: Callable[[int], object]) -> list[str]:
    """Write the tables and return the importer's arguments that name them; `progress` is told ratings written.

    The columns' names are the admin tool's way to declare types. Nodes are numbered here, users first, shard by shard,
    and edges name the numbers: having the importer look ids up took a third of its time.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    movie_ids = dataset.movies()["movieId"].to_numpy()
    users = [_users_of(shard) for shard in dataset.shards()]
    firsts = np.cumsum([0, *(len(ids) for ids in users)])  # number of each shard's first user; the last, of the movies

    def write_shard(number: int) -> Path:
        file = folder / f"RATED-{number:03}.csv"
        ratings = pl.read_parquet(dataset.shard_file(number))
        movies = np.searchsorted(movie_ids, ratings["movieId"].to_numpy()) + firsts[-1]
        _ratings_table(ratings, int(firsts[number]), movies).write_csv(
            file, include_header=number == 0, quote_style="never"
        )
        progress(len(ratings))
        return file

    user_ids = pl.concat(users).alias("userId:long").to_frame().with_row_index(":ID")
    arguments = []
    for name, table in {"User": user_ids, **_small_tables(dataset, fitted, int(firsts[-1]))}.items():
        table.write_csv(folder / f"{name}.csv")
        arguments.append(f"--{'relationships' if name == 'SIMILAR' else 'nodes'}={name}={folder / name}.csv")
    with ThreadPoolExecutor(2) as pool:
        files = list(pool.map(write_shard, range(len(users))))
    return [*arguments, f"--relationships=RATED={','.join(map(str, files))}"]


def _users_of(shard: Path) -> pl.Series:
    """A shard's users, ascending, as they follow each other in it."""
    return pl.read_parquet(shard, columns=["userId"])["userId"].rle().struct.field("value")


def _ratings_table(ratings: pl.DataFrame, first_user: int, movies: NDArray[np.int64]) -> pl.DataFrame:
    return ratings.select(
        (pl.col("userId").rle_id() + first_user).alias(":START_ID"),
        pl.Series(":END_ID", movies),
        pl.col("rating").alias("rating:double"),
        # The hour is enough at midnight, as all of the Netflix Prize's dates are; what is shorter is read faster.
        pl.col("at").dt.strftime(TIME_FORMAT).str.strip_suffix(":00:00").alias("at:localdatetime"),
    )


def _small_tables(dataset: Dataset, fitted: FittedModel, first: int) -> dict[str, pl.DataFrame]:
    """All but users and ratings; `first` is the number of the first node after the users."""
    movies, edges = dataset.movies(), fitted.edges
    movie_ids = movies["movieId"].to_numpy()
    model = _typed({**model_properties(fitted.model), "fittedAt": fitted.model.fitted_at})
    catalogue = {
        "name": dataset.manifest().catalogue,
        "dataset": dataset.name,
        "schemaVersion:long": SCHEMA_VERSION,
        "model": fitted.model.version,
    }
    return {
        "Movie": movies.with_row_index(":ID", first).select(
            ":ID",
            pl.col("movieId").alias("movieId:long"),
            pl.col("title").str.replace_all("\r", " ", literal=True),  # the importer takes it for a line end
            pl.col("year").alias("year:long"),
            pl.col("genres").list.join("|").alias("genres:string[]"),
            pl.col("ratingCount").alias("ratingCount:long"),
            pl.col("ratingMean").alias("ratingMean:double"),
            pl.col("viewers").replace(0, None).alias("viewers:long"),
            *(pl.col(name).alias(f"{name}:double") for name in PROPERTIES),
            pl.col(property_of(fitted.model.rule.half_life)).alias("recent:double"),
        ),
        "Model": pl.DataFrame([{":ID": first + len(movies), **model}]),
        "Catalogue": pl.DataFrame([{":ID": first + len(movies) + 1, **catalogue}]),
        "Sequence": movies.select(
            pl.lit(first + len(movies) + 2).alias(":ID"),
            pl.lit("applied").alias("name"),
            pl.col("newestAt").max().dt.strftime(f"{TIME_FORMAT}%.3f").alias("newestAt:localdatetime"),
        ),
        "SIMILAR": edges.select(
            pl.Series(":START_ID", np.searchsorted(movie_ids, edges["source"].to_numpy()) + first),
            pl.Series(":END_ID", np.searchsorted(movie_ids, edges["target"].to_numpy()) + first),
            pl.col("weight").alias("weight:double"),
            pl.col("rank").alias("rank:long"),
            pl.lit(fitted.model.version).alias("version"),
        ),
    }


def _typed(properties: dict[str, Any]) -> dict[str, str | int | float]:
    """Properties of a node with their types in their names, as the importer wants them."""
    kinds = {int: "long", float: "double"}
    typed: dict[str, str | int | float] = {}
    for name, value in properties.items():
        if isinstance(value, list):
            typed[f"{name}:double[]"] = "|".join(map(str, value))
        elif isinstance(value, datetime):
            typed[f"{name}:localdatetime"] = value.isoformat()
        else:
            typed[f"{name}:{kinds[type(value)]}" if type(value) in kinds else name] = value
    return typed
