"""The staged ratings: Parquet files and a manifest in one folder, written by `loader`, read by the fit.

`ratings-000.parquet` and so on have userId, movieId (int32), rating (float32, stars), at (milliseconds, UTC) and probe
(held out by the Netflix Prize's probe set). All ratings of a user are in one of them; each is sorted by user and movie
and has each pair once. `movies.parquet`, sorted by movie, has movieId, title, year (nullable), genres (list),
ratingCount and ratingMean, and of how much it was watched lately (graph.recency) viewers, newestAt, recent1 and so on,
null if nobody counts. Data sets lie side by side; the file `current` beside them names the one that the graph was made
from.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from common.errors import RecommenderError
from common.files import write_durably

LAYOUT = 3
MANIFEST = "manifest.json"
CURRENT = "current"
RATING_SCHEMA: dict[str, pl.DataType] = {
    "userId": pl.Int32(),
    "movieId": pl.Int32(),
    "rating": pl.Float32(),
    "at": pl.Datetime("ms"),
    "probe": pl.Boolean(),
}
TITLED_SCHEMA: dict[str, pl.DataType] = {
    "movieId": pl.Int32(),
    "title": pl.String(),
    "year": pl.Int32(),
    "genres": pl.List(pl.String),
}


class DatasetError(RecommenderError):
    """The staged ratings are missing or of another layout."""


@dataclass(frozen=True)
class Manifest:
    """What is staged and from where.

    `inputs` has name, size, modified (nanoseconds) and sha256 of each file read; `accounts` tells by kind of file
    (ratings, movies, probe, qualifying) where its lines went. `forgotten` tells by user id up to when the ratings of
    erased users are removed (`engine.forgetting`).
    """

    catalogue: str
    source: str
    ratings: int = 0
    users: int = 0
    movies: int = 0
    probe: int = 0
    inputs: list[dict[str, Any]] = field(default_factory=list)
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    layout: int = LAYOUT
    forgotten: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A folder of staged ratings."""

    folder: Path

    @property
    def name(self) -> str:
        """Which data set this is; the same inputs have the same name."""
        return self.folder.name

    @property
    def movies_file(self) -> Path:
        """The movies."""
        return self.folder / "movies.parquet"

    @property
    def rejects_file(self) -> Path:
        """Lines that could not be used (CSV: file, line, reason, text)."""
        return self.folder / "rejects.csv"

    def shard_file(self, number: int) -> Path:
        """One part of the ratings."""
        return self.folder / f"ratings-{number:03}.parquet"

    def shards(self) -> list[Path]:
        """All parts of the ratings."""
        return sorted(self.folder.glob("ratings-*.parquet"))

    def manifest(self) -> Manifest:
        """What is staged here. Raises DatasetError if nothing is, or if another version wrote it."""
        try:
            manifest = Manifest(**json.loads((self.folder / MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise DatasetError(
                f"no staged ratings in {self.folder}: `python -m loader bulk PATH` of the files that the database was "
                "made from makes them; a backup does not hold them"
            ) from None
        if manifest.layout != LAYOUT:
            raise DatasetError(f"{self.folder} has layout {manifest.layout}, not {LAYOUT}: run the bulk load again")
        return manifest

    @property
    def is_complete(self) -> bool:
        """Whether there are staged ratings here."""
        try:
            return bool(self.manifest())
        except DatasetError:
            return False

    def write_manifest(self, manifest: Manifest) -> None:
        """Declare the files complete; written last."""
        write_durably(self.folder / MANIFEST, json.dumps(asdict(manifest), indent=1))

    def remove(self) -> None:
        """Remove it; half removed it does not count as staged."""
        (self.folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def take_place_of(self, other: "Dataset") -> None:
        """Be that one from now on."""
        other.remove()
        self.folder.rename(other.folder)

    def ratings(self) -> pl.DataFrame:
        """All ratings."""
        return pl.read_parquet(self.shards())

    def movies(self) -> pl.DataFrame:
        """All movies."""
        return pl.read_parquet(self.movies_file)

    def titled_movies(self) -> pl.DataFrame:
        """The same without what is counted (TITLED_SCHEMA)."""
        return self.movies().select(*TITLED_SCHEMA)


def current_dataset(staging: Path) -> Dataset:
    """The data set that the graph was made from. Raises DatasetError if there is none."""
    try:
        name = (staging / CURRENT).read_text(encoding="utf-8").strip()
    except OSError:
        raise DatasetError(f"no staged ratings in {staging}: run `python -m loader bulk PATH`") from None
    return Dataset(staging / name)


def use_dataset(dataset: Dataset) -> None:
    """Make this data set of its staging folder the current one."""
    write_durably(dataset.folder.parent / CURRENT, dataset.name)


def remove_other_datasets(dataset: Dataset) -> None:
    """Remove all staged ratings beside these."""
    for folder in dataset.folder.parent.glob("*/"):
        if folder != dataset.folder:
            Dataset(folder).remove()
