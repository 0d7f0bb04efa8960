"""The schema: constraints and indexes of `cypher/schema/`, each idempotent."""

from graph.database import Database
from graph.queries import query, query_names


def schema_statements() -> list[str]:
    """All schema statements, one per line of the files in `cypher/schema/`; `//` lines are comments."""
    return [
        line
        for name in query_names("schema")
        for line in query(name).splitlines()
        if line.strip() and not line.startswith("//")
    ]


def apply_schema(database: Database) -> None:
    """Create what is missing and wait until every index is online."""
    for statement in schema_statements():
        database.run_text(statement)
    database.read("await_indexes")
