"""Staging: an input becomes checked, sorted, deduplicated Parquet (`engine.dataset`)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from common.commands import progress_bar
from common.errors import RecommenderError
from common.files import make_private_folder
from common.times import NEVER
from engine.dataset import LAYOUT, Dataset, DatasetError, Manifest
from engine.shards import Shard, write_movies, write_table
from loader.files.fingerprints import (
    InputChangedError,
    add_digests,
    describe_files,
    name_content,
    require_unchanged,
    same_unread,
)
from loader.files.input_files import input_files, read_members
from loader.formats.accounts import Account, Rejects
from loader.formats.recognition import RATINGS_FORMATS, is_ratings_file
from loader.staging.reader import InputReader
from loader.staging.spill import Spill

PARTIAL = "partial"
BYTES_A_PART = 32 << 20
MOST_PARTS = 64
PAIR = ["userId", "movieId"]


class NoRatingsError(RecommenderError):
    """An input holds no ratings."""


def stage(path: Path, staging: Path, *, latest: datetime = NEVER, quiet: bool = False) -> Dataset:
    """Stage an input, unless the same one is staged already; its folder in `staging` is named after its content.

    Lines of a moment after `latest` are rejected. Of a pair that was rated twice the later date counts, of two on one
    date the later line. Raises NoRatingsError, SourceError or InputChangedError; then nothing is left behind.
    """
    files = input_files(path)
    described = describe_files(path, files)
    if (known := _find_staged(path, staging, described)) is not None:
        return known
    with partial_dataset(staging) as partial:
        manifest = _write_unchanged(path, files, described, partial, latest, quiet)
        complete = Dataset(staging / name_content(manifest.inputs, LAYOUT))
        # The same content, from another place or touched: its fit is kept, unless more of it is in the past by now.
        if complete.is_complete and complete.manifest().accounts == manifest.accounts:
            complete.write_manifest(manifest)
        else:
            partial.write_manifest(manifest)
            partial.take_place_of(complete)
    return complete


@contextmanager
def partial_dataset(staging: Path) -> Iterator[Dataset]:
    """A data set to be written, which is removed in the end if it did not take another's place."""
    partial = Dataset(staging / PARTIAL)
    partial.remove()
    make_private_folder(partial.folder)
    try:
        yield partial
    finally:
        partial.remove()


def sort_ratings(ratings: pl.DataFrame) -> pl.DataFrame:
    """By user and movie, each pair once: of several the latest `at`, of those the last row."""
    ordered = ratings.sort(*PAIR, "at", maintain_order=True)
    last = pl.any_horizontal(pl.col(key) != pl.col(key).shift(-1, fill_value=0) for key in PAIR)
    return ordered.filter(last)


def _find_staged(path: Path, staging: Path, described: list[dict[str, Any]]) -> Dataset | None:
    """The data set that was read from just these files, told by size and time."""
    for folder in sorted(staging.glob("*/")):
        try:
            manifest = Dataset(folder).manifest()
            if folder.name != PARTIAL and _is_of(manifest, path, described):
                return Dataset(folder)
        except DatasetError:
            continue
    return None


def _is_of(manifest: Manifest, path: Path, described: list[dict[str, Any]]) -> bool:
    # Without accounts it was merged, not read.
    same_place = manifest.source == str(path.absolute()) and bool(manifest.accounts)
    return same_place and same_unread(manifest.inputs, described)


def _write_unchanged(
    path: Path, files: list[Path], described: list[dict[str, Any]], partial: Dataset, latest: datetime, quiet: bool
) -> Manifest:
    """Write all but the manifest of files that nobody writes to meanwhile; their digests are made beside that."""
    with ThreadPoolExecutor(1) as pool:
        hashing = pool.submit(add_digests, files, described)
        manifest = _write_dataset(path, partial, sum(file["size"] for file in described), latest, quiet)
        try:
            manifest = replace(manifest, inputs=hashing.result())
        except OSError:
            require_unchanged(path, files, described)
            raise
    require_unchanged(path, files, described)
    if input_files(path) != files:
        raise InputChangedError(f"{path} changed while it was read: run the same command again")
    return manifest


def _write_dataset(path: Path, dataset: Dataset, size: int, latest: datetime, quiet: bool) -> Manifest:
    """Write all but the manifest."""
    with (
        Rejects(dataset.rejects_file) as rejects,
        Spill(dataset.folder, min(MOST_PARTS, 1 + size // BYTES_A_PART)) as spill,
        progress_bar("Reading ratings", size, "B", quiet=quiet) as bar,
    ):
        reader = InputReader(rejects, spill.add, latest)
        for member in read_members(path, bar.update):
            reader.read(member)
        reader.finish()
    ratings = reader.accounts["ratings"]
    read = ratings.lines - ratings.rejected - ratings.structure
    if reader.format is None or not read:
        raise NoRatingsError(f"{path} holds no ratings: {_explain_none(ratings, rejects)}")
    with progress_bar("Sorting", read, "rating", quiet=quiet) as bar:
        writer = _ShardWriter(dataset, spill, reader.probe(), bar.update)
        with ThreadPoolExecutor(2) as pool:
            shards = list(pool.map(writer.write, range(spill.parts)))
    source = str(path.absolute())
    manifest = write_movies(dataset, reader.movies(), shards, Manifest(reader.format.catalogue, source))
    ratings.loaded = manifest.ratings
    ratings.duplicates = read - ratings.loaded
    return replace(manifest, accounts={kind: asdict(account) for kind, account in reader.accounts.items()})


def _explain_none(ratings: Account, rejects: Rejects) -> str:
    if not ratings.lines:
        return f"none of {', '.join(known.name for known in RATINGS_FORMATS)} has a line in it"
    first = next((reject for reject in rejects.first if is_ratings_file(Path(reject.file).name)), None)
    return f"none of its {ratings.lines} lines is one" + (f"; {first}" if first else "")


class _ShardWriter:
    """Sorts the parts of a spill into the shards of a data set, several at once."""

    def __init__(self, dataset: Dataset, spill: Spill, probe: pl.DataFrame, progress: Callable[[int], object]) -> None:
        self._dataset = dataset
        self._spill = spill
        self._probe = probe.with_columns(probe=pl.lit(True))
        self._progress = progress

    def write(self, number: int) -> Shard:
        """Write one shard."""
        records = self._spill.read(number)
        columns = {name: records[name] for name in records.dtype.names or ()}
        ratings = pl.DataFrame(columns).with_columns(pl.col("at").cast(pl.Datetime("ms")))
        ratings = sort_ratings(ratings).join(self._probe, on=PAIR, how="left", maintain_order="left")
        ratings = ratings.with_columns(pl.col("probe").fill_null(value=False))
        write_table(self._dataset.shard_file(number), ratings)
        self._spill.remove(number)
        self._progress(len(records))
        return Shard.of(ratings)
