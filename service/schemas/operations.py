"""For those who operate the service."""

from typing import Literal

from pydantic import Field

from service.schemas.base import Schema, Timestamp


class RankFeedback(Schema):
    """Recommendations at one rank, 1 being the first, and how many of them were watched."""

    rank: int
    recommendations: int
    hits: int


class Feedback(Schema):
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


class PartState(Schema):
    """Whether one part is ready."""

    ready: bool
    detail: str


class Readiness(Schema):
    """Whether the service can answer, and which part keeps it from it."""

    ready: bool
    parts: dict[str, PartState]


class Liveness(Schema):
    """The process answers."""

    live: Literal[True] = True
