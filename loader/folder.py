"""Telling ratings folders apart by their files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import polars as pl

from graph.errors import RecommenderError
from loader.lines import Block, Reject
from loader.movielens import LAYOUTS, MovieLensFolder
from loader.netflix import NetflixPrizeFolder


class FolderError(RecommenderError):
    """A path is no ratings folder."""


class RatingsFolder(Protocol):
    """A folder of ratings in one of the known forms."""

    catalogue: str
    path: Path
    rating_files: list[Path]

    def read_ratings(self, file: Path) -> Iterator[Block]:
        """Ratings of one file, block by block."""

    def read_movies(self) -> tuple[pl.DataFrame, list[Reject]]:
        """The catalogue's movies."""


def open_folder(path: Path) -> RatingsFolder:
    """The ratings folder at a path. Raises FolderError if there is none, or none of a known form."""
    if not path.is_dir():
        raise FolderError(f"{path} is not a folder")
    netflix = NetflixPrizeFolder(path)
    if netflix.rating_files:
        return netflix
    for layout in LAYOUTS:
        if (path / layout.ratings).is_file():
            return MovieLensFolder(path, layout)
    raise FolderError(
        f"{path} holds no ratings: neither combined_data_*.txt nor training_set/mv_*.txt (Netflix Prize), "
        "nor ratings.csv, ratings.dat or u.data (MovieLens)"
    )
