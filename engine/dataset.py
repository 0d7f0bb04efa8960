"""The staged ratings: Parquet files and a manifest in one folder, written by `loader`, read by the fit.

`ratings.parquet` has userId, movieId (int32), rating (float32, stars) and at (milliseconds, UTC), sorted by user and
movie, each pair once. `movies.parquet` has movieId, title, year (nullable) and genres (list), sorted by movie.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from graph.errors import RecommenderError

LAYOUT = 1


class DatasetError(RecommenderError):
    """The staged ratings are missing or of another layout."""


@dataclass(frozen=True)
class Manifest:
    """What is staged and from where."""

    catalogue: str
    source: str
    ratings: int
    users: int
    movies: int
    layout: int = LAYOUT


@dataclass(frozen=True)
class Dataset:
    """A folder of staged ratings."""

    folder: Path

    @property
    def ratings_file(self) -> Path:
        """The ratings."""
        return self.folder / "ratings.parquet"

    @property
    def movies_file(self) -> Path:
        """The movies."""
        return self.folder / "movies.parquet"

    @property
    def _manifest_file(self) -> Path:
        return self.folder / "manifest.json"

    def manifest(self) -> Manifest:
        """What is staged here. Raises DatasetError if nothing is, or if another version wrote it."""
        try:
            manifest = Manifest(**json.loads(self._manifest_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise DatasetError(f"no staged ratings in {self.folder}: run `python -m loader bulk PATH`") from None
        if manifest.layout != LAYOUT:
            raise DatasetError(f"{self.folder} has layout {manifest.layout}, not {LAYOUT}: run the bulk load again")
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Declare the files complete; written last."""
        self._manifest_file.write_text(json.dumps(asdict(manifest), indent=2), encoding="utf-8")

    def ratings(self) -> pl.DataFrame:
        """All ratings."""
        return pl.read_parquet(self.ratings_file)

    def movies(self) -> pl.DataFrame:
        """All movies."""
        return pl.read_parquet(self.movies_file)


@dataclass(frozen=True)
class Matrix:
    """A sparse matrix, users × movies, with the ids of its rows and columns (ascending)."""

    values: csr_array
    user_ids: NDArray[np.int64]
    movie_ids: NDArray[np.int64]


def build_matrix(user: NDArray[np.int64], movie: NDArray[np.int64], value: NDArray[np.float32]) -> Matrix:
    """The matrix of (user id, movie id, value) triples; of a pair that comes twice the values are added."""
    user_ids, rows = np.unique(user, return_inverse=True)
    movie_ids, columns = np.unique(movie, return_inverse=True)
    values = csr_array((value, (rows, columns)), shape=(len(user_ids), len(movie_ids)))
    values.sum_duplicates()
    return Matrix(values, user_ids, movie_ids)
