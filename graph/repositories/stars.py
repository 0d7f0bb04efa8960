"""Predicted stars: the STARS edges, the movies' biases, and the traversal that predicts with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from neo4j import Record
from pydantic import Field

from common.times import utc_now
from graph.database import Database
from graph.repositories.models import WRITE_ROWS, remove_all
from graph.repositories.movies import NamedMovie
from graph.shapes import Shape

REASONS = 6
# Without a model the mean of a movie's ratings is all there is.
PLAIN_MARGIN, PLAIN_LOW, PLAIN_HIGH = 1.4, 0.5, 5.0


class RatedReason(Shape):
    """A rating of the user, and what it adds to the predicted stars, or takes from them."""

    movie_id: int
    title: str | None
    rating: float
    contribution: float


class Prediction(NamedMovie):
    """Stars that a user would give; four of five ratings are from `low` to `high`."""

    stars: float
    low: float
    high: float
    basis: Literal["ratings", "baseline", "movie"] = Field(
        description="ratings: of movies that tell of this one. baseline: the means of this user and this movie alone. "
        "movie: the movie's mean, since the user is not known or no model of stars is fitted"
    )
    rating: float | None = Field(description="What the user gave the movie, if anything")
    because: list[RatedReason] = Field(description="The ratings that say most for or against it, those first")
    model_version: str | None = Field(exclude=True)


@dataclass(frozen=True)
class StarsVersion:
    """A fitted version as it is stored.

    `edges`: target and neighbour (movie ids), weight, weight of having been rated. `movies`: movie id, bias,
    popularity (as the fit counts it), spread. `properties`: all that the traversal takes from the model's node, None
    where there is none.
    """

    version: str
    fitted_at: datetime
    edges: Sequence[tuple[int, int, float, float]]
    movies: Sequence[tuple[int, float, float, float]]
    properties: dict[str, float | str | None]


class Stars:
    """Reads and writes of predicted stars."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def predict_stars(self, user_id: int, movie_ids: Sequence[int], now: datetime | None = None) -> list[Prediction]:
        """A prediction for each movie that there is, in the order given. `now`: of which the newest ratings are new."""
        parameters = {
            "userId": user_id,
            "movieIds": list(movie_ids),
            "reasonLimit": REASONS,
            "now": now or utc_now(),
        }
        found = {row["movieId"]: _prediction(row) for row in self._database.read("predict_stars", **parameters)}
        return [found[movie_id] for movie_id in movie_ids if movie_id in found]

    def put_to_use(self, fitted: StarsVersion, progress: Callable[[int], object] = lambda _: None) -> None:
        """Write a version's edges beside the old ones, and switch in one transaction."""
        self.remove_unused()
        for start in range(0, len(fitted.edges), WRITE_ROWS):
            edges = [list(edge) for edge in fitted.edges[start : start + WRITE_ROWS]]
            self._database.write("jobs/write_stars", version=fitted.version, edges=edges)
            progress(len(edges))
        model = {"version": fitted.version, "fittedAt": fitted.fitted_at, **fitted.properties}
        self._database.write("jobs/switch_stars", model=model, movies=[list(movie) for movie in fitted.movies])

    def remove_unused(self) -> None:
        """Remove the edges of versions not in use, in small transactions."""
        remove_all(self._database.write, "jobs/remove_unused_stars")

    def read_live_ratings(self) -> list[tuple[int, int, float, datetime]]:
        """(user id, movie id, stars, moment) of all ratings since the bulk load."""
        records = self._database.read("jobs/read_live_ratings")
        return [(row["userId"], row["movieId"], row["rating"], row["at"].to_native()) for row in records]


def _prediction(record: Record) -> Prediction:
    has_model = record["modelVersion"] is not None
    lowest, highest = (record["low"], record["high"]) if has_model else (PLAIN_LOW, PLAIN_HIGH)
    stars = record["stars"]
    if stars is None:  # nobody has rated it, and nothing is known of the user
        stars = (lowest + highest) / 2
    margin = record["margin"] if has_model else PLAIN_MARGIN
    known = record["known"] and has_model
    found = {
        "stars": min(max(stars, lowest), highest),
        "low": min(max(stars - margin, lowest), highest),
        "high": min(max(stars + margin, lowest), highest),
        "basis": "movie" if not known else "baseline" if record["tastes"] is None else "ratings",
    }
    return Prediction.from_record({**record, **found})
