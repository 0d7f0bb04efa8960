"""Backups of the embedded Neo4j: one file that holds a dump and what was counted in it.

The server stands still only while its files are copied; the copy is counted by a server of its own, then dumped. A
backup is restored aside, counted, freed of users who were erased since, and then takes the serving database's place.
"""

import json
import logging
import os
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from common.commands import progress_bar, translated_system_failures
from common.errors import RecommenderError
from common.files import exclusive, shared
from common.settings import Settings
from common.times import utc_now
from graph.contents import Present, read_present
from graph.database import Database
from graph.errors import ServerError
from graph.repositories.erasures import Erasures
from graph.repositories.live import SEQUENCE_GAP
from graph.repositories.models import Models
from graph.schema import SCHEMA_VERSION, require_known_version
from graph.server.home import Memory
from graph.server.process import EmbeddedServer

logger = logging.getLogger(__name__)

FORMAT = 1
MANIFEST, DUMP = "manifest.json", "neo4j.dump"
AGAIN = "wait for its end; then run the same command again"
TAKEN = f"a load, backup or restore is running: {AGAIN}"
WORKED_ON = f"a load, fit, backup or restore is running: {AGAIN}"
PIECE = 1 << 22


class BackupError(RecommenderError):
    """A backup cannot be made or read."""


@dataclass(frozen=True)
class BackupManifest:
    """What a backup holds: `counts` of nodes by label and of edges by type."""

    made_at: str
    catalogue: str | None
    counts: dict[str, int]
    schema_version: int = SCHEMA_VERSION
    format: int = FORMAT


def back_up(settings: Settings, file: Path, *, quiet: bool = False) -> BackupManifest:
    """Write a new file with all that the embedded Neo4j holds. Raises RecommenderError; then there is no file."""
    server = _embedded_server(settings)
    if not (server.home.is_ours and server.home.has_database):
        raise BackupError(f"{server.home.path} holds no database of ours to back up: is NEO4J_HOME right?")
    in_place = shared(server.home.load_lock, TAKEN)
    with translated_system_failures(), _new_file(file) as partial, in_place, _aside(server) as aside:
        made_at = utc_now()
        aside.home.create(server.home.password())
        begin = time.monotonic()
        server.pause(lambda: _copy_files(server.home.data, aside.home.data, quiet=quiet))
        logger.info("Neo4j stood still for %.1f s", time.monotonic() - begin)
        with aside.temporarily_up(Memory.of_machine().halved()) as copy:
            counts, catalogue = Models(copy).count_everything(), Models(copy).get_catalogue()
        manifest = BackupManifest(made_at.isoformat(), catalogue, counts)
        logger.info("dumping")
        aside.admin("database", "dump", "neo4j", f"--to-path={aside.home.path}")
        _write_file(partial, manifest, aside.home.path / DUMP)
        return manifest


def restore(settings: Settings, file: Path, *, quiet: bool = False) -> BackupManifest:
    """Have the embedded Neo4j hold what a backup does, but for users who were erased since; it is started.

    What serves goes on until the restored database is complete. Raises RecommenderError; then it serves on.
    """
    server = _embedded_server(settings)
    manifest = read_manifest(file)
    server.home.create(settings.own_password)
    alone = exclusive(server.home.load_lock, WORKED_ON)
    with translated_system_failures(), alone, _aside(server) as aside:
        present = read_present(settings)
        store = server.home.store(f"{utc_now():%Y%m%dT%H%M%S%f}")
        aside.home.create(server.home.password(), store)
        _read_dump(file, aside.home.path / DUMP, quiet=quiet)
        logger.info("loading the dump")
        arguments = (f"--from-path={aside.home.path}", "--overwrite-destination=true")
        aside.admin("database", "load", "neo4j", *arguments)
        with aside.temporarily_up(Memory.of_machine().halved()) as database:
            _require_counts(database, manifest)
            _bring_up_to_date(database, settings, manifest, present)
        ports = settings.neo4j_bolt_port, settings.neo4j_http_port
        server.exchange(store, *ports, lambda: None, start=True)
        server.beside(server.home.incoming).down()  # what a killed load left is no more of use
        shutil.rmtree(server.home.incoming.path, ignore_errors=True)
        server.home.remove_other_stores()
    return manifest


