"""The lists that the real traversal gives on a real database, for the same tasks as the matrices'."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from common.times import utc_now
from engine.interactions import Columns
from engine.ours import Learned
from engine.protocols import ProtocolError, Task
from engine.similarity import keep_strongest
from engine.training import FittedModel, put_to_use, table_of_edges
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.models import WRITE_ROWS, Model, Models
from graph.repositories.recommendations import Recommendations
from graph.server.home import Home
from graph.server.process import EmbeddedServer


@contextmanager
def empty_database(cache: Path) -> Iterator[Database]:
    """A real Neo4j of its own in a temporary folder, with the schema and nothing else."""
    with tempfile.TemporaryDirectory(prefix="served") as folder:
        server = EmbeddedServer(Home(Path(folder) / "neo4j"), cache)
        with server.temporarily_up() as database:
            yield database


def serve_task(cache: Path, task: Task, learned: Learned, count: int) -> Columns:
    """A task's lists by the traversal, on a database of its own: users x count, -1 where there are no more."""
    with empty_database(cache) as database:
        server = TaskServer(database)
        server.load(task, learned)
        return server.rank(task, count)


class TaskServer:
    """Puts a task into an empty database, as it would have come there, and asks the traversal for each user's list.

    Movies have their columns as ids, users their rows of the training part, both from 1 on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, task: Task, learned: Learned) -> None:
        """Write what a task may know, weights and rule, and put these to use.

        Raises ProtocolError for users who are asked and not learned from.
        """
        if task.history.users > task.training.users:
            raise ProtocolError("--served goes with protocols whose users are learned from")
        Models(self._database).create_catalogue("evaluation")
        ratings, ingest = task.training, Ingest(self._database)
        known = np.unique(ratings.stars.indices).tolist()
        movies: dict[int, tuple[str | None, int | None]] = {movie + 1: (f"Movie {movie + 1}", None) for movie in known}
        users = set((np.flatnonzero(np.diff(ratings.stars.indptr)) + 1).tolist())
        ingest.transact(lambda batch: batch.create_nodes(movies, users))
        columns = (ratings.user_of_each() + 1, ratings.stars.indices + 1, ratings.stars.data, ratings.at)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        for begin in range(0, len(rows), WRITE_ROWS):
            ingest.transact(lambda batch, begin=begin: batch.add_ratings(rows[begin : begin + WRITE_ROWS]))  # type: ignore[misc]
        self.put_to_use(learned)

    def put_to_use(self, learned: Learned) -> None:
        """Serve by weights and a rule."""
        weights = learned.weights
        edges = table_of_edges(keep_strongest(weights, weights.shape[1]), np.arange(1, weights.shape[1] + 1))
        version = f"evaluated-{utc_now():%H%M%S%f}"
        model = Model(version, utc_now(), len(edges), weights.shape[0], {}, {}, rule=learned.rule)
        put_to_use(FittedModel(model, edges), Models(self._database), 0.0, lambda _: None)

    def rank(self, task: Task, count: int, diversity: float = 0) -> Columns:
        """The loaded task's lists, as the traversal gives them: users x count, -1 where there are no more."""
        recommendations = Recommendations(self._database)
        ranked = np.full((task.history.users, count), -1, dtype=np.int64)
        for row, user in enumerate(task.users.tolist()):
            found = recommendations.recommend_for_user(user + 1, count, diversity=diversity)
            movies = [movie.movie_id - 1 for movie in found.recommendations]
            ranked[row, : len(movies)] = movies
        return ranked
