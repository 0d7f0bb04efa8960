"""One run at a time on a data folder and on a Neo4j; whoever comes second learns which run has them.

The locks are the system's: they end with the process, also by `kill -9`, and the parts that it starts do not have them.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common.files import LockedError, exclusive
from common.settings import Settings
from graph.server.process import EmbeddedServer

STARTING = "another one, which is only just starting"
REMEDY = (
    "end it first (Ctrl-C), or give this one folders and ports of its own: RECOMMENDER_DATA, NEO4J_HOME, "
    "RECOMMENDER_PORT, NEO4J_BOLT_PORT, NEO4J_HTTP_PORT"
)


@contextmanager
def only_run(settings: Settings) -> Iterator[None]:
    """Be the only run on these folders. Raises LockedError, having changed nothing, if there is another one."""
    run = f"http://{settings.host}:{settings.port} (process {os.getpid()})"
    home = EmbeddedServer.of(settings).home
    with _hold(settings.data / "run.lock", run):
        home.create(settings.own_password)
        with _hold(home.run_lock, run):
            yield


@contextmanager
def _hold(file: Path, run: str) -> Iterator[None]:
    """Hold a lock file that names the run."""
    with ExitStack() as lock:
        try:
            lock.enter_context(exclusive(file, STARTING))
        except LockedError:
            raise LockedError(f"already running: {file.read_text() or STARTING}: {REMEDY}") from None
        file.write_text(run)
        yield
