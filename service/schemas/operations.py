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


class ServingRule(Schema):
    """What a version is served by: what counts in a history, and how much what is current does.

    The score of a movie is current · (1 + tastes · taste / (share + popularityOffset)): `taste` is the history's sum of
    weights, `share` that of all users who watched the movie, and current = (persons who watched it, each decayed by
    halfLife, + longRun · share) ^ (dial / (1 − dial)), the dial being `current`.
    """

    rated: list[float] = Field(description="What ratings of ½, 1, 1½ … 5 stars count in a history")
    finished: float = Field(description="What a finished movie counts; so do the next ones what their names say")
    started: float
    abandoned: float
    liked: float
    disliked: float
    listed: float
    clicked: float
    place_boost: float = Field(description="By how much more the newest interaction counts")
    place_decay: float = Field(description="What is left of that from one interaction to the next")
    history_limit: int = Field(description="Interactions that are followed, the newest")
    half_life: int = Field(description="Days")
    current: float = Field(description="The dial, from 0, the history alone, to 1, what is current alone")
    tastes: float = Field(description="How much a history counts; at 1 on the dial it does not")
    popularity_offset: float = Field(
        description="The smaller, the more what few people watch is offered to those whom it suits"
    )
    long_run: float = Field(description="How many persons all of the past counts as")
    liked_from: float = Field(description="Stars from which on the fit learns that somebody liked a movie")


class Model(Schema):
    """A fitted version of the model."""

    version: str
    fitted_at: Timestamp
    edges: int = Field(description="SIMILAR edges")
    movies: int
    parameters: dict[str, JsonValue]
    snapshot: dict[str, JsonValue] = Field(description="What it was fitted from")
    metrics: dict[str, JsonValue] = Field(
        description="If measured, how well the rule found what nobody had looked at: `ndcg@10 of the next movie`, "
        "beside lists of what was watched lately (`lately`) and of what was watched most ever (`popular`), the first "
        "one's 95 % interval (`halfWidth`) over so many users (`judges`). `chosenBy`: `time`, or `holdout` where the "
        "ratings have no usable timeline. `dial`, on the earlier moments that the rule was chosen by: [dial, NDCG, "
        "difference from the best, its half width] …. Versions of before have other ones"
    )
    rule: ServingRule
    withdrawn: bool = Field(description="Gone back from")


class Overrides(Schema):
    """What the operator has set in the place of the version's numbers; null where it has not."""

    current: float | None = Field(description="RECOMMENDER_CURRENT")
    history_limit: int | None = Field(description="RECOMMENDER_HISTORY_LIMIT")


class Models(Schema):
    """The version in use, and those that can be gone back to."""

    catalogue: str | None
    current: Model | None
    overrides: Overrides
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
