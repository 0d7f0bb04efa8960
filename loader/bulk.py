"""The whole bulk load: stage, fit, import aside, swap, verify."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from engine.dataset import Dataset
from engine.training import fit_dataset
from graph.database import Database
from graph.errors import RecommenderError, ServerError
from graph.repositories.models import Models
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from graph.settings import Settings
from graph.times import utc_now
from loader.folder import RatingsFolder
from loader.importing import GraphCounts, import_graph, remove_incoming, swap_in
from loader.staging import Account, stage

logger = logging.getLogger(__name__)


def bulk_load(
    folder: RatingsFolder, settings: Settings, tolerance: float, *, start: bool = True, quiet: bool = False
) -> Account:
    """Make the embedded Neo4j hold exactly this folder's ratings and their fit.

    What serves goes on serving until the new database is complete; if anything fails before or right after the swap,
    it stays or comes back. Raises RecommenderError.
    """
    if settings.neo4j_uri:
        raise RecommenderError(
            "the offline import needs the database's own files, and NEO4J_URI names a Neo4j that we do not run: "
            "unset it to load the embedded one, or use compose's load service (README, Docker)"
        )
    dataset = Dataset(settings.staging)
    home = Home(settings.neo4j_home)
    home.create(settings.neo4j_password.get_secret_value() if settings.neo4j_password else None)
    server = EmbeddedServer(home, settings.cache)
    with _timed("staged"):
        account = stage(folder, dataset, tolerance, quiet=quiet)
    with _timed("fitted"):
        fitted = fit_dataset(dataset, utc_now())
    with _timed("imported"):
        counts = import_graph(dataset, fitted, server, settings.cache)
    with _timed("swapped in"):
        _replace(server, settings, counts, start=start)
    return account


def _replace(server: EmbeddedServer, settings: Settings, counts: GraphCounts, *, start: bool) -> None:
    was_running = server.down()
    swap_in(server)
    if start:
        try:
            server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
            _verify(settings, counts)
        except RecommenderError:
            server.down()
            swap_in(server)
            if was_running:
                server.up(settings.neo4j_bolt_port, settings.neo4j_http_port)
            raise
    remove_incoming(server.home)


def _verify(settings: Settings, counts: GraphCounts) -> None:
    with Database.from_settings(settings) as database:
        found = Models(database).count_graph()
    if found != asdict(counts):
        raise ServerError(f"the new database holds {found}, expected {asdict(counts)}: the old one was put back")


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    logger.info("%s in %.1f s", what, time.monotonic() - begin)
