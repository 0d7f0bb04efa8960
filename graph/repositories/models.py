"""The model in use, its SIMILAR edges, and the catalogue they belong to."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from datetime import datetime
from typing import Annotated, Any, Self

from neo4j import Record
from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from graph.database import Database, Transaction
from graph.schema import SCHEMA_VERSION
from graph.serving_rule import MADE_BY_ENGINE, NEIGHBOURS, ServingRule
from graph.shapes import Timestamp
from graph.tombstones import Tombstone

# A transaction's share of a bulk write, and of a removal.
WRITE_ROWS = 10_000
REMOVE_ROWS = 20_000
# How movies that the fit has not seen are linked (cypher/link_new_movie.cypher). The first viewings tell little.
NEW_MOVIES = {"fewestViewers": 3, "mostViewers": 200, "mostLiked": 100, "neighbours": NEIGHBOURS, "shrinkage": 5}


# The node keeps it as JSON.
Described = Annotated[
    dict[str, Any], BeforeValidator(lambda known: json.loads(known) if isinstance(known, str) else known)
]


@dataclass(frozen=True, config=MADE_BY_ENGINE)
class Model:
    """A fitted version of the model."""

    version: str
    fitted_at: Timestamp
    edges: Annotated[int, Field(description="SIMILAR edges")]
    movies: int
    parameters: Described
    snapshot: Annotated[Described, Field(description="What it was fitted from")]
    metrics: Annotated[
        Described,
        Field(
            description="If measured, how well the rule found what nobody had looked at: `ndcg@10 of the next movie`, "
            "beside lists of what was watched lately (`lately`) and of what was watched most ever (`popular`), the "
            "first one's 95 % interval (`halfWidth`) over so many users (`judges`). `chosenBy`: `time`, or `holdout` "
            "where the ratings have no usable timeline. `dial`, on the earlier moments that the rule was chosen by: "
            "[dial, NDCG, difference from the best, its half width] …. Versions of before have other ones"
        ),
    ] = field(default_factory=dict)
    rule: ServingRule = field(default_factory=ServingRule)
    withdrawn: Annotated[bool, Field(description="Gone back from")] = False

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """As the queries return it: one map of all properties of the node."""
        return cls(**record["model"], rule=ServingRule.from_properties(record["model"]))


class Models:
    """Reads and writes of models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_current_model(self) -> Model | None:
        """The model in use, or None."""
        return next(map(Model.from_record, self._database.read("get_current_model")), None)

    def find_source(self) -> int | None:
        """A movie from which the model in use leads to others; None if its edges are gone."""
        return next((record["movieId"] for record in self._database.read("find_source")), None)

    def list_models(self) -> list[Model]:
        """All versions, the newest first."""
        return [Model.from_record(record) for record in self._database.read("jobs/list_models")]

    def remove_models(self, versions: Sequence[str]) -> None:
        """Forget versions that are not in use; their edges are gone already."""
        self._database.write("jobs/remove_models", versions=list(versions))

    def withdraw_model(self, version: str) -> None:
        """Mark a version that was gone back from."""
        self._database.write("jobs/withdraw_model", version=version)

    def create_catalogue(self, name: str) -> None:
        """Make the node that tells what is loaded, and which model is in use."""
        self._database.write("jobs/create_catalogue", name=name, schemaVersion=SCHEMA_VERSION)

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

    def read_tombstones(self) -> list[Tombstone]:
        """Users who are or were erased: nothing may be learned from them."""
        return [Tombstone.of(record) for record in self._database.read("jobs/read_erasures")]

    def count_graph(self) -> dict[str, int]:
        """Numbers of users, movies, ratings and SIMILAR edges."""
        [record] = self._database.read("jobs/count_graph")
        return dict(record)

    def count_everything(self) -> dict[str, int]:
        """Numbers of nodes by label and of edges by type."""
        return {record["kind"]: record["count"] for record in self._database.read("jobs/count_everything")}

    def write_similar(
        self, version: str, edges: Sequence[tuple[int, int, float, int]], progress: Callable[[int], object]
    ) -> None:
        """Write edges (source, target, weight, rank) of a version not yet in use; `progress` gets each batch's size."""
        for start in range(0, len(edges), WRITE_ROWS):
            batch = edges[start : start + WRITE_ROWS]
            self._database.write("jobs/write_similar", version=version, edges=[list(edge) for edge in batch])
            progress(len(batch))

    def read_similar(self, version: str) -> list[tuple[int, int, float]]:
        """The edges of a version: (source, target, weight)."""
        records = self._database.read("jobs/read_similar", version=version)
        return [(record["source"], record["target"], record["weight"]) for record in records]

    def switch_model(self, model: Model) -> None:
        """Put a version to use, and away with what new movies had until it came to know them, in one transaction.

        The version's node is written before that.
        """
        self._database.write("jobs/write_model", version=model.version, model=model_properties(model))

        def switch(transaction: Transaction) -> None:
            transaction.run("lock_sequence")  # a batch being applied writes figures by the half-life of before
            transaction.run("jobs/switch_model", version=model.version)
            remove_all(transaction.run, "jobs/remove_incremental")

        self._database.transact(switch)

    def remove_unused_similar(self) -> None:
        """Remove the edges of versions not in use, in small transactions.

        And those that a new movie was given just when the version in use came to know it.
        """
        for query in ("jobs/remove_unused_similar", "jobs/remove_incremental"):
            remove_all(self._database.write, query)

    def find_new_movies(self, movie_ids: Iterable[int]) -> list[int]:
        """Those of some movies that the version in use does not know."""
        records = self._database.read("find_new_movies", movieIds=sorted(movie_ids))
        return [record["movieId"] for record in records]

    def link_new_movie(self, movie_id: int) -> int:
        """Give a movie that the fit has not seen neighbours from what its viewers liked; returns how many.

        0 if the fit knows the movie, or few have watched it.
        """
        records = self._database.write("link_new_movie", movieId=movie_id, **NEW_MOVIES)
        return records[0]["linked"] if records else 0

    def read_live_positives(self, finished: float) -> list[tuple[int, int, float, datetime]]:
        """(user id, movie id, stars, moment) of all live ratings and finished viewings, which have `finished` stars."""
        records = self._database.read("jobs/read_live_positives", finished=finished)
        return [(row["userId"], row["movieId"], row["rating"], row["at"].to_native()) for row in records]


def remove_all(write: Callable[..., list[Record]], query: str) -> None:
    """Run a query that removes some edges, by a database or within a transaction, until none is left."""
    while write(query, limit=REMOVE_ROWS)[0]["removed"]:
        pass


def model_properties(model: Model) -> dict[str, Any]:
    """A model as the properties of its node."""
    described = {name: json.dumps(getattr(model, name)) for name in ("parameters", "snapshot", "metrics")}
    counted = {"version": model.version, "fittedAt": model.fitted_at, "edges": model.edges, "movies": model.movies}
    return {**counted, **described, **model.rule.to_properties()}
