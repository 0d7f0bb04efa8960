"""The whole bulk load: stage, fit, import aside, verify, take over what is live, swap."""

from pathlib import Path

from common.commands import progress_bar
from common.errors import RecommenderError
from common.files import exclusive
from common.settings import Settings
from common.times import utc_now
from engine.dataset import remove_other_datasets, use_dataset
from engine.forgetting import forget_users
from engine.training import fit_once
from engine.versions import Archive
from graph.backup import TAKEN
from graph.contents import read_present
from graph.server.process import EmbeddedServer
from loader.database.next_database import NextDatabase, require_same_catalogue
from loader.runs import only_load, timed
from loader.staging.report import Teller, stage_checked


def bulk_load(
    path: Path,
    settings: Settings,
    tolerance: float,
    tell: Teller = lambda _: None,
    *,
    start: bool = True,
    forget_live: bool = False,
    quiet: bool = False,
) -> None:
    """Make the embedded Neo4j hold exactly this input's ratings, their fit, and what is live (unless forgotten).

    What serves goes on serving until the new database is complete and verified; if anything fails, it stays or comes
    back. A complete stage is not done again by the next call. `tell` gets the account of all lines before anything is
    changed. Raises RecommenderError.
    """
    server = _create_server(settings)
    with only_load(settings), exclusive(server.home.load_lock, TAKEN):
        dataset = stage_checked(path, settings, tolerance, tell, quiet=quiet)
        if not forget_live:
            require_same_catalogue(settings, dataset.manifest().catalogue)
        tombstones = read_present(settings).tombstones
        forget_users(dataset, tombstones)
        with timed("fitted"), progress_bar("Fitting", 100, "%", quiet=quiet) as bar:
            fitted = fit_once(dataset, utc_now(), lambda share: bar.update(100 * share))
        next_database = NextDatabase(
            server, settings, dataset, fitted, tombstones, forget_live=forget_live, quiet=quiet
        )
        if not next_database.is_serving:
            next_database.build()
            with timed("prepared"):
                next_database.prepare()
        archive = Archive.of(settings)
        archive.save(fitted)
        with timed("swapped in"):
            next_database.replace_serving(start=start)
        archive.keep_only({fitted.model.version})
        use_dataset(dataset)
        next_database.remove()
        remove_other_datasets(dataset)


def _create_server(settings: Settings) -> EmbeddedServer:
    """The embedded Neo4j, running or not, its folder made if there is none."""
    if settings.neo4j_uri:
        raise RecommenderError(
            "the offline import needs the database's own files, and NEO4J_URI names a Neo4j that we do not run: "
            "unset it to load the embedded one, or use compose's load service (README, Docker)"
        )
    server = EmbeddedServer.of(settings)
    server.home.create(settings.own_password)
    return server
