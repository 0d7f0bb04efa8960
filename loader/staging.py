"""Staging: an input becomes checked, sorted, deduplicated Parquet (`engine.dataset`)."""

import csv
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from engine.dataset import LAYOUT, Dataset, DatasetError, Manifest
from graph.errors import RecommenderError
from loader.forms import holds_ratings, is_wanted
from loader.inputs import add_digests, describe_files, name_content, require_unchanged, same_unread
from loader.lines import KEPT_REJECTS, Account, Reject, Rejects
from loader.progress import progress_bar
from loader.reading import InputReader
from loader.sources import input_files, read_members
from loader.spill import Spill

PARTIAL = "incoming"
BYTES_A_PART = 32 << 20
MOST_PARTS = 64
PAIR = ["userId", "movieId"]


class TooManyRejectsError(RecommenderError):
    """More lines were rejected than tolerated."""


class NoRatingsError(RecommenderError):
    """An input holds no ratings."""


@dataclass(frozen=True)
class Report:
    """Where every line of an input went, by kind of file (ratings, movies, probe, qualifying).

    `rejects` are the first rejected lines, `rejects_file` has all.
    """

    accounts: dict[str, Account]
    rejects: list[Reject]
    rejects_file: Path

    @classmethod
    def of(cls, dataset: Dataset) -> "Report":
        """What was found when a data set was staged."""
        accounts = {kind: Account(**counts) for kind, counts in dataset.manifest().accounts.items()}
        with dataset.rejects_file.open(encoding="utf-8", newline="") as stream:
            rows = islice(csv.DictReader(stream), KEPT_REJECTS)
            rejects = [Reject(row["file"], int(row["line"]), row["reason"], row["text"]) for row in rows]
        return cls(accounts, rejects, dataset.rejects_file)

    def check_tolerance(self, share: float) -> None:
        """Raise TooManyRejectsError if more than this share of the ratings' lines was rejected."""
        ratings = self.accounts["ratings"]
        if ratings.rejected > share * ratings.lines:
            first = self.rejects[0]
            raise TooManyRejectsError(
                f"{ratings.rejected:,} of {ratings.lines:,} lines rejected, more than {share:.2%}; "
                f"the first is {first.file}:{first.line}: {first.reason}: {first.text!r}"
            )


def stage(path: Path, staging: Path, *, quiet: bool = False) -> Dataset:
    """Stage an input, unless the same one is staged already; its folder in `staging` is named after its content.

    Of a pair that was rated twice the later date counts, of two on one date the later line. Raises NoRatingsError,
    SourceError or InputChangedError; then nothing is left behind.
    """
    files = input_files(path)
    described = describe_files(path, files)
    if (known := _find_staged(staging, described)) is not None:
        return known
    partial = Dataset(staging / PARTIAL)
    shutil.rmtree(partial.folder, ignore_errors=True)
    partial.folder.mkdir(parents=True)
    try:
        with ThreadPoolExecutor(1) as pool:
            hashing = pool.submit(add_digests, files, described)
            manifest = _write_dataset(path, partial, sum(file["size"] for file in described), quiet)
            require_unchanged(path, files, described)
            manifest = replace(manifest, inputs=hashing.result())
        partial.write_manifest(manifest)
        complete = Dataset(staging / name_content(manifest.inputs, LAYOUT))
        shutil.rmtree(complete.folder, ignore_errors=True)
        partial.folder.rename(complete.folder)
    finally:
        shutil.rmtree(partial.folder, ignore_errors=True)
    return complete


def sort_ratings(ratings: pl.DataFrame) -> pl.DataFrame:
    """By user and movie, each pair once: of several the latest `at`, of those the last row."""
    ordered = ratings.sort(*PAIR, "at", maintain_order=True)
    last = pl.any_horizontal(pl.col(key) != pl.col(key).shift(-1, fill_value=0) for key in PAIR)
    return ordered.filter(last)


