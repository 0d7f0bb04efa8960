"""What live edges mean to loads that know better, and to those of another catalogue."""

from pathlib import Path

import pytest
from live_edges import LIVE, let_one_of_each_kind_happen
from loader_tools import WRONG_STATISTICS, load, read, run_loader, write_netflix

from common.settings import Settings
from graph.database import Database
from graph.repositories.ingest import Ingest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_live_edges_mean_to_other_loads(own: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    write_netflix(folder, users=12, movies=8)
    load(own, "bulk", folder, "--forget-live")
    let_one_of_each_kind_happen(own)
    check_a_later_rating_of_a_load_counts_more_than_a_live_one(own, tmp_path / "later")
    check_another_catalogue_replaces_all_but_live_edges_only_when_asked(own, tmp_path / "movielens")


def check_a_later_rating_of_a_load_counts_more_than_a_live_one(settings: Settings, folder: Path) -> None:
    write_netflix(folder, users=12, movies=8)
    with (folder / "combined_data_1.txt").open("a") as stream:
        stream.write("2:\n1,5,2026-02-01\n900:\n500,2,2001-01-01\n")
    load(settings, "bulk", folder)
    stars = "MATCH (u:User {userId: %d})-[r:RATED]->(m:Movie {movieId: %d}) RETURN r.rating, r.eventId"
    assert read(settings, stars % (1, 2)) == [(5.0, None)]
    assert read(settings, stars % (500, 900)) == [(4.0, "new")]
    assert read(settings, WRONG_STATISTICS) == []


def check_another_catalogue_replaces_all_but_live_edges_only_when_asked(settings: Settings, folder: Path) -> None:
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,5,4.5,964982703\n2,5,4,964982703\n")
    (folder / "movies.csv").write_text('movieId,title,genres\n5,"Matrix, The (1999)",Action|Sci-Fi\n')
    before = read(settings, LIVE)
    refused = run_loader(settings, "bulk", folder)
    assert refused.exit_code == 1
    assert "--forget-live" in refused.stderr
    assert read(settings, LIVE) == before
    load(settings, "bulk", folder, "--forget-live")
    assert read(settings, LIVE) == []
    assert read(settings, "MATCH (u:User) RETURN u.userId") == [(1,), (2,)]
    movies = read(settings, "MATCH (m:Movie) RETURN m.title, m.year, m.genres")
    assert movies == [("The Matrix", 1999, ["Action", "Sci-Fi"])]
    with Database.from_settings(settings) as database:  # or the log would bring the forgotten ones back
        assert Ingest(database).read_offset("log").offset == 17
