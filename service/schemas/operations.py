"""For those who operate the service."""

from typing import Literal

from pydantic import ConfigDict, Field

from graph.repositories.models import Model
from graph.shapes import Shape


class Overrides(Shape):
    """What the operator has set in the place of the version's numbers; null where it has not."""

    current: float | None = Field(description="RECOMMENDER_CURRENT")
    history_limit: int | None = Field(description="RECOMMENDER_HISTORY_LIMIT")


class ModelVersions(Shape):
    """The version in use, and those that can be gone back to."""

    model_config = ConfigDict(title="Models")

    catalogue: str | None
    current: Model | None
    overrides: Overrides
    versions: list[Model] = Field(description="The newest first")


class PartState(Shape):
    """Whether one part is ready."""

    ready: bool
    detail: str


class Readiness(Shape):
    """Whether the service can answer, and which part keeps it from it."""

    ready: bool
    parts: dict[str, PartState]


class Liveness(Shape):
    """The process answers."""

    live: Literal[True] = True


class StreamToken(Shape):
    """What opens the stream in the place of a key."""

    token: str = Field(description="For `/v1/stream?token=`")
    expires_in: int = Field(description="Seconds until it opens no more streams", json_schema_extra={"example": 300})
