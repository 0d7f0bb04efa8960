"""What came live outlives a bulk load: edges, positions and the sequence are carried over."""

from datetime import datetime
from pathlib import Path

import pytest
from loader_tools import load, read, run_loader, write_netflix

from graph.database import Database
from graph.repositories.ingest import Ingest, Position
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.interactions import Interaction, Viewing
from graph.repositories.live import SEQUENCE_GAP
from graph.repositories.recommendations import Recommendations
from graph.settings import Settings

NOON = datetime(2026, 1, 1, 12)
LATER = datetime(2026, 1, 2, 12)
OLD = datetime(2001, 1, 1)
LIVE = (
    "MATCH (u)-[e]->(m) WHERE e.eventId IS NOT NULL OR e.batchId IS NOT NULL "
    "RETURN type(e), u.userId, m.movieId, m.title, properties(e)"
)
COUNTS = (
    "MATCH (m:Movie)<-[r:RATED]-() WITH m, count(r) AS ratings, avg(r.rating) AS mean "
    "WHERE m.ratingCount <> ratings OR abs(m.ratingMean - mean) > 1e-9 RETURN m.movieId"
)


@pytest.mark.timeout(900)
def test_what_came_live_outlives_loads(own: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    write_netflix(folder, users=12, movies=8)
    load(own, "bulk", folder)
    let_one_of_each_kind_happen(own)
    check_a_load_carries_over_what_is_live(own, folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_live_edges_mean_to_other_loads(own: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    write_netflix(folder, users=12, movies=8)
    load(own, "bulk", folder, "--forget-live")
    let_one_of_each_kind_happen(own)
    check_a_later_rating_of_a_load_counts_more_than_a_live_one(own, tmp_path / "later")
    check_live_edges_of_another_catalogue_are_lost_only_when_asked(own, tmp_path / "movielens")


def let_one_of_each_kind_happen(settings: Settings) -> None:
    """One live edge of each kind, one stored list, and a position."""

    def happen(batch: IngestTransaction) -> None:
        batch.create_nodes({900: ("Only live", 2020)}, {1, 2, 500})
        batch.create_viewings(
            [
                Viewing("open", 500, 900, "feed", NOON, NOON, polls_since_seen=1),
                Viewing("finished", 1, 900, "api", NOON, LATER, LATER),
            ]
        )
        batch.write_interactions(
            [
                Interaction("rated", 1, 2, NOON, "newer", 1.0),
                Interaction("rated", 500, 900, NOON, "new", 4.0),
                Interaction("liked", 2, 3, NOON, "like", 1),
                Interaction("listed", 2, 4, NOON, "list"),
                Interaction("clicked", 2, 5, NOON, "click"),
            ]
        )
        batch.lock_offset("log", 0)
        batch.move_offset("log", 0, 17)

    with Database.from_settings(settings) as database:
        Ingest(database).transact(happen)
        Ingest(database).store_lists([("batch", Recommendations(database).recommend_for_user(1))])


def check_a_load_carries_over_what_is_live(settings: Settings, folder: Path) -> None:
    before = read(settings, LIVE)
    assert {row[0] for row in before} == {"RATED", "WATCHED", "LIKED", "LISTED", "CLICKED", "RECOMMENDED"}
    [(ratings,)] = read(settings, "MATCH ()-[r:RATED]->() RETURN count(r)")
    load(settings, "bulk", folder)
    assert read(settings, LIVE) == before
    assert read(settings, "MATCH ()-[r:RATED]->() RETURN count(r)") == [(ratings,)]
    assert read(settings, COUNTS) == []
    with Database.from_settings(settings) as database:
        ingest = Ingest(database)
        assert ingest.read_offset("log") == Position(17, 1)
        assert ingest.get_sequence() == 2 + SEQUENCE_GAP
        assert ingest.read_viewings_since(0, 1) != []


def check_a_later_rating_of_a_load_counts_more_than_a_live_one(settings: Settings, folder: Path) -> None:
    write_netflix(folder, users=12, movies=8)
    with (folder / "combined_data_1.txt").open("a") as stream:
        stream.write("2:\n1,5,2026-02-01\n900:\n500,2,2001-01-01\n")
    load(settings, "bulk", folder)
    stars = "MATCH (u:User {userId: %d})-[r:RATED]->(m:Movie {movieId: %d}) RETURN r.rating, r.eventId"
    assert read(settings, stars % (1, 2)) == [(5.0, None)]
    assert read(settings, stars % (500, 900)) == [(4.0, "new")]
    assert read(settings, COUNTS) == []


def check_live_edges_of_another_catalogue_are_lost_only_when_asked(settings: Settings, folder: Path) -> None:
    folder.mkdir()
    (folder / "ratings.csv").write_text("1,5,4.5,964982703\n2,5,4,964982703\n")
    before = read(settings, LIVE)
    refused = run_loader(settings, "bulk", folder)
    assert refused.returncode == 1
    assert "--forget-live" in refused.stderr
    assert read(settings, LIVE) == before
    load(settings, "bulk", folder, "--forget-live")
    assert read(settings, LIVE) == []
    with Database.from_settings(settings) as database:  # or the log would bring the forgotten ones back
        assert Ingest(database).read_offset("log").offset == 17
