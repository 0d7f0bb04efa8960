"""The export read back and compared with the graph."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from loader_tools import load, run_loader

from common.settings import Settings
from graph.database import Database
from loader.export import export_graph

FILL = """
CREATE (:Catalogue {name: 'movielens', schemaVersion: 2})
WITH 1 AS one
UNWIND range(1, 12) AS id
CREATE (:User {userId: id * 7}), (:Movie {movieId: id})
WITH count(*) AS made
MATCH (user:User), (movie:Movie) WHERE user.userId > 7 AND (user.userId + movie.movieId) % 3 = 0
CREATE (user)-[rated:RATED {rating: 0.5 + movie.movieId % 5, at: localdatetime('2005-01-01T10:11:12.345')}]->(movie)
SET rated.eventId = CASE WHEN movie.movieId = 5 THEN 'event ' + user.userId END
WITH DISTINCT user
MATCH (movie:Movie) WHERE movie.movieId < 4
CREATE (user)-[seen:WATCHED {eventId: user.userId + ' saw ' + movie.movieId, source: 'api',
  startedAt: localdatetime('2026-01-03') - duration({days: movie.movieId}), lastSeenAt: localdatetime('2026-01-03')}
]->(movie)
SET seen.finishedAt = CASE movie.movieId WHEN 1 THEN localdatetime('2026-01-04') END,
    seen.abandonedAt = CASE movie.movieId WHEN 2 THEN localdatetime('2026-01-04') END
"""


@pytest.fixture
def filled(database: Database) -> Database:
    database.run_text(FILL)
    return database


def rows_of(database: Database, text: str) -> list[tuple[object, ...]]:
    return [
        tuple(value.to_native() if hasattr(value, "to_native") else value for value in record.values())
        for record in database.run_text(text)
    ]


@pytest.mark.parametrize("users", [1, 5, 100])
def test_what_was_exported_is_what_the_graph_holds(
    filled: Database, settings: Settings, tmp_path: Path, users: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.export.USERS", users)
    monkeypatch.setattr("loader.export.GROUP_ROWS", 10)
    folder = tmp_path / "deep" / "out"
    counts = export_graph(folder, settings, quiet=True)
    ratings, viewings = pl.read_parquet(folder / "ratings.parquet"), pl.read_parquet(folder / "viewings.parquet")
    assert ratings.rows() == rows_of(
        filled,
        "MATCH (u:User)-[r:RATED]->(m:Movie) RETURN u.userId AS user, m.movieId AS movie, r.rating, r.at, r.eventId "
        "ORDER BY user, movie",
    )
    assert viewings.rows() == rows_of(
        filled,
        "MATCH (u:User)-[w:WATCHED]->(m:Movie) RETURN u.userId AS user, m.movieId, w.eventId AS id, w.source, "
        "w.startedAt AS start, w.lastSeenAt, w.finishedAt, w.abandonedAt ORDER BY user, start, id",
    )
    assert counts == (len(ratings), len(viewings))
    assert min(counts) > 20
    assert ratings["at"][0] == datetime(2005, 1, 1, 10, 11, 12, 345_000)
    assert ratings.schema == {
        "userId": pl.Int32,
        "movieId": pl.Int32,
        "rating": pl.Float32,
        "at": pl.Datetime("ms"),
        "eventId": pl.String,
    }
    assert [file.name for file in folder.parent.iterdir()] == ["out"]


def test_a_folder_with_files_is_left_alone_and_an_empty_one_is_filled(
    filled: Database, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    assert "ratings and" in load(settings, "export", folder)
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert set(before) == {"ratings.parquet", "viewings.parquet"}
    for place in (folder, folder / "ratings.parquet"):
        refused = run_loader(settings, "export", place)
        assert (refused.exit_code, "is not empty" in refused.stderr) == (1, True)
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_an_export_that_fails_leaves_nothing(settings: Settings, database: Database, tmp_path: Path) -> None:
    database.run_text("CREATE (:Catalogue {name: 'movielens', schemaVersion: 99})")
    refused = run_loader(settings, "export", tmp_path / "out")
    assert (refused.exit_code, "schema version 99" in refused.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []
