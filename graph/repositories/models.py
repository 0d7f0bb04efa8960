"""The model in use, its SIMILAR edges, and the catalogue they belong to."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.database import Database

WRITE_ROWS = 10_000
REMOVE_ROWS = 20_000
# A reader that began before a switch may still walk the old edges for as long as an answer may take.
READERS_SECONDS = 3.0


@dataclass(frozen=True)
class Model:
    """A fitted version. `parameters` and `snapshot` (what it was fitted from) are as given at the fit."""

    version: str
    fitted_at: datetime
    edges: int
    movies: int
    parameters: dict[str, Any]
    snapshot: dict[str, Any]


class Models:
    """Reads and writes of models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_current_model(self) -> Model | None:
        """The model in use, or None."""
        for record in self._database.read("get_current_model"):
            return Model(
                version=record["version"],
                fitted_at=record["fittedAt"].to_native(),
                edges=record["edges"],
                movies=record["movies"],
                parameters=json.loads(record["parameters"]),
                snapshot=json.loads(record["snapshot"]),
            )
        return None

    def get_catalogue(self) -> str | None:
        """Name of the loaded catalogue (`netflix-prize`, `movielens`), or None if nothing is loaded."""
        for record in self._database.read("get_catalogue"):
            return str(record["name"])
        return None

    def get_dataset(self) -> str:
        """Name of the staged ratings that the graph was made from; empty if nothing tells."""
        return next((str(record["dataset"] or "") for record in self._database.read("get_catalogue")), "")

    def set_dataset(self, name: str) -> None:
        """Remember which staged ratings the graph is made from."""
        self._database.write("jobs/set_dataset", dataset=name)

    def count_graph(self) -> dict[str, int]:
        """Numbers of users, movies, ratings and SIMILAR edges."""
        [record] = self._database.read("jobs/count_graph")
        return dict(record)

    def write_similar(
        self, version: str, edges: Sequence[tuple[int, int, float, int]], progress: Callable[[int], object]
    ) -> None:
        """Write edges (source, target, weight, rank) of a version not yet in use; `progress` gets each batch's size."""
        for start in range(0, len(edges), WRITE_ROWS):
            batch = edges[start : start + WRITE_ROWS]
            self._database.write("jobs/write_similar", version=version, edges=[list(edge) for edge in batch])
            progress(len(batch))

    def switch_model(self, model: Model) -> None:
        """Put a version to use in one transaction."""
        self._database.write("jobs/switch_model", **model_properties(model))

    def remove_unused_similar(self) -> None:
        """Remove the edges of versions no longer in use, in small transactions, once their readers are done."""
        time.sleep(READERS_SECONDS)
        while self._database.write("jobs/remove_unused_similar", limit=REMOVE_ROWS)[0]["removed"]:
            pass

    def read_live_positives(self, threshold: float) -> list[tuple[int, int, bool]]:
        """(user id, movie id, liked) of all live ratings and finished viewings."""
        records = self._database.read("jobs/read_live_positives", threshold=threshold)
        return [(record["userId"], record["movieId"], record["liked"]) for record in records]


def model_properties(model: Model) -> dict[str, Any]:
    """A model as the properties of its node."""
    return {
        "version": model.version,
        "fittedAt": model.fitted_at,
        "edges": model.edges,
        "movies": model.movies,
        "parameters": json.dumps(model.parameters),
        "snapshot": json.dumps(model.snapshot),
    }
