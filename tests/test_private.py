"""After a load and all that keeps files, with an open umask, other users reach nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.settings import ROOT, Settings
from common.times import utc_now
from graph.server.process import EmbeddedServer
from graph.tombstones import Tombstone, keep_tombstones
from scripts.sandbox import environment_of
from stream.event_log.sqlite import SqliteEventLog


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def run(settings: Settings, *arguments: object) -> None:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def reachable(path: Path) -> Iterator[Path]:
    """What group or others can read, write or search, at or below a path."""
    if path.stat().st_mode & 0o077:
        yield path
        for inner in path.iterdir() if path.is_dir() else ():
            yield from reachable(inner)


@pytest.mark.usefixtures("open_umask")
def test_nothing_is_reachable_for_others(own: Settings, tmp_path: Path) -> None:
    ratings = tmp_path / "ratings"
    ratings.mkdir()
    (ratings / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n"
        + "".join(f"{user},{movie},4.0,{10**9 + user}\n" for user in range(1, 140) for movie in range(1, 9))
        + "1,1,nonsense,1\n"
    )
    (ratings / "movies.csv").write_text(
        "movieId,title,genres\n" + "".join(f"{movie},Movie {movie} (1999),Drama\n" for movie in range(1, 9))
    )
    run(own, "loader", "bulk", ratings, "--rejects", tmp_path / "rejects.csv")
    run(own, "loader", "export", tmp_path / "exported")
    run(own, "graph", "backup", tmp_path / "backup")
    run(own, "service", "keys", "add", "reader")
    keep_tombstones(own.erased_file, [Tombstone(1, utc_now(), None)])
    log = SqliteEventLog(own.event_log_path)
    log.close()

    kept = [own.data, own.neo4j_home, *(tmp_path / name for name in ("rejects.csv", "exported", "backup"))]
    assert [path for root in kept for path in reachable(root)] == []


@pytest.mark.usefixtures("open_umask")
def test_home_of_an_older_version_is_closed(own: Settings) -> None:
    home = EmbeddedServer.of(own).home
    home.create()
    home.path.chmod(0o755)
    home.create()
    assert home.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("open_umask")
def test_event_log_elsewhere_is_private(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    path.touch(0o644)  # an older version's
    log = SqliteEventLog(path)
    files = [file for file in tmp_path.iterdir() if file.name.startswith(path.name)]
    assert {file.name for file in files} >= {"events.sqlite", "events.sqlite-wal", "events.sqlite-shm"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    log.close()
