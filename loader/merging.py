"""Two staged data sets as one."""

import hashlib
from dataclasses import replace

import polars as pl

from engine.dataset import Dataset
from engine.statistics import with_statistics
from loader.staging import PARTIAL, sort_ratings, write_shard


def merge_datasets(base: Dataset, added: Dataset) -> Dataset:
    """A new data set beside them; of a pair in both the later `at` counts, of equals what was added."""
    staging = base.folder.parent
    merged = Dataset(staging / hashlib.sha256(f"{base.name} {added.name}".encode()).hexdigest()[:12])
    partial = Dataset(staging / PARTIAL)
    partial.remove()
    partial.folder.mkdir()
    parts = len(base.shards())
    shards = []
    for number, shard in enumerate(base.shards()):
        new = pl.scan_parquet(added.shards()).filter(pl.col("userId") % parts == number).collect()
        shards.append(write_shard(partial, number, sort_ratings(pl.concat([pl.read_parquet(shard), new]))))
    titles = ["movieId", "title", "year", "genres"]
    known = pl.concat([base.movies().select(titles), added.movies().select(titles)])
    # Titled rows first: a movie that was rated before its title came takes it over.
    known = known.sort(pl.col("title").is_null(), maintain_order=True).unique("movieId", keep="first")
    movies = with_statistics(known, pl.concat([shard.movies for shard in shards]))
    movies.write_parquet(partial.movies_file)
    before, new_manifest = base.manifest(), added.manifest()
    partial.write_manifest(
        replace(
            before,
            source=f"{before.source} + {new_manifest.source}",
            ratings=int(movies["ratingCount"].sum()),
            users=sum(shard.users for shard in shards),
            movies=len(movies),
            probe=sum(shard.probe for shard in shards),
            inputs=[*before.inputs, *new_manifest.inputs],
            accounts={},
            forgotten={},
        )
    )
    merged.remove()
    partial.folder.rename(merged.folder)
    return merged
