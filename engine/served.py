"""The lists that the real traversal gives on a real database, for the same tasks as the matrices'."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from engine.comparison import Serve
from engine.interactions import Columns
from engine.protocols import Protocol, Task
from engine.similarity import keep_strongest
from engine.training import FittedModel, put_to_use, table_of_edges
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.models import Model, Models
from graph.repositories.recommendations import HISTORY_LIMIT, HistoryWeights, Recommendations
from graph.server.home import Home
from graph.server.ports import free_ports
from graph.server.process import EmbeddedServer
from graph.settings import Settings
from graph.times import utc_now

WHOLE_HISTORY = 100_000
LIMITS = (200,)
BATCH_ROWS = 10_000


@contextmanager
def empty_database(cache: Path) -> Iterator[Database]:
    """A real Neo4j of its own in a temporary folder, with the schema and nothing else."""
    with tempfile.TemporaryDirectory(prefix="served") as folder:
        server = EmbeddedServer(Home(Path(folder) / "neo4j"), cache)
        bolt_port, http_port = free_ports(2)
        running = server.up(bolt_port, http_port)
        try:
            with Database(running.bolt_uri, "neo4j", server.home.password()) as database:
                yield database
        finally:
            server.down()


@contextmanager
def serve_tasks(settings: Settings, protocol: Protocol) -> Iterator[Serve]:
    """Serves the tasks of a comparison on a database of its own, with the whole history and with limits."""
    with empty_database(settings.cache) as database:
        server = TaskServer(database)
        limits = {"served, whole history": WHOLE_HISTORY}
        limits |= {f"served, {limit}": limit for limit in sorted({settings.history_limit, *LIMITS}, reverse=True)}

        def serve(task: Task, weights: csr_array, history: HistoryWeights) -> dict[str, Columns]:
            server.load(task, weights)
            count = max(protocol.cutoffs)
            return {name: server.rank(task, count, history, limit) for name, limit in limits.items()}

        yield serve


class TaskServer:
    """Puts tasks into a database, one after the other, and asks the traversal for each user's list.

    Movies have their columns as ids. Users get new ids for each task, so that nothing needs to be removed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next_user = 1
        Models(database).create_catalogue("evaluation")

    def load(self, task: Task, weights: csr_array) -> None:
        """Write a task's histories and the item-item weights (source x target), and put these to use."""
        first, self._next_user = self._next_user, self._next_user + task.history.users
        self._first = first
        ingest = Ingest(self._database)
        movies: dict[int, tuple[str | None, int | None]] = dict.fromkeys(range(task.history.movies), (None, None))
        users = set(range(first, self._next_user))
        ingest.transact(lambda batch: batch.create_nodes(movies, users))
        history = task.history
        columns = (history.user_of_each() + first, history.stars.indices, history.stars.data, history.at)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        for begin in range(0, len(rows), BATCH_ROWS):
            ingest.transact(lambda batch, begin=begin: batch.add_ratings(rows[begin : begin + BATCH_ROWS]))  # type: ignore[misc]
        edges = table_of_edges(keep_strongest(weights, weights.shape[1]))
        model = Model(f"evaluated-{first}", utc_now(), len(edges), task.history.movies, {}, {})
        put_to_use(FittedModel(model, edges), Models(self._database), lambda _: None)

    def rank(
        self,
        task: Task,
        count: int,
        weights: HistoryWeights = HistoryWeights(),
        limit: int = HISTORY_LIMIT,
        diversity: float = 0,
    ) -> Columns:
        """The loaded task's lists, as the traversal gives them: users x count, -1 where there are no more."""
        recommendations = Recommendations(self._database, limit, weights)
        ranked = np.full((task.history.users, count), -1, dtype=np.int64)
        for row in range(task.history.users):
            found = recommendations.recommend_for_user(row + self._first, count, diversity=diversity)
            if found.basis == "history":
                movies = [movie.movie_id for movie in found.recommendations]
                ranked[row, : len(movies)] = movies
        return ranked
