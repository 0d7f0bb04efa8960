"""Predicted stars."""

from typing import Literal

from pydantic import Field

from service.schemas.base import Schema


class RatedReason(Schema):
    """A rating of the user, and what it adds to the predicted stars, or takes from them."""

    movie_id: int
    title: str | None
    rating: float
    contribution: float


class Prediction(Schema):
    """Stars that a user would give; four of five ratings are from `low` to `high`."""

    movie_id: int
    title: str | None
    year: int | None
    stars: float
    low: float
    high: float
    basis: Literal["ratings", "baseline", "movie"] = Field(
        description="ratings: of movies that tell of this one. baseline: the means of this user and this movie alone. "
        "movie: the movie's mean, since the user is not known or no model of stars is fitted"
    )
    rating: float | None = Field(description="What the user gave the movie, if anything")
    because: list[RatedReason] = Field(description="The ratings that say most for or against it, those first")


class Predictions(Schema):
    """One prediction a movie, in the order of the request."""

    user_id: int
    model_version: str | None
    predictions: list[Prediction]
