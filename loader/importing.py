"""The offline import: staged ratings and fitted edges become a database, built aside of the one that serves."""

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.dataset import Dataset
from engine.training import FittedModel
from graph.errors import ServerError
from graph.repositories.models import model_properties
from graph.server.home import GIGABYTE
from graph.server.process import EmbeddedServer

SCHEMA_VERSION = 1
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
HEAP = 4 * GIGABYTE
OFF_HEAP = "2G"
PHASES = 4


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
            "--id-type=integer",
        ),
        *(f"--max-off-heap-memory={OFF_HEAP}", f"--report-file={server.home.path / 'import.report'}"),
        *tables,
        heap=HEAP,
        watch=_Watch(progress),
    )
    found = re.search(r"Imported:\s+(\d+) nodes\s+(\d+) relationships", output)
    nodes, relationships = counts.users + counts.movies + 2, counts.ratings + counts.similar
    if not found or (int(found[1]), int(found[2])) != (nodes, relationships):
        told = f"{found[1]} nodes and {found[2]} relationships" if found else "no counts"
        raise ServerError(
            f"the import is incomplete: it reports {told}, expected {nodes} nodes and {relationships} relationships"
        )


def write_tables(dataset: Dataset, fitted: FittedModel, folder: Path, progress: Callable[[int], object]) -> list[str]:
    """Write the importer's CSV files and return its arguments that name them; `progress` is told ratings written.

    The columns' names are the admin tool's way to declare types.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tables = {"User": _users(dataset), **_small_tables(dataset, fitted)}
    arguments = []
    for name, table in tables.items():
        file = folder / f"{name}.csv"
        table.write_csv(file)
        arguments.append(f"--{'relationships' if name == 'SIMILAR' else 'nodes'}={name}={file}")

    def write_shard(numbered: tuple[int, Path]) -> Path:
        number, shard = numbered
        ratings = _ratings_table(pl.read_parquet(shard))
        file = folder / f"RATED-{number:03}.csv"
        ratings.write_csv(file, include_header=number == 0, quote_style="never")
        progress(len(ratings))
        return file

    with ThreadPoolExecutor(2) as pool:
        files = list(pool.map(write_shard, enumerate(dataset.shards())))
    return [*arguments, f"--relationships=RATED={','.join(map(str, files))}"]


def _users(dataset: Dataset) -> pl.DataFrame:
    parts: Iterator[pl.DataFrame] = (pl.read_parquet(file, columns=["userId"]).unique() for file in dataset.shards())
    return pl.concat(parts).sort("userId").rename({"userId": "userId:ID(User){id-type:long}"})


def _ratings_table(ratings: pl.DataFrame) -> pl.DataFrame:
    return ratings.select(
        pl.col("userId").alias(":START_ID(User)"),
        pl.col("movieId").alias(":END_ID(Movie)"),
        pl.col("rating").alias("rating:double"),
        pl.col("at").dt.strftime(TIME_FORMAT).alias("at:localdatetime"),
    )


def _small_tables(dataset: Dataset, fitted: FittedModel) -> dict[str, pl.DataFrame]:
    model = {**model_properties(fitted.model), "fittedAt": fitted.model.fitted_at.isoformat(), "current": "true"}
    types = {"fittedAt": "localdatetime", "edges": "long", "movies": "long", "current": "boolean"}
    return {
        "Movie": dataset.movies().select(
            pl.col("movieId").alias("movieId:ID(Movie){id-type:long}"),
            pl.col("title").str.replace_all("\r", " ", literal=True),  # the importer takes it for a line end
            pl.col("year").alias("year:long"),
            pl.col("genres").list.join("|").alias("genres:string[]"),
            pl.col("ratingCount").alias("ratingCount:long"),
            pl.col("ratingMean").alias("ratingMean:double"),
        ),
        "Model": pl.DataFrame([model]).rename({name: f"{name}:{kind}" for name, kind in types.items()}),
        "Catalogue": pl.DataFrame(
            {
                "name": [dataset.manifest().catalogue],
                "dataset": [dataset.name],
                "schemaVersion:long": [SCHEMA_VERSION],
            }
        ),
        "SIMILAR": fitted.edges.select(
            pl.col("source").alias(":START_ID(Movie)"),
            pl.col("target").alias(":END_ID(Movie)"),
            pl.col("weight").alias("weight:double"),
            pl.col("rank").alias("rank:long"),
            pl.lit(fitted.model.version).alias("version"),
        ),
    }


class _Watch:
    """Finds in what the importer prints how far it is: `(2/4) …`, then `35%`."""

    def __init__(self, progress: Callable[[float], object]) -> None:
        self._progress = progress
        self._phase = 1

    def __call__(self, text: str) -> None:
        for phase, percent in re.findall(r"\((\d)/4\)|(\d+)%", text):
            self._phase = int(phase or self._phase)
            self._progress((self._phase - 1 + int(percent or 0) / 100) / PHASES)
