"""What a version of the model is served by, beside its edges: what interactions count, and what is current.

The engine chooses these numbers when it fits (`engine.choice`), `(:Model)` keeps them as properties, and the traversal
reads them there together with the version (cypher/recommend_movies.cypher), so that no answer mixes two versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

# K: edges of a kind out of a movie, unless a fit is told otherwise.
NEIGHBOURS = 50
# At the ends of the dial one part alone decides; just before them the other one still breaks ties.
LEAST_EXPONENT, LARGEST_DIAL = 1e-6, 0.95


@dataclass(frozen=True)
class ServingRule:
    """The score of movie j is current_j · (1 + tastes · max(0, s_j) / (p_j + popularity_offset)).

    s_j: Σ over the history of weight · SIMILAR.weight, as a share of Σ |weight|. p_j: share of all users who watched j.
    current_j: (d_j + long_run · p_j) ^ exponent, d_j being how many persons watched j, each decayed by `half_life`.
    The newest interaction but n weighs (1 + place_boost · place_decay ^ n) times what its kind counts; interactions of
    one moment share the mean of their places.
    """

    rated: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.35, 0.5, 1.0, 1.0, 1.2)  # ½, 1, 1½ … 5 stars
    finished: float = 0.7
    started: float = 0.25
    abandoned: float = 0.0
    liked: float = 1.0
    disliked: float = -0.5
    listed: float = 0.5
    clicked: float = 0.1
    place_boost: float = 16.0
    place_decay: float = 0.9
    history_limit: int = 50  # interactions that are followed, the newest that count
    half_life: int = 10  # days, one of graph.recency.HALF_LIVES
    current: float = 0.5  # the dial: 0 the history alone, 1 what is current alone
    tastes: float = 3.0  # how much a history counts
    popularity_offset: float = 0.01  # the smaller, the more what few people watch is offered to those few
    long_run: float = 10.0  # persons that all of the past counts as
    liked_from: float = 3.0  # stars from which the fit learns that somebody liked a movie

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
        return {
            _camel(field.name): list(value) if isinstance(value := getattr(self, field.name), tuple) else value
            for field in fields(self)
        }

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> Self:
        """From the properties of a node; what it lacks is as it is by default."""
        known = {field.name: properties.get(_camel(field.name)) for field in fields(cls)}
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in known.items()
            if value is not None
        }
        return cls(**given)


def find_exponent(current: float) -> float:
    """The exponent that a dial from 0 to 1 stands for: its odds. At 1, where nothing else counts, any will do."""
    return 1.0 if current >= 1 else max(LEAST_EXPONENT, current / (1 - min(current, LARGEST_DIAL)))


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)
