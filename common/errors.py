"""The exceptions that reach a user: each message names the file, line or id, and the remedy."""


class RecommenderError(Exception):
    """Something failed that a user can understand; commands print the message and exit 1."""


class SettingsError(RecommenderError):
    """An environment variable has a wrong name or value."""
