"""What became of recommendations: which of them were watched."""

from datetime import datetime

from pydantic import Field

from graph.database import Database
from graph.shapes import Shape, Timestamp

MOST_COUNTED = 100_000
POPULARITY_GROUPS = 10


class RankFeedback(Shape):
    """Recommendations at one rank, 1 being the first, and how many of them were watched."""

    rank: int
    recommendations: int
    hits: int


class Feedback(Shape):
    """What became of the stored lists: a hit is a recommended movie that its user went on to watch."""

    since: Timestamp
    lists: int
    lists_with_hit: int
    hit_rate: float | None = Field(description="Share of the lists with a hit")
    recommendations: int
    hits: int
    median_seconds_to_hit: float | None = Field(description="From the list to the viewing")
    slow_seconds_to_hit: float | None = Field(description="Nine of ten hits came sooner")
    ranks: list[RankFeedback]


class PopularityGroup(Shape):
    """A tenth of the movies, the most rated being the first."""

    group: int
    movies: int
    ratings: int
    recommended_movies: int
    recommendations: int


class Reach(Shape):
    """How much of the catalogue the stored lists offer, and how popular that is."""

    since: Timestamp
    movies: int
    recommended_movies: int
    coverage: float | None = Field(description="Share of the movies that were recommended")
    recommendations: int = Field(description="Those that are counted: the latest ones, where there are very many")
    groups: list[PopularityGroup]


def measure_feedback(database: Database, since: datetime) -> Feedback:
    """Hits of the lists that were made since a moment (UTC), of the latest MOST_COUNTED recommendations."""
    [record] = database.read("measure_feedback", since=since, most=MOST_COUNTED)
    return Feedback.from_record(record)


def measure_reach(database: Database, since: datetime) -> Reach:
    """What was recommended since a moment (UTC), of the latest MOST_COUNTED recommendations."""
    records = database.read("measure_reach", since=since, most=MOST_COUNTED, groups=POPULARITY_GROUPS)
    groups = [PopularityGroup.from_record(record) for record in records]
    movies, recommended = sum(group.movies for group in groups), sum(group.recommended_movies for group in groups)
    return Reach(
        since=since,
        movies=movies,
        recommended_movies=recommended,
        coverage=recommended / movies if movies else None,
        recommendations=sum(group.recommendations for group in groups),
        groups=groups,
    )
