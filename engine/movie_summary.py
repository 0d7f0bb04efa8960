"""How often and how well movies are rated, and how much they were watched lately (graph.recency), of staged ratings."""

import numpy as np
import polars as pl

from common.times import DAY
from engine.dataset import TITLED_SCHEMA
from graph.recency import COUNTED_FROM, HALF_LIVES, PROPERTIES


def summarise_movies(ratings: pl.DataFrame) -> pl.DataFrame:
    """What a part of the ratings tells of each movie; with_statistics adds the parts up.

    movieId, ratingCount and the sum of stars; of those who count as viewers how many, newestAt, and the sums of
    2^((t − newestAt)/half-life), named like the figures that they become.
    """
    stars = pl.col("rating").cast(pl.Float64)
    rated = ratings.group_by("movieId").agg(ratingCount=pl.len().cast(pl.Int64), stars=stars.sum())
    counted = ratings.filter(pl.col("rating") >= COUNTED_FROM)
    one = {name: pl.lit(1.0) for name in ("viewers", *PROPERTIES)}
    return rated.join(_add_up(counted.select("movieId", newestAt="at", **one)), on="movieId", how="left")


def with_statistics(movies: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Titled movies and rated ones alike, with what `facts` add up to, parts as of summarise_movies.

    ratingCount and ratingMean; viewers, newestAt and the figures, which are null if nobody counts.
    """
    rated = facts.group_by("movieId").agg(pl.col("ratingCount", "stars").sum())
    recent = _add_up(facts.drop("ratingCount", "stars").drop_nulls())
    found = movies.join(rated, on="movieId", how="full", coalesce=True).join(recent, on="movieId", how="left")
    newest = pl.col("newestAt").dt.epoch("ms") / DAY
    return found.sort("movieId").select(
        *TITLED_SCHEMA,
        pl.col("ratingCount").fill_null(0),
        (pl.col("stars") / pl.col("ratingCount")).alias("ratingMean"),
        pl.col("viewers").fill_null(0).cast(pl.Int64),
        "newestAt",
        **{
            name: newest / half_life + pl.col(name).log(2)
            for name, half_life in zip(PROPERTIES, HALF_LIVES, strict=True)
        },
    )


def _add_up(parts: pl.DataFrame) -> pl.DataFrame:
    """Viewers, and sums as of newestAt, by movie: as of the newest of all parts."""
    movie_ids, places = np.unique(parts["movieId"].to_numpy(), return_inverse=True)
    moments = parts["newestAt"].dt.epoch("ms").to_numpy()
    newest = np.full(len(movie_ids), np.iinfo(np.int64).min)
    np.maximum.at(newest, places, moments)
    days = (moments - newest[places]) / DAY
    weights = {
        name: parts[name].to_numpy() * np.exp2(days / half_life)
        for name, half_life in zip(PROPERTIES, HALF_LIVES, strict=True)
    }
    sums = {
        name: np.bincount(places, weight, len(movie_ids)).astype(np.float64)  # of none they would be integers
        for name, weight in (("viewers", parts["viewers"].to_numpy()), *weights.items())
    }
    newest_at = pl.Series(newest, dtype=pl.Int64).cast(pl.Datetime("ms"))
    return pl.DataFrame({"movieId": pl.Series(movie_ids, dtype=pl.Int32), "newestAt": newest_at, **sums})
