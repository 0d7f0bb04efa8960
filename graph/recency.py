"""How much a movie was watched lately, pure: sums that decay forward, so that their order holds at any moment.

A person counts once for a movie, with the newest of: a finished viewing, a rating of at least COUNTED_FROM stars. For a
half-life of h days a movie's figure is log₂ Σ 2^(t/h) over these persons, t the moment in days since 1970 (forward
decay, Cormode et al. 2009). At the moment `now` they count 2^(figure − now/h); the figure does not change meanwhile.
Moments are milliseconds since 1970. Sums are relative to their newest moment, so that none is too large or too small.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from common.times import DAY

HALF_LIVES = (1, 3, 10, 30, 100)  # days
COUNTED_FROM = 3.0  # stars
# What is taken away is subtracted. The error grows as a sum shrinks: a movie is counted again before its figures may
# have shrunk by more than this since they were counted.
MOST_SHRUNK = 4.0
# By so much a sum's logarithm may seem smaller than that of a part.
TOLERANCE = 1e-6

# What counts of one person before and after a change: a moment, or None for nothing.
Move = tuple[int | None, int | None]


@dataclass(frozen=True)
class Figures:
    """How many persons count for a movie, and its figure for each of HALF_LIVES; no figures if nobody counts.

    `shrunk`: by how much at most a figure has become smaller since the movie was counted.
    """

    viewers: int = 0
    recent: tuple[float, ...] = ()
    shrunk: float = 0.0

    def properties(self) -> dict[str, int | float | None]:
        """As a movie has them; None: it has none."""
        recent = self.recent or (None,) * len(HALF_LIVES)
        figures = dict(zip(PROPERTIES, recent, strict=True))
        return {"viewers": self.viewers or None, **figures, "shrunk": self.shrunk or None}


def property_of(half_life: int) -> str:
    """A movie's property for one of HALF_LIVES."""
    return f"recent{half_life}"


PROPERTIES = tuple(map(property_of, HALF_LIVES))


def figures_of(viewers: int, newest: int, sums: Sequence[float]) -> Figures:
    """Figures of Σ 2^((t − newest)/h) for each of HALF_LIVES."""
    logarithms = (
        newest / (DAY * half_life) + math.log2(total) for half_life, total in zip(HALF_LIVES, sums, strict=True)
    )
    return Figures(viewers, tuple(logarithms))


def grows(moves: Sequence[Move]) -> bool:
    """Whether nobody's moment becomes an earlier one, or none."""
    return all(new is not None and (old is None or old <= new) for old, new in moves)


def add_up(moves: Sequence[Move]) -> tuple[int, list[float]]:
    """How many persons come to a movie by moves that grow, and log₂ of what comes to its sum for each of HALF_LIVES."""
    before = [old for old, _ in moves if old is not None]
    after = [new for _, new in moves if new is not None]
    top = max(after)
    added = []
    for half_life in HALF_LIVES:
        scale = DAY * half_life
        total = sum(2.0 ** ((new - top) / scale) for new in after) - sum(2.0 ** ((old - top) / scale) for old in before)
        added.append(top / scale + math.log2(total) if total > 0 else -math.inf)
    return len(after) - len(before), added


def move_figures(before: Figures, moves: Sequence[Move]) -> Figures | None:
    """Figures after some persons' moments changed; None if only counting the movie again is exact enough."""
    viewers = before.viewers + sum((new is not None) - (old is not None) for old, new in moves)
    figures = before.recent or (-math.inf,) * len(HALF_LIVES)
    recent = [
        _move_figure(figure, _logarithms(moves, half_life))
        for half_life, figure in zip(HALF_LIVES, figures, strict=True)
    ]
    shrunk = before.shrunk + max(0.0, *(old - new for old, new in zip(figures, recent, strict=True)))
    exact = viewers > 0 and min(recent) > -math.inf and shrunk <= MOST_SHRUNK
    return Figures(viewers, tuple(recent), shrunk) if exact else None


def _move_figure(figure: float, masses: Sequence[tuple[float, float]]) -> float:
    """Minus infinity if nobody is left, or if somebody who leaves was not in it."""
    top = max((figure, *(new for _, new in masses)))
    if top == -math.inf or any(old > figure + TOLERANCE for old, _ in masses):
        return -math.inf
    total = 2.0 ** (figure - top) + math.fsum(2.0 ** (new - top) - 2.0 ** (old - top) for old, new in masses)
    return top + math.log2(total) if total > 0 else -math.inf


def _logarithms(moves: Sequence[Move], half_life: int) -> list[tuple[float, float]]:
    """Of what the moments before and after add to a sum."""
    scale = DAY * half_life
    return [
        (-math.inf if old is None else old / scale, -math.inf if new is None else new / scale) for old, new in moves
    ]
