"""What a version of the model is served by, beside its edges: what interactions count, and what is current.

The engine chooses these numbers when it fits (`engine.choice`), `(:Model)` keeps them as properties, and the traversal
reads them there together with the version (cypher/recommend_movies.cypher), so that no answer mixes two versions.

The score of movie j is current_j · (1 + tastes · max(0, s_j) / (p_j + popularity_offset)). s_j: Σ over the history of
weight · SIMILAR.weight, as a share of Σ |weight|. p_j: share of all users who watched j. current_j: (d_j + long_run ·
p_j) ^ exponent, d_j being how many persons watched j, each decayed by `half_life`. The newest interaction but n weighs
(1 + place_boost · place_decay ^ n) times what its kind counts; interactions of one moment share the mean of their
places.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass
from pydantic_core import to_jsonable_python

# K: edges of a kind out of a movie, unless a fit is told otherwise.
NEIGHBOURS = 50
# At the ends of the dial one part alone decides; just before them the other one still breaks ties.
LEAST_EXPONENT, LARGEST_DIAL = 1e-6, 0.95
RATED = (0.0, 0.0, 0.0, 0.0, 0.0, 0.35, 0.5, 1.0, 1.0, 1.2)  # ½, 1, 1½ … 5 stars


def _leave_out_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


# Of what the engine makes and changes with `dataclasses.replace`. The document has all of it as always there.
MADE_BY_ENGINE = ConfigDict(
    alias_generator=to_camel,
    populate_by_name=True,
    json_schema_serialization_defaults_required=True,
    json_schema_extra=_leave_out_defaults,
)


@dataclass(frozen=True, config=MADE_BY_ENGINE)
class ServingRule:
    """What a version is served by: what counts in a history, and how much what is current does.

    The score of a movie is current · (1 + tastes · taste / (share + popularityOffset)): `taste` is the history's sum of
    weights, `share` that of all users who watched the movie, and current = (persons who watched it, each decayed by
    halfLife, + longRun · share) ^ (dial / (1 − dial)), the dial being `current`.
    """

    rated: Annotated[tuple[float, ...], Field(description="What ratings of ½, 1, 1½ … 5 stars count in a history")] = (
        RATED
    )
    finished: Annotated[
        float, Field(description="What a finished movie counts; so do the next ones what their names say")
    ] = 0.7
    started: float = 0.25
    abandoned: float = 0.0
    liked: float = 1.0
    disliked: float = -0.5
    listed: float = 0.5
    clicked: float = 0.1
    place_boost: Annotated[float, Field(description="By how much more the newest interaction counts")] = 16.0
    place_decay: Annotated[float, Field(description="What is left of that from one interaction to the next")] = 0.9
    history_limit: Annotated[int, Field(description="Interactions that are followed, the newest")] = 50
    half_life: Annotated[int, Field(description="Days")] = 10  # one of graph.recency.HALF_LIVES
    current: Annotated[float, Field(description="The dial, from 0, the history alone, to 1, what is current alone")] = (
        0.5
    )
    tastes: Annotated[float, Field(description="How much a history counts; at 1 on the dial it does not")] = 3.0
    popularity_offset: Annotated[
        float, Field(description="The smaller, the more what few people watch is offered to those whom it suits")
    ] = 0.01
    long_run: Annotated[float, Field(description="How many persons all of the past counts as")] = 10.0
    liked_from: Annotated[
        float, Field(description="Stars from which on the fit learns that somebody liked a movie")
    ] = 3.0

    @property
    def exponent(self) -> float:
        """What is current raised to this, so that the dial's middle takes it as it is."""
        return find_exponent(self.current)

    @property
    def gain(self) -> float:
        """How much a history counts: nothing where what is current decides alone."""
        return self.tastes if self.current < 1 else 0.0

    def to_properties(self) -> dict[str, Any]:
        """As `(:Model)` keeps it."""
        properties: dict[str, Any] = to_jsonable_python(self, by_alias=True)
        return properties

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> Self:
        """From the properties of a node; what it lacks is as it is by default."""
        return cls(**properties)


def find_exponent(current: float) -> float:
    """The exponent that a dial from 0 to 1 stands for: its odds. At 1, where nothing else counts, any will do."""
    return 1.0 if current >= 1 else max(LEAST_EXPONENT, current / (1 - min(current, LARGEST_DIAL)))
