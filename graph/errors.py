"""The exceptions that reach a user: each message names the file, line or id, and the remedy."""


class RecommenderError(Exception):
    """Something failed that a user can understand; commands print the message and exit 1."""


class SettingsError(RecommenderError):
    """An environment variable has a wrong name or value."""


class ServerError(RecommenderError):
    """The embedded Neo4j could not be started, stopped or fetched."""


class DatabaseUnavailableError(RecommenderError):
    """Neo4j does not answer; the same call may work later."""


class DatabaseRefusedError(RecommenderError):
    """Neo4j answered and refused: wrong password, wrong database, failed constraint."""


class ContentRefusedError(RecommenderError):
    """Neo4j refused what was to be written, not who writes or how: the same again will be refused again."""
