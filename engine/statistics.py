"""How often and how well movies are rated, of staged ratings."""

import polars as pl


def summarise_movies(ratings: pl.DataFrame) -> pl.DataFrame:
    """movieId, ratingCount and the sum of stars."""
    stars = pl.col("rating").cast(pl.Float64)
    return ratings.group_by("movieId").agg(ratingCount=pl.len().cast(pl.Int64), stars=stars.sum())


def with_statistics(movies: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Titled movies and rated ones alike, with ratingCount and ratingMean."""
    rated = facts.group_by("movieId").agg(pl.col("ratingCount").sum(), pl.col("stars").sum())
    found = movies.join(rated, on="movieId", how="full", coalesce=True).sort("movieId")
    return found.select(
        *("movieId", "title", "year", "genres"),
        pl.col("ratingCount").fill_null(0),
        ratingMean=pl.col("stars") / pl.col("ratingCount"),
    )
