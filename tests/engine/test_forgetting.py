"""Staged ratings without those of erased users."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from engine.dataset import RATING_SCHEMA, Dataset, Manifest
from engine.forgetting import forget_users
from graph.tombstones import Tombstone

DAY = datetime(2005, 1, 1)
LATER = datetime(2020, 1, 1)
ROWS = [
    [(2, 10, 4.0, DAY, True), (2, 11, 2.0, LATER, False), (4, 10, 1.0, DAY, False)],
    [(1, 10, 5.0, DAY, False), (3, 12, 3.0, DAY, False)],
]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    staged = Dataset(tmp_path / "staged")
    staged.folder.mkdir()
    for number, rows in enumerate(ROWS):
        pl.DataFrame(rows, schema=RATING_SCHEMA, orient="row").write_parquet(staged.shard_file(number))
    movies = {"movieId": [10, 11, 12], "title": ["A", "B", None], "year": [1990, None, None], "genres": [["X"], [], []]}
    pl.DataFrame(movies).with_columns(ratingCount=pl.lit(9), ratingMean=pl.lit(9.0)).write_parquet(staged.movies_file)
    staged.write_manifest(Manifest("movielens", "here", ratings=5, users=4, movies=3, probe=1))
    (staged.folder / "model.json").write_text("{}")
    return staged


def rows(dataset: Dataset) -> set[tuple[object, ...]]:
    return set(dataset.ratings().rows())


def test_ratings_of_erased_users_are_gone_and_all_counts_are_true(dataset: Dataset) -> None:
    forget_users(dataset, [Tombstone(2, LATER), Tombstone(3, LATER), Tombstone(99, LATER)])
    assert rows(dataset) == {ROWS[0][2], ROWS[1][0]}
    manifest = dataset.manifest()
    assert (manifest.ratings, manifest.users, manifest.movies, manifest.probe) == (2, 2, 3, 0)
    movies = dataset.movies().select("movieId", "title", "ratingCount", "ratingMean").rows()
    assert movies == [(10, "A", 2, 3.0), (11, "B", 0, None), (12, None, 0, None)]
    assert not (dataset.folder / "model.json").exists()


def test_it_is_done_once(dataset: Dataset) -> None:
    forget_users(dataset, [Tombstone(2, LATER)])
    (dataset.folder / "model.json").write_text("{}")
    before = dataset.shard_file(0).stat().st_mtime_ns, dataset.shard_file(1).stat().st_mtime_ns
    forget_users(dataset, [Tombstone(2, LATER), Tombstone(2, LATER, LATER)])
    assert (dataset.folder / "model.json").exists()
    assert (dataset.shard_file(0).stat().st_mtime_ns, dataset.shard_file(1).stat().st_mtime_ns) == before


def test_what_came_after_it_was_lifted_stays(dataset: Dataset) -> None:
    forget_users(dataset, [Tombstone(2, DAY, datetime(2010, 1, 1))])
    assert rows(dataset) == {*ROWS[1], *ROWS[0][1:]}


def test_killed_before_the_manifest_the_next_call_counts_right(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "write_manifest", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget_users(dataset, [Tombstone(2, LATER)])
    forget_users(dataset, [Tombstone(2, LATER)])
    assert (dataset.manifest().ratings, dataset.manifest().users) == (3, 3)
