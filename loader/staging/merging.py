"""Two staged data sets as one."""

import hashlib
from dataclasses import replace

import polars as pl

from engine.dataset import Dataset
from engine.shards import Shard, write_movies, write_table
from loader.staging.stage import partial_dataset, sort_ratings


def merge_datasets(base: Dataset, added: Dataset) -> Dataset:
    """A new data set beside them; of a pair in both the later `at` counts, of equals what was added."""
    staging = base.folder.parent
    merged = Dataset(staging / hashlib.sha256(f"{base.name} {added.name}".encode()).hexdigest()[:12])
    with partial_dataset(staging) as partial:
        parts = len(base.shards())
        shards = []
        for number, shard in enumerate(base.shards()):
            new = pl.scan_parquet(added.shards()).filter(pl.col("userId") % parts == number).collect()
            ratings = sort_ratings(pl.concat([pl.read_parquet(shard), new]))
            write_table(partial.shard_file(number), ratings)
            shards.append(Shard.of(ratings))
        known = pl.concat([base.titled_movies(), added.titled_movies()])
        # Titled rows first: a movie that was rated before its title came takes it over.
        known = known.sort(pl.col("title").is_null(), maintain_order=True).unique("movieId", keep="first")
        before, new_manifest = base.manifest(), added.manifest()
        manifest = replace(
            before,
            source=f"{before.source} + {new_manifest.source}",
            inputs=[*before.inputs, *new_manifest.inputs],
            accounts={},
            forgotten={},
        )
        partial.write_manifest(write_movies(partial, known, shards, manifest))
        partial.take_place_of(merged)
    return merged
