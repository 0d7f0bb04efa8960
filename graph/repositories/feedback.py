"""What became of recommendations: which of them were watched."""

from dataclasses import dataclass
from datetime import datetime

from graph.database import Database


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
