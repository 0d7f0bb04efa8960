"""Neo4j's offline importer: tables become the database of a server's home."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from engine.dataset import Dataset
from engine.training import FittedModel
from graph.errors import ServerError
from graph.server.home import GIGABYTE
from graph.server.process import EmbeddedServer

HEAP = 4 * GIGABYTE
OFF_HEAP = "2G"
PHASES = 4
OTHER_NODES = 3  # model, catalogue and sequence


@dataclass(frozen=True)
class GraphCounts:
    """How many of each a database must hold."""

    users: int
    movies: int
    ratings: int
    similar: int

    @classmethod
    def of(cls, dataset: Dataset, fitted: FittedModel) -> "GraphCounts":
        """The counts of a graph made from this."""
        manifest = dataset.manifest()
        return cls(manifest.users, manifest.movies, manifest.ratings, len(fitted.edges))


def import_tables(
    tables: list[str], counts: GraphCounts, server: EmbeddedServer, progress: Callable[[float], object]
) -> None:
    """Make the database `neo4j` in a server's home from tables; `progress` is told the share done so far.

    Raises ServerError if the import fails, or reports other counts than it must.
    """
    output = server.admin(
        *(
            "database",
            "import",
            "full",
            "neo4j",
            "--verbose",
            "--overwrite-destination",
            "--array-delimiter=|",
            "--id-type=actual",
        ),
        *(f"--max-off-heap-memory={OFF_HEAP}", f"--report-file={server.home.path / 'import.report'}"),
        *tables,
        heap=HEAP,
        watch=_Watch(progress),
    )
    found = re.search(r"Imported:\s+(\d+) nodes\s+(\d+) relationships", output)
    nodes, relationships = counts.users + counts.movies + OTHER_NODES, counts.ratings + counts.similar
    if not found or (int(found[1]), int(found[2])) != (nodes, relationships):
        told = f"{found[1]} nodes and {found[2]} relationships" if found else "no counts"
        raise ServerError(
            f"the import is incomplete: it reports {told}, expected {nodes} nodes and {relationships} relationships"
        )


class _Watch:
    """Finds in what the importer prints how far it is: `(2/4) …`, then `35%`."""

    def __init__(self, progress: Callable[[float], object]) -> None:
        self._progress = progress
        self._phase = 1

    def __call__(self, text: str) -> None:
        for phase, percent in re.findall(r"\((\d)/4\)|(\d+)%", text):
            self._phase = int(phase or self._phase)
            self._progress((self._phase - 1 + int(percent or 0) / 100) / PHASES)
