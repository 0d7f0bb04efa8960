"""What the embedded Neo4j holds."""

import logging
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


def holds_ratings(settings: Settings, *, start: bool = True) -> bool:
    """Whether the embedded Neo4j holds ratings; it is started to see, if `start`, else a database's files count."""
    server = EmbeddedServer.of(settings)
    if not server.home.has_database:
        return False
    if not start:
        return True
    server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
    with Database.from_settings(settings) as database:
        return Models(database).get_catalogue() is not None


@dataclass(frozen=True)
class Present:
    """What outlives the database that serves: who is or was erased, and the number of its last batch."""

    tombstones: list[Tombstone]
    sequence: int = 0


def read_present(settings: Settings) -> Present:
    """By the embedded Neo4j, started to see, and the copy in the data folder; if it does not start, by that alone."""
    server = EmbeddedServer.of(settings)
    known = read_tombstones(settings.erased_file)
    if not server.home.has_database:
        return Present(known)
    try:
        server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
        with Database.from_settings(settings) as database:
            known = merge_tombstones([*known, *Erasures(database, settings.erased_file).read()])
            return Present(known, Ingest(database).get_sequence())
    except (ServerError, DatabaseUnavailableError, DatabaseRefusedError) as error:
        logger.warning("the present database is not asked who was erased, but %s: %s", settings.erased_file, error)
        return Present(known)
