"""The schema: constraints and indexes of `cypher/schema/`, and what brings older databases up to date.

`cypher/migrations/` holds numbered files; `(:Catalogue {schemaVersion})` tells the last one that a database has seen.
"""

import re

from common.errors import RecommenderError
from graph.database import Database
from graph.queries import query, query_names

MIGRATIONS = {int(name.split("/")[-1].split("_")[0]): name for name in query_names("migrations")}
SCHEMA_VERSION = max(MIGRATIONS)
# Of databases from before there were numbers.
FIRST_VERSION = 1


class SchemaError(RecommenderError):
    """A database's schema is not this code's: newer, or older where it is not migrated."""


def require_known_version(version: int, what: str = "the database") -> None:
    """Raise SchemaError if a schema version is newer than ours."""
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"{what} has schema version {version}, this program knows those up to {SCHEMA_VERSION}: "
            "run the newer program that made it"
        )


def require_known_schema(database: Database) -> None:
    """Raise SchemaError if a database's schema is newer than ours."""
    require_known_version(_read_version(database))


def require_migrated_schema(database: Database) -> None:
    """Raise SchemaError if a database's schema is older than ours."""
    if (version := _read_version(database)) < SCHEMA_VERSION:
        raise SchemaError(
            f"the database has schema version {version}, this program needs {SCHEMA_VERSION}: "
            "start the worker, which migrates it"
        )


def apply_schema(database: Database) -> None:
    """Create what is missing, wait until every index is online, and migrate. Each part may be done again.

    Raises SchemaError, before anything is changed, if the database's schema is newer than ours.
    """
    require_known_schema(database)
    for name in query_names("schema"):
        _run_file(database, name)
    database.read("await_indexes")
    version = _read_version(database)
    for number, name in sorted(MIGRATIONS.items()):
        if number > version:
            _migrate(database, number, name)


def _migrate(database: Database, number: int, name: str) -> None:
    """An error names the file, and stays what it is: the worker tries again while Neo4j does not answer."""
    try:
        _run_file(database, name)
        database.write("jobs/set_schema_version", version=number)
    except RecommenderError as error:
        raise type(error)(f"migration {name.removeprefix('migrations/')} failed: {error}") from error


def _read_version(database: Database) -> int:
    """The catalogue's; a database without one is empty, and as new as can be."""
    for record in database.read("get_catalogue"):
        return int(record["schemaVersion"] or FIRST_VERSION)
    return SCHEMA_VERSION


def _run_file(database: Database, name: str) -> None:
    """Run a file's statements: each begins a line, indented ones go on with it, and `//` lines are comments."""
    for statement in re.split(r"\n(?=\S)", query(name).strip()):
        if not statement.startswith("//"):
            run = database.run_alone if "IN TRANSACTIONS" in statement else database.run_text
            run(statement)
