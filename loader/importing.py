"""The offline import: staged ratings and fitted edges become a new database, swapped in when it is complete."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.dataset import Dataset
from engine.training import FittedModel
from graph.errors import ServerError
from graph.repositories.models import model_properties
from graph.server.home import GIGABYTE, Home
from graph.server.process import EmbeddedServer

SCHEMA_VERSION = 1
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.3f"


@dataclass(frozen=True)
class GraphCounts:
    """How many of each a database must hold."""

    users: int
    movies: int
    ratings: int
    similar: int


def import_graph(dataset: Dataset, fitted: FittedModel, server: EmbeddedServer, cache: Path) -> GraphCounts:
    """Build the database aside, in the folder `incoming` of the server's home, and compare what was imported.

    Raises ServerError if the import fails or its counts are wrong; nothing that serves is touched.
    """
    incoming = incoming_home(server.home)
    shutil.rmtree(incoming.path, ignore_errors=True)
    incoming.create()
    tables = write_tables(dataset, fitted, incoming.path / "import")
    arguments = [
        f"--{kind}s={name}={file}"
        for kind, names in (("node", ("User", "Movie", "Model", "Catalogue")), ("relationship", ("RATED", "SIMILAR")))
        for name in names
        for file in [tables[name]]
    ]
    output = EmbeddedServer(incoming, cache).admin(
        *("database", "import", "full", "neo4j", "--overwrite-destination", "--array-delimiter=|"),
        f"--report-file={incoming.path / 'import.report'}",
        *arguments,
        heap=4 * GIGABYTE,
    )
    manifest = dataset.manifest()
    counts = GraphCounts(manifest.users, manifest.movies, manifest.ratings, len(fitted.edges))
    _compare(output, counts)
    shutil.rmtree(incoming.path / "import")
    return counts


def swap_in(server: EmbeddedServer) -> None:
    """Put the imported database in the place of the serving one; the server must be down. Again: puts it back."""
    incoming = incoming_home(server.home)
    for part in ("databases", "transactions"):
        serving, other = server.home.data / part / "neo4j", incoming.data / part / "neo4j"
        serving.parent.mkdir(parents=True, exist_ok=True)
        aside = other.with_name("leaving")
        if serving.exists():
            serving.rename(aside)
        if other.exists():
            other.rename(serving)
        if aside.exists():
            aside.rename(other)


def remove_incoming(home: Home) -> None:
    """Remove what is left aside after a swap."""
    shutil.rmtree(incoming_home(home).path, ignore_errors=True)


def incoming_home(home: Home) -> Home:
    """Where the next database is built."""
    return Home(home.path / "incoming")


def write_tables(dataset: Dataset, fitted: FittedModel, folder: Path) -> dict[str, Path]:
    """Write the importer's CSV files, one per label and relationship type; their headers are the admin tool's."""
    ratings = dataset.ratings()
    facts = ratings.group_by("movieId").agg(ratingCount=pl.len(), ratingMean=pl.col("rating").cast(pl.Float64).mean())
    movies = dataset.movies().join(facts, on="movieId", how="left").sort("movieId")
    model = {**model_properties(fitted.model), "fittedAt": fitted.model.fitted_at.isoformat(), "current": "true"}
    tables = {
        "User": ratings.select(pl.col("userId").unique().sort().alias("userId:ID(User){id-type:long}")),
        "Movie": movies.select(
            pl.col("movieId").alias("movieId:ID(Movie){id-type:long}"),
            "title",
            pl.col("year").alias("year:long"),
            pl.col("genres").list.join("|").alias("genres:string[]"),
            pl.col("ratingCount").fill_null(0).alias("ratingCount:long"),
            pl.col("ratingMean").alias("ratingMean:double"),
        ),
        "Model": pl.DataFrame([model]).rename(
            {
                "version": "version:ID(Model)",
                "fittedAt": "fittedAt:localdatetime",
                "edges": "edges:long",
                "movies": "movies:long",
                "current": "current:boolean",
            }
        ),
        "Catalogue": pl.DataFrame(
            {"name:ID(Catalogue)": [dataset.manifest().catalogue], "schemaVersion:long": [SCHEMA_VERSION]}
        ),
        "RATED": ratings.select(
            pl.col("userId").alias(":START_ID(User)"),
            pl.col("movieId").alias(":END_ID(Movie)"),
            pl.col("rating").alias("rating:double"),
            pl.col("at").dt.strftime(TIME_FORMAT).alias("at:localdatetime"),
        ),
        "SIMILAR": fitted.edges.select(
            pl.col("source").alias(":START_ID(Movie)"),
            pl.col("target").alias(":END_ID(Movie)"),
            pl.col("weight").alias("weight:double"),
            pl.col("rank").alias("rank:long"),
            pl.lit(fitted.model.version).alias("version"),
        ),
    }
    files = {}
    for name, table in tables.items():
        files[name] = folder / f"{name}.csv"
        table.write_csv(files[name])
    return files


def _compare(output: str, counts: GraphCounts) -> None:
    found = re.search(r"Imported:\s+(\d+) nodes\s+(\d+) relationships", output)
    nodes, relationships = counts.users + counts.movies + 2, counts.ratings + counts.similar
    if not found or (int(found[1]), int(found[2])) != (nodes, relationships):
        told = f"{found[1]} nodes and {found[2]} relationships" if found else "no counts"
        raise ServerError(
            f"the import is incomplete: it reports {told}, expected {nodes} nodes and {relationships} relationships"
        )
