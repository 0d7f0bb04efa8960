"""Backup and restore of an embedded Neo4j of its own, through the commands."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until

from common.errors import RecommenderError
from common.settings import ROOT, Settings
from common.times import utc_now
from graph.backup import BackupError, back_up, restore
from graph.database import Database
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from graph.repositories.models import Models
from graph.schema import SchemaError
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from scripts.sandbox import environment_of, sandbox_settings

FILL = """
CREATE (:Catalogue {name: 'movielens', schemaVersion: 2}), (:Sequence {name: 'applied', value: 7})
WITH 1 AS one
UNWIND range(1, 20) AS id
CREATE (:User {userId: id}), (:Movie {movieId: id, ratingCount: 19, ratingMean: 3.0})
WITH count(*) AS made
MATCH (user:User), (movie:Movie) WHERE user.userId <> movie.movieId
CREATE (user)-[:RATED {rating: 3.0, at: localdatetime('2005-01-01T00:00')}]->(movie)
"""
COUNTS = {"Catalogue": 1, "Movie": 20, "RATED": 380, "Sequence": 1, "User": 20}


def start(settings: Settings, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "graph", *map(str, arguments)],
        cwd=ROOT,
        env=environment_of(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(settings: Settings, *arguments: object) -> tuple[int, str]:
    process = start(settings, *arguments)
    output, errors = process.communicate(timeout=280)
    assert "Traceback" not in errors, errors
    return process.returncode, output + errors


def server_of(settings: Settings) -> EmbeddedServer:
    return EmbeddedServer.of(settings)


def counts(settings: Settings) -> dict[str, int]:
    with Database.from_settings(settings) as database:
        return Models(database).count_everything()


def rewrite(source: Path, target: Path, length: int | None = None, **changes: Any) -> Path:
    """The same backup with another manifest, or with less of the dump."""
    with tarfile.open(source) as before, tarfile.open(target, "w") as after:
        for member in before.getmembers():
            content = before.extractfile(member).read()  # type: ignore[union-attr]
            if member.name == "manifest.json":
                content = json.dumps(json.loads(content) | changes).encode()
            else:
                content = content[:length]
            member.size = len(content)
            after.addfile(member, io.BytesIO(content))
    return target


@contextmanager
def watched(settings: Settings) -> Iterator[None]:
    stop, server = threading.Event(), server_of(settings)

    def watch() -> None:
        while not stop.wait(0.1):
            if server.running() is None:
                server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def once_filled(own: Settings) -> Settings:
    server_of(own).up(own.neo4j_bolt_port, own.neo4j_http_port)
    with Database.from_settings(own) as database:
        database.run_text(FILL)
    return own


@pytest.fixture
def filled(once_filled: Settings) -> Settings:
    """A database with ratings, of a server that runs whatever other tests did to it."""
    server_of(once_filled).up(once_filled.neo4j_bolt_port, once_filled.neo4j_http_port)
    return once_filled


@pytest.fixture(scope="module")
def backup(once_filled: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup by the command, of a server that runs on; ended ones are started by others, too, as scripts.run does."""
    file = tmp_path_factory.mktemp("backup") / "graph.backup"
    before = server_of(once_filled).running()
    with watched(once_filled):
        code, output = run(once_filled, "backup", file)
    assert (code, "380 RATED" in output) == (0, True), output
    assert float(output.split("stood still for ")[1].split()[0]) < 60
    assert counts(once_filled) == COUNTS
    assert server_of(once_filled).running() != before
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    return file


