"""What the embedded Neo4j holds."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from common.settings import Settings
from graph.database import Database
from graph.errors import DatabaseRefusedError, DatabaseUnavailableError, ServerError
from graph.repositories.erasures import Erasures
from graph.repositories.ingest import Ingest
from graph.repositories.models import Models
from graph.server.process import EmbeddedServer
from graph.tombstones import Tombstone, merge_tombstones, read_tombstones

logger = logging.getLogger(__name__)


@contextmanager
def open_present(settings: Settings) -> Iterator[Database | None]:
    """The embedded Neo4j's database, started for that, or None if there is none."""
    server = EmbeddedServer.of(settings)
    if not server.home.has_database:
        yield None
        return
    server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
    with Database.from_settings(settings) as database:
        yield database


@contextmanager
def working_on(settings: Settings) -> Iterator[Database]:
    """The database, for what takes a while; if it is the embedded one, no load or restore exchanges it meanwhile.

    Raises LockedError if one is under way.
    """
    with ExitStack() as stack:
        if not settings.neo4j_uri:
            stack.enter_context(EmbeddedServer.of(settings).in_place())
        yield stack.enter_context(Database.from_settings(settings))


def holds_ratings(settings: Settings, *, start: bool = True) -> bool:
    """Whether the embedded Neo4j holds ratings; it is started to see, if `start`, else a database's files count."""
    if not start:
        return EmbeddedServer.of(settings).home.has_database
    with open_present(settings) as database:
        return database is not None and Models(database).get_catalogue() is not None


@dataclass(frozen=True)
class Present:
    """What outlives the database that serves: who is or was erased, and the number of its last batch."""

    tombstones: list[Tombstone]
    sequence: int = 0


def read_present(settings: Settings) -> Present:
    """By the embedded Neo4j, started to see, and the copy in the data folder; if it does not start, by that alone."""
    known = read_tombstones(settings.erased_file)
    try:
        with open_present(settings) as database:
            if database is None:
                return Present(known)
            known = merge_tombstones([*known, *Erasures(database, settings.erased_file).read()])
            return Present(known, Ingest(database).get_sequence())
    except (ServerError, DatabaseUnavailableError, DatabaseRefusedError) as error:
        logger.warning("the present database is not asked who was erased, but %s: %s", settings.erased_file, error)
        return Present(known)
