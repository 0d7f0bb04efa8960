"""What a user did, and what is known of their taste."""

from pydantic import ConfigDict

from graph.repositories.history import HistoryEntry
from graph.repositories.stars import Prediction
from graph.shapes import Shape
from service.schemas.base import UnknownMovies


class UserHistory(Shape):
    """A user's ratings and viewings, newest first."""

    model_config = ConfigDict(title="History")

    user_id: int
    history: list[HistoryEntry]


class Predictions(Shape):
    """One prediction for each movie that is known, in the order of the request."""

    user_id: int
    model_version: str | None
    predictions: list[Prediction]
    unknown_movies: UnknownMovies