@pytest.mark.timeout(600)
def test_what_was_backed_up_comes_back_but_for_who_was_erased_since(filled: Settings, backup: Path) -> None:
    with Database.from_settings(filled) as database:
        Ingest(database).transact(lambda batch: batch.create_nodes({900: ("New", None)}, {900}))
        Ingest(database).transact(lambda batch: batch.write_erasures({3: utc_now()}))
        database.run_text("MATCH (u:User {userId: 5}) DETACH DELETE u")
        sequence = Ingest(database).get_sequence()
    code, output = run(filled, "restore", backup)
    assert (code, "380 RATED" in output) == (0, True), output
    assert counts(filled) == {**COUNTS, "User": 19, "RATED": 361, "Erased": 1, "Change": 3}
    with Database.from_settings(filled) as database:
        assert Ingest(database).get_sequence() > sequence
        assert Ingest(database).read_changes(0).sequence == Ingest(database).get_sequence()
        rows = database.run_text("MATCH (m:Movie) RETURN m.movieId = 3 AS own, m.ratingCount AS count")
        assert {(row["own"], row["count"]) for row in rows} == {(True, 19), (False, 18)}
        assert Erasures(database, filled.erased_file).find_unfinished(utc_now()) == []
    assert len(list((filled.neo4j_home / "stores").iterdir())) == 1
    assert not (filled.neo4j_home / "aside").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_who_was_erased_is_known_when_the_present_database_is_broken(
    filled: Settings, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.from_settings(filled) as database:
        Ingest(database).transact(lambda batch: batch.write_erasures({3: utc_now()}))
        Erasures(database, filled.erased_file).copy()
    server_of(filled).down()
    store = (filled.neo4j_home / "data").resolve()
    for file in (store / "databases" / "neo4j").glob("neostore*"):
        file.write_bytes(b"broken")
    for file in (store / "databases" / "system").glob("neostore*"):
        file.write_bytes(b"broken")
    monkeypatch.setattr("graph.server.process.START_SECONDS", 60)
    restore(filled, backup, quiet=True)
    with Database.from_settings(filled) as database:
        left = {row["id"] for row in database.run_text("MATCH (u:User) RETURN u.userId AS id")}
    assert left & {3, 4, 5} == {4, 5}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_restore_that_is_stopped_leaves_the_database_as_it_was(
    filled: Settings, backup: Path, name: signal.Signals
) -> None:
    before = counts(filled)
    process = start(filled, "restore", backup)
    wait_until(lambda: (filled.neo4j_home / "aside" / "process.json").exists(), 120)
    os.kill(process.pid, name)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert counts(filled) == before
    if name != signal.SIGKILL:
        assert not (filled.neo4j_home / "aside").exists()
    server_of(filled).down()
    assert server_of(filled).beside(Home(filled.neo4j_home).aside).running() is None


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_backup_that_is_damaged_or_does_not_hold_what_it_says_is_not_used(
    filled: Settings, backup: Path, tmp_path: Path
) -> None:
    before = counts(filled)
    short = rewrite(backup, tmp_path / "short", length=2_000)
    with pytest.raises(RecommenderError, match="database load failed"):
        restore(filled, short, quiet=True)
    other = rewrite(backup, tmp_path / "other", counts={**COUNTS, "RATED": 381})
    with pytest.raises(RecommenderError, match=r"other counts .*RATED"):
        restore(filled, other, quiet=True)
    assert counts(filled) == before
    assert len(list((filled.neo4j_home / "stores").iterdir())) == 1


def test_what_cannot_be_restored_is_told(filled: Settings, backup: Path, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("dear")
    for file, message in (
        (text, "no backup of ours"),
        (tmp_path / "none", "there is no file"),
        (tmp_path, "no backup"),
    ):
        with pytest.raises(BackupError, match=message):
            restore(filled, file)
    with pytest.raises(SchemaError, match=r"newer has schema version 99"):
        restore(filled, rewrite(backup, tmp_path / "newer", schema_version=99))
    with pytest.raises(BackupError, match="no backup of ours"):
        restore(filled, rewrite(backup, tmp_path / "format", format=99))
    elsewhere = filled.model_copy(update={"neo4j_uri": "bolt://db:7687"})
    for work in (restore, back_up):
        with pytest.raises(BackupError, match="NEO4J_URI"):
            work(elsewhere, backup)


def test_folders_that_are_not_ours_are_left_alone(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    other = sandbox_settings(tmp_path).model_copy(update={"neo4j_home": tmp_path / "letters"})
    code, output = run(other, "restore", backup)
    assert (code, "is no home of ours" in output) == (1, True)
    code, output = run(other, "backup", tmp_path / "new")
    assert (code, "holds no database of ours" in output) == (1, True)
    assert [file.name for file in (tmp_path / "letters").iterdir()] == ["one.txt"]


def test_a_backup_that_fails_leaves_no_file_and_the_server_running(
    filled: Settings, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = backup.stat().st_size
    with pytest.raises(BackupError, match="exists already"):
        back_up(filled, backup)
    assert backup.stat().st_size == size
    with pytest.raises(RecommenderError, match="nowhere"):
        back_up(filled, tmp_path / "nowhere" / "file")

    def fill_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("graph.backup.shutil.copy2", fill_disk)
    with pytest.raises(RecommenderError, match="disk is full"):
        back_up(filled, tmp_path / "file", quiet=True)
    assert list(tmp_path.iterdir()) == []
    assert server_of(filled).running() is not None
    assert not (filled.neo4j_home / "aside").exists()
