"""The whole bulk load: stage, fit, import aside, verify, take over what is live, swap."""

import errno
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.dataset import Dataset, use_dataset
from engine.training import fit_once
from graph.errors import RecommenderError
from graph.locks import exclusive
from graph.server.home import Home
from graph.server.process import EmbeddedServer
from graph.settings import Settings
from graph.times import utc_now
from loader.incoming import Incoming, require_same_catalogue
from loader.progress import progress_bar
from loader.staging import Report, stage

logger = logging.getLogger(__name__)

NO_SPACE = os.strerror(errno.ENOSPC)
TAKEN = "another load is running: wait for its end, or end it; then run the same command again"


def bulk_load(
    path: Path,
    settings: Settings,
    tolerance: float,
    *,
    start: bool = True,
    forget_live: bool = False,
    quiet: bool = False,
) -> Report:
    """Make the embedded Neo4j hold exactly this input's ratings, their fit, and what is live (unless forgotten).

    What serves goes on serving until the new database is complete and verified; if anything fails, it stays or comes
    back. A complete stage is not done again by the next call. Raises RecommenderError.
    """
    if settings.neo4j_uri:
        raise RecommenderError(
            "the offline import needs the database's own files, and NEO4J_URI names a Neo4j that we do not run: "
            "unset it to load the embedded one, or use compose's load service (README, Docker)"
        )
    home = Home(settings.neo4j_home)
    home.create(settings.neo4j_password.get_secret_value() if settings.neo4j_password else None)
    server = EmbeddedServer(home, settings.cache)
    with loading(settings), exclusive(home.path / "load.lock", TAKEN):
        dataset, report = stage_checked(path, settings, tolerance, quiet=quiet)
        if not forget_live:
            require_same_catalogue(server, settings, dataset.manifest().catalogue)
        with timed("fitted"), progress_bar("Fitting", 100, "%", quiet=quiet) as bar:
            fitted = fit_once(dataset, utc_now(), lambda share: bar.update(100 * share))
        incoming = Incoming(server, settings, dataset, fitted, quiet)
        if not incoming.is_serving:
            with timed("imported"):
                incoming.build()
            with timed("prepared"):
                incoming.prepare(forget_live=forget_live)
        with timed("swapped in"):
            incoming.replace_serving(start=start)
        use_dataset(dataset)
        incoming.remove()
        remove_other_datasets(dataset)
    return report


@contextmanager
def loading(settings: Settings) -> Iterator[None]:
    """One load at a time on this data folder; a full disk and Ctrl-C become clear errors."""
    try:
        with exclusive(settings.data / "load.lock", TAKEN):
            yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) and NO_SPACE not in str(error):  # polars tells no number
            raise
        raise RecommenderError(
            f"the disk is full ({error}): free some room, or set RECOMMENDER_DATA and NEO4J_HOME to a roomier disk; "
            "then run the same command again"
        ) from error
    except KeyboardInterrupt:
        raise RecommenderError(
            "stopped; what serves was not changed. The same command again goes on after the last complete stage"
        ) from None


def stage_checked(path: Path, settings: Settings, tolerance: float, *, quiet: bool) -> tuple[Dataset, Report]:
    """Stage an input and hold it to the tolerance."""
    with timed("staged"):
        dataset = stage(path, settings.staging, quiet=quiet)
        report = Report.of(dataset)
        report.check_tolerance(tolerance)
    return dataset, report


def remove_other_datasets(dataset: Dataset) -> None:
    """Remove all staged ratings but these."""
    for folder in dataset.folder.parent.glob("*/"):
        if folder != dataset.folder:
            shutil.rmtree(folder)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Log how long a stage took."""
    begin = time.monotonic()
    yield
    logger.info("%s in %.1f s", what, time.monotonic() - begin)