def summarise_movies(ratings: pl.DataFrame) -> pl.DataFrame:
    """movieId, ratingCount and the sum of stars."""
    stars = pl.col("rating").cast(pl.Float64)
    return ratings.group_by("movieId").agg(ratingCount=pl.len().cast(pl.Int64), stars=stars.sum())


def _find_staged(staging: Path, described: list[dict[str, Any]]) -> Dataset | None:
    """The data set that was read from just these files, told by size and time."""
    for folder in sorted(staging.glob("*/")):
        try:
            if folder.name != PARTIAL and same_unread(Dataset(folder).manifest().inputs, described):
                return Dataset(folder)
        except DatasetError:
            continue
    return None


def _write_dataset(path: Path, dataset: Dataset, size: int, quiet: bool) -> Manifest:
    """Write all but the manifest."""
    with (
        Rejects(dataset.rejects_file) as rejects,
        Spill(dataset.folder, min(MOST_PARTS, 1 + size // BYTES_A_PART)) as spill,
        progress_bar("Reading ratings", size, "B", quiet=quiet) as bar,
    ):
        reader = InputReader(rejects, spill.add)
        for member in read_members(path, bar.update):
            reader.read(member)
        reader.finish()
    ratings = reader.accounts["ratings"]
    read = ratings.lines - ratings.rejected - ratings.structure
    if reader.form is None or not read:
        raise NoRatingsError(f"{path} holds no ratings: none of its {ratings.lines} lines is one")
    with progress_bar("Sorting", read, "rating", quiet=quiet) as bar:
        writer = _ShardWriter(dataset, spill, reader.probe(), bar.update)
        with ThreadPoolExecutor(2) as pool:
            shards = list(pool.map(writer.write, range(spill.parts)))
    ratings.loaded = sum(shard.ratings for shard in shards)
    ratings.duplicates = read - ratings.loaded
    movies = with_statistics(reader.movies(), pl.concat([shard.movies for shard in shards]))
    movies.write_parquet(dataset.movies_file)
    return Manifest(
        catalogue=reader.form.catalogue,
        source=str(path),
        ratings=ratings.loaded,
        users=sum(shard.users for shard in shards),
        movies=len(movies),
        probe=sum(shard.probe for shard in shards),
        accounts={kind: asdict(account) for kind, account in reader.accounts.items()},
    )


@dataclass(frozen=True)
class _Shard:
    """What one shard holds; `movies` has movieId, ratingCount and the sum of stars."""

    ratings: int
    users: int
    probe: int
    movies: pl.DataFrame


class _ShardWriter:
    """Sorts the parts of a spill into the shards of a data set, several at once."""

    def __init__(self, dataset: Dataset, spill: Spill, probe: pl.DataFrame, progress: Callable[[int], object]) -> None:
        self._dataset = dataset
        self._spill = spill
        self._probe = probe.with_columns(probe=pl.lit(True))  # noqa: FBT003
        self._progress = progress

    def write(self, number: int) -> _Shard:
        """Write one shard."""
        records = self._spill.read(number)
        columns = {name: records[name] for name in records.dtype.names or ()}
        ratings = pl.DataFrame(columns).with_columns(pl.col("at").cast(pl.Datetime("ms")))
        ratings = sort_ratings(ratings).join(self._probe, on=PAIR, how="left", maintain_order="left")
        ratings = ratings.with_columns(pl.col("probe").fill_null(value=False))
        ratings.write_parquet(self._dataset.shard_file(number), compression="lz4", statistics=False)
        self._spill.remove(number)
        self._progress(len(records))
        return _Shard(
            len(ratings), ratings["userId"].n_unique(), int(ratings["probe"].sum()), summarise_movies(ratings)
        )


def with_statistics(movies: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Titled movies and rated ones alike, with ratingCount and ratingMean."""
    rated = facts.group_by("movieId").agg(pl.col("ratingCount").sum(), pl.col("stars").sum())
    found = movies.join(rated, on="movieId", how="full", coalesce=True).sort("movieId")
    return found.select(
        *("movieId", "title", "year", "genres"),
        pl.col("ratingCount").fill_null(0),
        ratingMean=pl.col("stars") / pl.col("ratingCount"),
    )
