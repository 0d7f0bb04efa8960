"""Staging: a ratings folder becomes checked, sorted, deduplicated Parquet (`engine.dataset`)."""

from dataclasses import dataclass, field

import polars as pl
from tqdm import tqdm

from engine.dataset import Dataset, Manifest
from graph.errors import RecommenderError
from loader.folder import RatingsFolder
from loader.lines import RATING_SCHEMA, Reject


class TooManyRejectsError(RecommenderError):
    """More lines were rejected than tolerated."""


@dataclass
class Account:
    """Where every line of the rating files went: lines = loaded + duplicates + rejected + structure."""

    lines: int = 0
    loaded: int = 0
    duplicates: int = 0
    rejected: int = 0
    structure: int = 0
    rejects: list[Reject] = field(default_factory=list)
    movie_rejects: list[Reject] = field(default_factory=list)

    def check_tolerance(self, share: float) -> None:
        """Raise TooManyRejectsError if more than this share of all lines was rejected."""
        if self.rejected > share * self.lines:
            first = self.rejects[0]
            raise TooManyRejectsError(
                f"{self.rejected:,} of {self.lines:,} lines rejected, more than {share:.2%}; "
                f"the first is {first.file}:{first.line}: {first.reason}: {first.text!r}"
            )


def read_folder(folder: RatingsFolder, *, quiet: bool = False) -> tuple[pl.DataFrame, pl.DataFrame, Account]:
    """Ratings and movies of a folder as staged, and the account of all lines.

    Of a pair that was rated twice the later date counts, of two on one date the later line.
    """
    account = Account()
    frames = [pl.DataFrame(schema=RATING_SCHEMA)]
    total = sum(file.stat().st_size for file in folder.rating_files)
    with tqdm(total=total, unit="B", unit_scale=True, desc="Reading ratings", disable=quiet or None) as bar:
        for file in folder.rating_files:
            for block in folder.read_ratings(file):
                frames.append(block.ratings)
                account.lines += block.lines
                account.structure += block.structure
                account.rejects += block.rejects
                bar.update(block.size)
    ratings = pl.concat(frames)
    latest = ratings.sort("at", maintain_order=True).unique(["userId", "movieId"], keep="last", maintain_order=True)
    latest = latest.sort("userId", "movieId")
    account.rejected = len(account.rejects)
    account.loaded = len(latest)
    account.duplicates = len(ratings) - len(latest)
    movies, account.movie_rejects = folder.read_movies()
    return latest, _with_untitled(movies, latest), account


def stage(folder: RatingsFolder, dataset: Dataset, tolerance: float, *, quiet: bool = False) -> Account:
    """Read, check and write a folder's ratings. Raises TooManyRejectsError before anything is written."""
    ratings, movies, account = read_folder(folder, quiet=quiet)
    account.check_tolerance(tolerance)
    if ratings.is_empty():
        raise RecommenderError(f"{folder.path} holds no ratings: none of its {account.lines} lines is one")
    dataset.folder.mkdir(parents=True, exist_ok=True)
    ratings.write_parquet(dataset.ratings_file)
    movies.write_parquet(dataset.movies_file)
    dataset.write_manifest(
        Manifest(
            catalogue=folder.catalogue,
            source=str(folder.path),
            ratings=len(ratings),
            users=ratings["userId"].n_unique(),
            movies=len(movies),
        )
    )
    return account


def _with_untitled(movies: pl.DataFrame, ratings: pl.DataFrame) -> pl.DataFrame:
    untitled = ratings.select("movieId").unique().join(movies, on="movieId", how="anti")
    return pl.concat([movies, untitled], how="diagonal").sort("movieId")
