"""Staged ratings without those of erased users: the files are written anew, so that nothing learns from them."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from common.times import text_of
from engine.dataset import Dataset, Manifest
from engine.shards import Shard, write_movies, write_table
from graph.tombstones import Tombstone

logger = logging.getLogger(__name__)


def forget_users(dataset: Dataset, tombstones: Iterable[Tombstone]) -> None:
    """Remove from staged ratings what erased users did before that was lifted, unless it is removed already.

    Killed, the next call does it: the manifest, which tells whose ratings are gone, is written last.
    """
    manifest = dataset.manifest()
    until = {one.user_id: one.until for one in find_unforgotten(manifest, tombstones)}
    if not until:
        return
    for name in ("model.json", "similar.parquet"):  # learned from them
        (dataset.folder / name).unlink(missing_ok=True)
    shards = [Shard.of(_forget(shard, until)) for shard in dataset.shards()]
    left = write_movies(dataset, dataset.titled_movies(), shards, manifest)
    logger.info("%d staged ratings of erased users are removed", manifest.ratings - left.ratings)
    forgotten = {str(user_id): str(text_of(moment)) for user_id, moment in until.items()}
    dataset.write_manifest(replace(left, forgotten=manifest.forgotten | forgotten))


def find_unforgotten(manifest: Manifest, tombstones: Iterable[Tombstone]) -> list[Tombstone]:
    """The erased users whose ratings may still be staged. What was removed before a user came back stays removed."""
    known = manifest.forgotten
    return [one for one in tombstones if str(text_of(one.until)) > known.get(str(one.user_id), "")]


def _forget(shard: Path, until: Mapping[int, datetime]) -> pl.DataFrame:
    """A shard's ratings that may be kept; the file is left with just these."""
    ratings = pl.read_parquet(shard)
    limits = pl.DataFrame(
        {"userId": list(until), "until": list(until.values())},
        schema={"userId": pl.Int32, "until": pl.Datetime("ms")},
    )
    marked = ratings.join(limits, on="userId", how="left", maintain_order="left")
    kept = marked.filter(pl.col("until").is_null() | (pl.col("at") > pl.col("until"))).drop("until")
    if len(kept) < len(ratings):
        write_table(shard, kept)
    return kept
