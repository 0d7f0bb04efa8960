"""What became of recommendations: which of them were watched."""

from dataclasses import dataclass
from datetime import datetime

from graph.database import Database

MOST_COUNTED = 100_000
POPULARITY_GROUPS = 10


@dataclass(frozen=True)
class RankFeedback:
    """Recommendations at one rank, and how many of them were watched."""

    rank: int
    recommendations: int
    hits: int


@dataclass(frozen=True)
class Feedback:
    """Hits of stored lists since a moment; times in seconds from the list to the viewing, None without hits."""

    since: datetime
    lists: int
    lists_with_hit: int
    recommendations: int
    hits: int
    median_seconds_to_hit: float | None
    slow_seconds_to_hit: float | None
    ranks: list[RankFeedback]

    @property
    def hit_rate(self) -> float | None:
        """The share of lists of which a movie was watched; None without lists."""
        return self.lists_with_hit / self.lists if self.lists else None


def measure_feedback(database: Database, since: datetime) -> Feedback:
    """Hits of the lists that were made since a moment (UTC)."""
    [record] = database.read("measure_feedback", since=since)
    return Feedback(
        since=since,
        lists=record["lists"],
        lists_with_hit=record["listsWithHit"],
        recommendations=record["recommendations"],
        hits=record["hits"],
        median_seconds_to_hit=record["medianSecondsToHit"],
        slow_seconds_to_hit=record["slowSecondsToHit"],
        ranks=[RankFeedback(**rank) for rank in record["ranks"]],
    )


@dataclass(frozen=True)
class PopularityGroup:
    """A tenth of the movies, the most rated being the first: how often they were rated and recommended."""

    group: int
    movies: int
    ratings: int
    recommendations: int


@dataclass(frozen=True)
class Reach:
    """How much of the catalogue was recommended since a moment, and how popular that is."""

    since: datetime
    movies: int
    recommended_movies: int
    recommendations: int
    groups: list[PopularityGroup]

    @property
    def coverage(self) -> float | None:
        """The share of the movies that were recommended; None without movies."""
        return self.recommended_movies / self.movies if self.movies else None


def measure_reach(database: Database, since: datetime) -> Reach:
    """What was recommended since a moment (UTC), of the latest MOST_COUNTED recommendations."""
    rows = [
        (record["ratingCount"], record["recommendations"])
        for record in database.read("measure_reach", since=since, most=MOST_COUNTED)
    ]
    return Reach(
        since=since,
        movies=len(rows),
        recommended_movies=sum(offers > 0 for _, offers in rows),
        recommendations=sum(offers for _, offers in rows),
        groups=group_by_popularity(rows),
    )


def group_by_popularity(rows: list[tuple[int, int]], groups: int = POPULARITY_GROUPS) -> list[PopularityGroup]:
    """Movies as (ratings, recommendations), the most rated first, in groups of about the same size."""
    found = []
    for group in range(groups):
        part = rows[len(rows) * group // groups : len(rows) * (group + 1) // groups]
        ratings, offers = (sum(column) for column in zip(*part, strict=True)) if part else (0, 0)
        found.append(PopularityGroup(group + 1, len(part), ratings, offers))
    return found
