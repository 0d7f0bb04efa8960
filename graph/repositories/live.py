"""What a database knows from live events, to be carried over into a newly loaded one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

from graph.database import Database, Transaction
from graph.repositories.recency import Recency
from graph.titles import title_of
from graph.tombstones import Tombstone

BATCH_ROWS = 5_000
# Batches that the old database may still number before it stops; the new one goes on behind them, since followers of
# the sequence never look back.
SEQUENCE_GAP = 100_000


@dataclass(frozen=True)
class LiveState:
    """One moment of a database: its live edges, and how far it had applied the event log just then.

    `edges`: type, userId, movieId, title, year and properties. `positions`: source, partition, offset and sequence.
    `undone`: eventId and userId of events that were taken back. `tombstones`: of users who are or were erased.
    `deletions`: of movies that are or were deleted (movieId, at as text, lifted).
    """

    edges: list[dict[str, Any]]
    positions: list[dict[str, Any]]
    sequence: int
    undone: list[dict[str, Any]] = field(default_factory=list)
    tombstones: list[Tombstone] = field(default_factory=list)
    deletions: list[dict[str, Any]] = field(default_factory=list)

    def without_edges(self) -> "LiveState":
        """The positions alone: what was logged until now shall not come back."""
        return replace(self, edges=[])

    def without_erased(self) -> "LiveState":
        """Without what is of users who are erased, whose removal may be under way."""
        erased = {one.user_id for one in self.tombstones if one.lifted_at is None}
        edges, undone = ([row for row in rows if row["userId"] not in erased] for rows in (self.edges, self.undone))
        return replace(self, edges=edges, undone=undone)


class LiveEdges:
    """Reads and writes of all that is live at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """How many live edges there are."""
        return int(self._database.read("jobs/count_live_edges")[0]["edges"])

    def read_state(self) -> LiveState:
        """The present state; writers wait meanwhile, so that edges and positions belong together."""

        def read(transaction: Transaction) -> LiveState:
            [sequence] = transaction.run("lock_sequence")
            edges = [dict(record) for record in transaction.run("jobs/read_live_edges")]
            positions = [dict(record) for record in transaction.run("jobs/read_positions")]
            undone = [dict(record) for record in transaction.run("jobs/read_undone")]
            tombstones = [Tombstone.of(record) for record in transaction.run("jobs/read_erasures")]
            deletions = [dict(record) for record in transaction.run("jobs/read_deletions")]
            return LiveState(edges, positions, int(sequence["value"]), undone, tombstones, deletions)

        state = self._database.transact(read)
        # Stored lists do not change any more, so nobody has to wait while they are read.
        lists = self._database.read("jobs/read_live_recommendations", sequence=state.sequence)
        state.edges.extend(dict(record) for record in lists)
        return state.without_erased()

    def write_state(self, state: LiveState, progress: Callable[[int], object]) -> None:
        """Add a state to a database that has no live edges; of a pair rated in both the later rating counts.

        What comes after the state's moment is on the event log, from the positions on.
        """
        edges = sorted(state.edges, key=lambda edge: (edge["type"], edge["userId"], edge["movieId"]))
        for kind, rows in groupby(edges, key=lambda edge: str(edge["type"])):
            for batch in _batches(list(rows)):
                self._database.transact(partial(_write, kind=kind, edges=batch))
                progress(len(batch))
        for start in range(0, len(state.undone), BATCH_ROWS):
            self._database.write("write_undone", rows=state.undone[start : start + BATCH_ROWS])
        self._database.write("jobs/copy_deletions", rows=state.deletions)
        self._database.write("jobs/copy_positions", positions=state.positions, sequence=state.sequence + SEQUENCE_GAP)


def _write(transaction: Transaction, kind: str, edges: list[dict[str, Any]]) -> None:
    movies = {
        edge["movieId"]: {"movieId": edge["movieId"], "title": title_of(edge["title"]), "year": edge["year"]}
        for edge in edges
    }
    user_ids = sorted({edge["userId"] for edge in edges})
    transaction.run("create_nodes", userIds=user_ids, movies=[movies[key] for key in sorted(movies)])
    recency = Recency(transaction)
    if kind == "RATED":
        recency.write_ratings(
            [{"userId": edge["userId"], "movieId": edge["movieId"], **edge["properties"]} for edge in edges]
        )
    else:
        finished = [edge for edge in edges if edge["properties"].get("finishedAt") is not None]
        recency.add_finishes(
            [((edge["userId"], edge["movieId"]), edge["properties"]["finishedAt"].to_native()) for edge in finished]
        )
        transaction.run("jobs/copy_edges", rows=edges)
    recency.write()


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), BATCH_ROWS):
        yield rows[start : start + BATCH_ROWS]
