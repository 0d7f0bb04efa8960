"""For those who operate the service."""

from typing import Literal

from pydantic import Field, JsonValue

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


class PopularityGroup(Schema):
    """A tenth of the movies, the most rated being the first."""

    group: int
    movies: int
    ratings: int
    recommended_movies: int
    recommendations: int


class Reach(Schema):
    """How much of the catalogue the stored lists offer, and how popular that is."""

    since: Timestamp
    movies: int
    recommended_movies: int
    coverage: float | None = Field(description="Share of the movies that were recommended")
    recommendations: int = Field(description="Those that are counted: the latest ones, where there are very many")
    groups: list[PopularityGroup]


class Model(Schema):
    """A fitted version of the model."""

    version: str
    fitted_at: Timestamp
    edges: int = Field(description="SIMILAR edges")
    movies: int
    parameters: dict[str, JsonValue]
    snapshot: dict[str, JsonValue] = Field(description="What it was fitted from")
    metrics: dict[str, float] = Field(description="How well it finds likes that were held out of the fit, if measured")
    withdrawn: bool = Field(description="Gone back from")


class Models(Schema):
    """The version in use, and those that can be gone back to."""

    catalogue: str | None
    current: Model | None
    versions: list[Model] = Field(description="The newest first")


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
