"""Adding ratings to the running database: small transactions that carry their own position."""

import logging
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from common.commands import progress_bar
from common.errors import RecommenderError
from common.settings import Settings
from common.times import milliseconds_of
from engine.dataset import Dataset, DatasetError, remove_other_datasets, use_dataset
from engine.forgetting import forget_users
from graph.contents import working_on
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.models import WRITE_ROWS, Models
from graph.schema import require_known_schema
from loader.runs import only_load, timed
from loader.staging.merging import merge_datasets
from loader.staging.report import Teller, stage_checked

logger = logging.getLogger(__name__)

# User id, movie id, stars, milliseconds since 1970.
Rows = list[tuple[int, int, float, int]]


def add_ratings(
    path: Path, settings: Settings, tolerance: float, tell: Teller = lambda _: None, *, quiet: bool = False
) -> None:
    """Add an input's ratings to the running database and to the staged ratings that the model learns from.

    `tell` gets the account of all lines before anything is changed. Raises RecommenderError; the same call again goes
    on after the last batch that was written.
    """
    with only_load(settings), working_on(settings) as database:
        require_known_schema(database)
        dataset = stage_checked(path, settings, tolerance, tell, quiet=quiet)
        models = Models(database)
        _require_catalogue(dataset, models)
        addition = _Addition(dataset, Ingest(database))
        addition.write_movies()
        with timed("added"), progress_bar("Adding", dataset.manifest().ratings, "rating", quiet=quiet) as bar:
            for rows in addition.batches():
                bar.update(addition.write(rows))
        _learn_from(dataset, Dataset(settings.staging / models.get_dataset()), models)


class _Addition:
    """The ratings of a data set on their way into the graph; the position is a row number over all shards."""

    def __init__(self, dataset: Dataset, ingest: Ingest) -> None:
        self._dataset = dataset
        self._ingest = ingest
        self._source = f"add:{dataset.name}"

    def write_movies(self) -> None:
        """Make movies that are not there yet."""
        movies = self._dataset.titled_movies().to_dicts()
        for begin in range(0, len(movies), WRITE_ROWS):
            self._ingest.transact(lambda batch, begin=begin: batch.add_movies(movies[begin : begin + WRITE_ROWS]))  # type: ignore[misc]

    def batches(self) -> Iterator[tuple[int, Rows]]:
        """(first row number, rows) of what is not written yet; shards that are done are not read."""
        done = self._ingest.read_offset(self._source).offset
        begin = 0
        for shard in self._dataset.shards():
            end = begin + pl.scan_parquet(shard).select(pl.len()).collect().item()
            if end > done:
                ratings = pl.read_parquet(shard).select("userId", "movieId", "rating", pl.col("at").dt.epoch("ms"))
                for first in range(max(begin, done), end, WRITE_ROWS):
                    yield first, ratings[first - begin : first - begin + WRITE_ROWS].rows()
            begin = end

    def write(self, numbered: tuple[int, Rows]) -> int:
        """Write one batch and its position in one transaction; returns its length."""
        first, rows = numbered

        def write(batch: IngestTransaction) -> None:
            if batch.lock_offset(self._source, 0) == first:
                kept = _without_deleted(batch, _without_erased(batch, rows))
                batch.create_nodes({}, {row[0] for row in kept})
                batch.add_ratings(kept)
                batch.move_offset(self._source, 0, first + len(rows))

        self._ingest.transact(write)
        return len(rows)


def _without_erased(batch: IngestTransaction, rows: Rows) -> Rows:
    """The rows that may be kept: of an erased user only those from after that was lifted."""
    erased = batch.find_erased({row[0] for row in rows})
    limits = {user_id: milliseconds_of(until) for user_id, until in erased.items()}
    return [row for row in rows if row[0] not in limits or row[3] > limits[row[0]]] if limits else rows


def _without_deleted(batch: IngestTransaction, rows: Rows) -> Rows:
    """The rows whose movie was not deleted, or was put back."""
    deleted = batch.find_deleted({row[1] for row in rows})
    gone = {movie_id for movie_id, deletion in deleted.items() if not deletion.lifted}
    return [row for row in rows if row[1] not in gone] if gone else rows


def _require_catalogue(dataset: Dataset, models: Models) -> None:
    added, loaded = dataset.manifest().catalogue, models.get_catalogue()
    if loaded is None:
        raise RecommenderError("the database holds no ratings yet: load them with `python -m loader bulk PATH`")
    if added != loaded:
        raise RecommenderError(
            f"these are ratings of {added!r}, the database holds {loaded!r}, whose ids differ: "
            "`python -m loader bulk PATH` replaces the content"
        )


def _learn_from(added: Dataset, base: Dataset, models: Models) -> None:
    """Merge what was added into the staged ratings, for the next fit."""
    try:
        known = {file["sha256"] for file in base.manifest().inputs}
    except DatasetError as error:
        logger.warning("the next fit will not learn from what was added: %s", error)
        return
    if {file["sha256"] for file in added.manifest().inputs} <= known:
        use_dataset(base)
        return
    merged = merge_datasets(base, added)
    forget_users(merged, models.read_tombstones())
    models.set_dataset(merged.name)
    use_dataset(merged)
    remove_other_datasets(merged)