def read_manifest(file: Path) -> BackupManifest:
    """What a backup's file tells of it. Raises BackupError if it is none, SchemaError if it is newer than we are."""
    try:
        with tarfile.open(file, "r:") as archive:
            member = archive.next()
            content = archive.extractfile(member) if member and member.name == MANIFEST else None
            manifest: dict[str, Any] = json.loads(content.read()) if content else {}
        if manifest.get("format") != FORMAT:
            raise BackupError(f"{file} is no backup of ours: `python -m graph backup` makes them")
        read = BackupManifest(**manifest)
    except FileNotFoundError:
        raise BackupError(f"there is no file {file}") from None
    except (OSError, tarfile.TarError, ValueError, TypeError) as error:
        raise BackupError(f"{file} is no backup of ours ({error}): `python -m graph backup` makes them") from error
    require_known_version(read.schema_version, str(file))
    return read


def _embedded_server(settings: Settings) -> EmbeddedServer:
    if settings.neo4j_uri:
        raise BackupError(
            "backups are made of the database's own files, and NEO4J_URI names a Neo4j that we do not run: unset it "
            "for the embedded one, or use `neo4j-admin database dump` where that one runs"
        )
    return EmbeddedServer.of(settings)


@contextmanager
def _new_file(file: Path) -> Iterator[Path]:
    """A file to write to, which gets its name once it is complete."""
    if file.exists():
        raise BackupError(f"{file} exists already: name another file")
    partial = file.with_name(f"{file.name}.part")
    partial.touch(mode=0o600)  # there is a folder, and we may write to it
    try:
        yield partial
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _aside(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """A server of a home beside, which goes afterwards."""
    aside = server.beside(server.home.aside)
    with exclusive(server.home.aside_lock, TAKEN):
        _remove(aside, server)  # what a killed one left
        try:
            yield aside
        finally:
            _remove(aside, server)


def _remove(aside: EmbeddedServer, server: EmbeddedServer) -> None:
    """Remove a home with its store, unless that is the one that is served by now."""
    aside.down()
    store = aside.home.data.resolve()
    if store != server.home.data.resolve():
        shutil.rmtree(store, ignore_errors=True)
    shutil.rmtree(aside.home.path, ignore_errors=True)


def _copy_files(source: Path, target: Path, *, quiet: bool) -> None:
    size = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
    with progress_bar("Copying", size, "B", quiet=quiet) as bar:

        def copy(file: str, copied: str) -> None:
            shutil.copy2(file, copied)
            bar.update(Path(copied).stat().st_size)

        shutil.copytree(source.resolve(), target.resolve(), copy_function=copy, dirs_exist_ok=True)


def _write_file(file: Path, manifest: BackupManifest, dump: Path) -> None:
    text = json.dumps(asdict(manifest), indent=1).encode()
    with file.open("wb") as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            described = tarfile.TarInfo(MANIFEST)
            described.size = len(text)
            archive.addfile(described, BytesIO(text))
            archive.add(dump, DUMP)
        stream.flush()
        os.fsync(stream.fileno())


def _read_dump(file: Path, target: Path, *, quiet: bool) -> None:
    try:
        with tarfile.open(file, "r:") as archive, target.open("wb") as stream:
            member = archive.getmember(DUMP)
            content = archive.extractfile(member)
            with progress_bar("Reading", member.size, "B", quiet=quiet) as bar:
                while content and (piece := content.read(PIECE)):
                    stream.write(piece)
                    bar.update(len(piece))
    except (KeyError, tarfile.TarError) as error:
        raise BackupError(f"{file} is damaged ({error}): the serving database is as it was") from error


def _require_counts(database: Database, manifest: BackupManifest) -> None:
    different = sorted(set(Models(database).count_everything().items()) ^ set(manifest.counts.items()))
    # Migrating an older database makes the sequence, if nothing was written live before.
    different = [(kind, count) for kind, count in different if kind != "Sequence"]
    if different:
        raise ServerError(f"the restored database holds other counts than were backed up ({different}): it is not used")


def _bring_up_to_date(database: Database, settings: Settings, manifest: BackupManifest, present: Present) -> None:
    """Forget who was erased since the backup, and number on behind what followers have seen."""
    erasures, made_at = Erasures(database, settings.erased_file), datetime.fromisoformat(manifest.made_at)
    erasures.write(present.tombstones)
    for tombstone in present.tombstones:
        if tombstone.until > made_at:
            edges = sum(erasures.remove(tombstone.user_id).edges.values())
            logger.info("a user was erased since: %d edges of the backup are removed", edges)
    erasures.copy()
    database.write("jobs/raise_sequence", value=present.sequence + SEQUENCE_GAP)
