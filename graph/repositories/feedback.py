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
    """Hits of the lists that were made since a moment (UTC), of the latest MOST_COUNTED recommendations."""
    [record] = database.read("measure_feedback", since=since, most=MOST_COUNTED)
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
    """Some of the movies, as many as in each other group, the most rated in the first: how often they were offered."""

    group: int
    movies: int
    ratings: int
    recommended_movies: int
    recommendations: int


@dataclass(frozen=True)
class Reach:
    """How much of the catalogue was recommended since a moment, and how popular that is."""

    since: datetime
    groups: list[PopularityGroup]

    @property
    def movies(self) -> int:
        """How many there are."""
        return sum(group.movies for group in self.groups)

    @property
    def recommended_movies(self) -> int:
        """How many of them were recommended."""
        return sum(group.recommended_movies for group in self.groups)

    @property
    def recommendations(self) -> int:
        """How many recommendations were counted."""
        return sum(group.recommendations for group in self.groups)

    @property
    def coverage(self) -> float | None:
        """The share of the movies that were recommended; None without movies."""
        return self.recommended_movies / self.movies if self.movies else None


def measure_reach(database: Database, since: datetime) -> Reach:
    """What was recommended since a moment (UTC), of the latest MOST_COUNTED recommendations."""
    records = database.read("measure_reach", since=since, most=MOST_COUNTED, groups=POPULARITY_GROUPS)
    return Reach(since, [PopularityGroup(*record.values()) for record in records])
