"""What goes wrong with Neo4j."""

from common.errors import RecommenderError


class ServerError(RecommenderError):
    """The embedded Neo4j could not be started, stopped or fetched."""


class DatabaseUnavailableError(RecommenderError):
    """Neo4j does not answer; the same call may work later."""


class DatabaseReadOnlyError(DatabaseUnavailableError):
    """Neo4j answers, but writes nothing: its disk is full, or was, and it has not been started again since."""


class DatabaseRefusedError(RecommenderError):
    """Neo4j answered and refused: wrong password, wrong database, failed constraint."""


class ContentRefusedError(RecommenderError):
    """Neo4j refused what was to be written, not who writes or how: the same again will be refused again."""
