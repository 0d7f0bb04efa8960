"""What the embedded Neo4j holds."""

from graph.database import Database
from graph.repositories.erasures import Erasures
from graph.repositories.models import Models
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from graph.settings import Settings
from graph.tombstones import Tombstone, merge_tombstones, read_tombstones


def holds_ratings(settings: Settings, *, start: bool = True) -> bool:
    """Whether the embedded Neo4j holds ratings; it is started to see, if `start`, else a database's files count."""
    server = EmbeddedServer(Home(settings.neo4j_home), settings.cache)
    if not server.home.has_database:
        return False
    if not start:
        return True
    server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
    with Database.from_settings(settings) as database:
        return Models(database).get_catalogue() is not None


def find_tombstones(settings: Settings) -> list[Tombstone]:
    """Who is or was erased, by the embedded Neo4j, which is started to see, and by the copy in the data folder."""
    server = EmbeddedServer(Home(settings.neo4j_home), settings.cache)
    known = read_tombstones(settings.erased_file)
    if server.home.has_database:
        server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
        with Database.from_settings(settings) as database:
            known += Erasures(database, settings.erased_file).read()
    return merge_tombstones(known)
