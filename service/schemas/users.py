"""What a user did, and what is known of their taste."""

from pydantic import ConfigDict

from graph.repositories.history import HistoryEntry
from graph.repositories.stars import Prediction
from graph.shapes import Shape


class UserHistory(Shape):
    """A user's ratings and viewings, newest first."""

    model_config = ConfigDict(title="History")

    user_id: int
    history: list[HistoryEntry]


class Predictions(Shape):
    """One prediction a movie, in the order of the request."""

    user_id: int
    model_version: str | None
    predictions: list[Prediction]
