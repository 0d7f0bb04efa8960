"""The password of the database in use: the configured one, or the one that the embedded Neo4j's home keeps."""

from pathlib import Path

from common.settings import Settings
from graph.errors import ServerError


def password_file(home: Path) -> Path:
    """Where the home of an embedded Neo4j keeps the password of user `neo4j`."""
    return home / "password"


def read_kept_password(home: Path) -> str:
    """The password that a home keeps. Raises ServerError if that was never made."""
    try:
        return password_file(home).read_text().strip()
    except OSError:
        raise ServerError(
            f"no Neo4j is set up in {home}: run `python -m graph up`, "
            "or set NEO4J_URI and NEO4J_PASSWORD for a Neo4j of your own"
        ) from None


def read_password(settings: Settings) -> str:
    """The password of the database that the settings name."""
    return settings.own_password or read_kept_password(settings.neo4j_home)
