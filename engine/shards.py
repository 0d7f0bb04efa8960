"""Writing the files of a data set (`engine.dataset`), and what they add up to in its manifest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import polars as pl

from engine.dataset import Dataset, Manifest
from engine.movie_summary import summarise_movies, with_statistics


@dataclass(frozen=True)
class Shard:
    """What the manifest and the movies need of one shard; `movies` is of summarise_movies."""

    users: int
    probe: int
    movies: pl.DataFrame

    @classmethod
    def of(cls, ratings: pl.DataFrame) -> Self:
        """Of a shard's ratings."""
        return cls(ratings["userId"].n_unique(), int(ratings["probe"].sum()), summarise_movies(ratings))


def write_table(file: Path, table: pl.DataFrame) -> None:
    """Write a file that is whole or not there; a reader meanwhile has the old one."""
    partial = file.with_suffix(".part")
    table.write_parquet(partial, compression="lz4", statistics=False)
    partial.replace(file)


def write_movies(dataset: Dataset, titled: pl.DataFrame, shards: Sequence[Shard], manifest: Manifest) -> Manifest:
    """Write the movies of a data set whose shards are written; returns the manifest with its totals."""
    movies = with_statistics(titled, pl.concat([shard.movies for shard in shards]))
    write_table(dataset.movies_file, movies)
    return replace(
        manifest,
        ratings=int(movies["ratingCount"].sum()),
        users=sum(shard.users for shard in shards),
        movies=len(movies),
        probe=sum(shard.probe for shard in shards),
    )
