"""Loads leave erased users out, whether the graph, its copy in the data folder, or the log alone knows of them."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from loader_tools import WRONG_STATISTICS, Rows, load, read, write_netflix

from common.settings import Settings
from common.times import utc_now
from engine.dataset import current_dataset
from engine.versions import refit
from graph.contents import Present
from graph.database import Database
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from graph.repositories.models import Models
from graph.server.process import EmbeddedServer
from loader.bulk import bulk_load


def mark_erased(settings: Settings, user: int, at: datetime | None = None) -> None:
    """A tombstone, as the writer leaves it; nothing is removed yet."""
    with Database.from_settings(settings) as database:
        Ingest(database).transact(lambda batch: batch.write_erasures({user: at or utc_now()}))


def users(settings: Settings) -> list[object]:
    return [row[0] for row in sorted(read(settings, "MATCH (u:User) RETURN u.userId"))]  # type: ignore[type-var]


def tombstones(settings: Settings) -> Rows:
    return read(settings, "MATCH (e:Erased) RETURN e.userId, e.liftedAt IS NOT NULL, e.removedAt IS NOT NULL")


def staged_users(settings: Settings) -> set[int]:
    return set(current_dataset(settings.staging).ratings()["userId"].unique())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_loads_leave_erased_users_out(own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "raw"
    write_netflix(folder, users=12, movies=8)
    load(own, "bulk", folder)
    mark_erased(own, 3)
    check_a_fit_learns_nothing_from_the_user(own)
    check_a_bulk_load_leaves_the_user_out(own, folder)
    check_an_addition_leaves_the_user_out(own, tmp_path / "more")
    check_an_erasure_during_a_bulk_load_counts(own, folder, monkeypatch)
    check_the_copy_counts_when_the_database_is_gone(own, folder)


def check_a_fit_learns_nothing_from_the_user(settings: Settings) -> None:
    with Database.from_settings(settings) as database:
        model = refit(settings, Models(database), quiet=True)
    assert 3 not in staged_users(settings)
    assert model.snapshot["ratings"] == len(current_dataset(settings.staging).ratings())


def check_a_bulk_load_leaves_the_user_out(settings: Settings, folder: Path) -> None:
    load(settings, "bulk", folder)
    assert users(settings) == [1, 2, *range(4, 13)]
    assert tombstones(settings) == [(3, False, True)]
    assert read(settings, WRONG_STATISTICS) == []


def check_an_addition_leaves_the_user_out(settings: Settings, folder: Path) -> None:
    folder.mkdir()
    (folder / "combined_data_1.txt").write_text("1:\n3,5,2005-12-31\n13,4,2005-12-31\n20:\n3,4,2005-12-31\n")
    load(settings, "add", folder)
    assert users(settings) == [1, 2, *range(4, 14)]
    assert staged_users(settings) == {1, 2, *range(4, 14)}
    assert read(settings, WRONG_STATISTICS) == []
    with Database.from_settings(settings) as database:
        assert Erasures(database, settings.erased_file).lift(3)
    again = folder / "combined_data_1.txt"
    tomorrow = utc_now().date() + timedelta(days=1)
    again.write_text(f"1:\n3,5,2005-12-31\n20:\n3,4,{tomorrow}\n")
    load(settings.model_copy(update={"future_minutes": 1440}), "add", folder)
    assert read(settings, "MATCH (:User {userId: 3})-[r:RATED]->(m) RETURN m.movieId, r.rating") == [(20, 4.0)]


def check_an_erasure_during_a_bulk_load_counts(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased when the staging was read already."""
    mark_erased(settings, 5)
    with monkeypatch.context() as patch:
        patch.setattr("loader.bulk.read_present", lambda _: Present([]))
        bulk_load(folder, settings, 0, quiet=True)
    assert users(settings) == [1, 2, 4, *range(6, 13)]
    assert tombstones(settings) == [(3, True, True), (5, False, True)]
    assert read(settings, WRONG_STATISTICS) == []


def check_the_copy_counts_when_the_database_is_gone(settings: Settings, folder: Path) -> None:
    with Database.from_settings(settings) as database:
        Erasures(database, settings.erased_file).copy()
    assert [row["userId"] for row in json.loads(settings.erased_file.read_text())] == [3, 5]
    EmbeddedServer.of(settings).down()
    shutil.rmtree(settings.neo4j_home)
    load(settings, "bulk", folder)
    assert users(settings) == [1, 2, 4, *range(6, 13)]
    assert tombstones(settings) == [(3, True, True), (5, False, True)]
    staged = pl.concat([pl.read_parquet(file) for file in current_dataset(settings.staging).shards()])
    assert not {3, 5} & set(staged["userId"])
