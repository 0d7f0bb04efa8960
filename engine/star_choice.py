"""Choosing the parameters of predicted stars, and the width of their interval, on the ratings at hand.

What does not move with time is chosen on a tenth of the ratings, hidden at random, by a walk over fixed grids, one
parameter after the other, from the defaults on. A step is taken if it lowers the squared error by more than its
standard error, so that few ratings keep the defaults. The interval's margin is such that four of five of these ratings
are within it. How fast a user's bias moves is chosen on the timeline: on the newest tenth, each rating predicted at its
own moment from what the user had rated before it, as it is served.

The work is bounded: of many ratings only those of some users, drawn at random, are looked at; of many movies only some
get the regressions that are compared, over fewer candidates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from engine.interactions import Columns, Interactions, Mask
from engine.star_baseline import BaselineParameters
from engine.star_kernels import Doubles
from engine.stars import StarsModel, StarsParameters, fit_stars

RATINGS = 1_000_000
HIDDEN_SHARE = 0.1
# Fewer hidden ratings decide nothing.
LEAST_HIDDEN = 100
TARGETS, CANDIDATES = 500, 100
# Each rating of the timeline is asked for at its own moment, with a history of its own.
MOMENTS = 3_000
ROUNDS = 2
WITHIN = 0.8
# What holds as much of a normal distribution.
NORMAL_MARGIN = 1.2816

BASELINE_GRID: Mapping[str, Sequence[float]] = {
    "movie_ridge": (0.5, 1, 2, 3, 5, 8, 12),
    "user_ridge": (0.5, 1, 2, 3, 5, 8, 12),
    "scale_ridge": (2, 4, 8, 16, 32, 64),
    "popularity_ridge": (5, 10, 20, 40, 80, 160, 320),
}
NEIGHBOURS_GRID: Mapping[str, Sequence[float]] = {
    "ridge": (2, 4, 8, 16, 32, 64, 128),
    "exponent": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
}
HALF_LIVES = (300, 3_600, 86_400, 30 * 86_400, 365 * 86_400)  # seconds
NEWEST_RIDGES = (3, 10, 30)
OF_BASELINE = {entry.name for entry in fields(BaselineParameters)}

# What a model's parameters give: squared errors of the hidden ratings, in one order.
Judge = Callable[[StarsParameters], Doubles]


@dataclass(frozen=True)
class Choice:
    """Parameters, and how many deviations four of five ratings are within; `basis`: what they were chosen on."""

    parameters: StarsParameters
    margin: float
    basis: str


@dataclass(frozen=True)
class Hidden:
    """Ratings hidden from a fit: `learned` is learned from, `known` is what is known of the users when asked.

    `moments`: when each is asked for; None: at no moment in particular.
    """

    learned: Interactions
    known: Interactions
    users: Columns
    movies: Columns
    stars: Doubles
    moments: Columns | None

    def measure(self, model: StarsModel) -> tuple[Doubles, Doubles]:
        """How far off each prediction is, and how far off it is thought to be."""
        predicted = model.predict(self.known, self.users, self.movies, self.moments)
        return predicted.stars - self.stars, predicted.deviation

    def fit(self, parameters: StarsParameters, targets: Columns | None = None) -> StarsModel:
        """A model of what is not hidden; `targets`: the movies that get neighbours."""
        return fit_stars(self.learned.stars, parameters, targets=targets)

    def of_movies(self, movies: Columns) -> "Hidden":
        """The hidden ratings of some movies."""
        return self._take(np.flatnonzero(np.isin(self.movies, movies)))

    def sample(self, count: int, rng: np.random.Generator) -> "Hidden":
        """At most so many of the hidden ratings, at random."""
        return self._take(rng.permutation(len(self.stars))[:count])

    def _take(self, places: Columns) -> "Hidden":
        moments = None if self.moments is None else self.moments[places]
        return replace(
            self, users=self.users[places], movies=self.movies[places], stars=self.stars[places], moments=moments
        )


def choose_parameters(
    ratings: Interactions,
    start: StarsParameters,
    tell: Callable[[str], object] = lambda _: None,
    seed: int = 0,
) -> Choice:
    """The parameters for these ratings: those of the grids are chosen, the others stay as in `start`."""
    rng = np.random.default_rng(seed)
    ratings = _sample_users(ratings, rng)
    hidden = hide(ratings, rng.random(ratings.stars.nnz) < HIDDEN_SHARE)
    if len(hidden.stars) < LEAST_HIDDEN:
        return Choice(start, NORMAL_MARGIN, "the defaults, since there are too few ratings to choose on")
    tell(f"choosing parameters on {len(hidden.stars):,} of {ratings.stars.nnz:,} ratings, hidden at random")
    chosen = _choose_neighbours(hidden, _choose_baseline(hidden, start), rng)
    errors, deviation = hidden.measure(hidden.fit(chosen))
    margin = float(np.quantile(np.abs(errors) / deviation, WITHIN))
    basis = f"{len(hidden.stars):,} ratings hidden at random"
    newest = ratings.at >= np.quantile(ratings.at, 1 - HIDDEN_SHARE)
    if not LEAST_HIDDEN <= newest.sum() <= ratings.stars.nnz / 2:
        return Choice(chosen, margin, f"{basis}; there is no timeline")
    later = hide(ratings, newest, live=True).sample(MOMENTS, rng)
    tell(f"choosing how fast biases move on {len(later.stars):,} of the newest {newest.sum():,} ratings")
    return Choice(_choose_newest(later, chosen), margin, f"{basis}, and {len(later.stars):,} of the newest")


def describe_parameters(parameters: StarsParameters) -> dict[str, float | None]:
    """All that is chosen, by name."""
    named = {**asdict(parameters.baseline), **asdict(parameters)}
    return {name: named[name] for name in (*BASELINE_GRID, *NEIGHBOURS_GRID, "half_life", "newest_ridge")}


def hide(ratings: Interactions, mask: Mask, *, live: bool = False) -> Hidden:
    """Hide the ratings of a mask. `live`: each is asked for at its moment, from all that was rated before it."""
    learned = ratings.select(~mask)
    return Hidden(
        learned,
        ratings if live else learned,
        ratings.user_of_each()[mask],
        ratings.stars.indices[mask].astype(np.int64),
        ratings.stars.data[mask].astype(np.float64),
        ratings.at[mask] if live else None,
    )


def _sample_users(ratings: Interactions, rng: np.random.Generator) -> Interactions:
    """The ratings of some users, at most RATINGS (or one user's); of all users where there are not more."""
    if ratings.stars.nnz <= RATINGS:
        return ratings
    users = rng.permutation(ratings.users)
    fitting = np.searchsorted(np.cumsum(np.diff(ratings.stars.indptr)[users]), RATINGS)
    return ratings.take_users(np.sort(users[: max(fitting, 1)]))


def _choose_baseline(hidden: Hidden, start: StarsParameters) -> StarsParameters:
    nothing = np.empty(0, dtype=np.int64)
    return _walk(start, BASELINE_GRID, lambda own: hidden.measure(hidden.fit(own, nothing))[0] ** 2, hidden.users)


def _choose_neighbours(hidden: Hidden, start: StarsParameters, rng: np.random.Generator) -> StarsParameters:
    """On movies that are drawn as often as they are rated."""
    _, first = np.unique(drawn := rng.permutation(hidden.movies), return_index=True)
    targets = drawn[np.sort(first)[:TARGETS]]
    part = hidden.of_movies(targets)
    compared = replace(start, candidates=min(start.candidates, CANDIDATES))
    chosen = _walk(compared, NEIGHBOURS_GRID, lambda own: part.measure(part.fit(own, targets))[0] ** 2, part.users)
    return replace(chosen, candidates=start.candidates)


def _choose_newest(hidden: Hidden, start: StarsParameters) -> StarsParameters:
    """The best of all pairs of a half-life and a ridge, if it is better than none."""
    model = hidden.fit(start, np.empty(0, dtype=np.int64))
    choices = [replace(start, half_life=life, newest_ridge=ridge) for life in HALF_LIVES for ridge in NEWEST_RIDGES]
    without, *errors = (hidden.measure(replace(model, parameters=own))[0] ** 2 for own in (start, *choices))
    best = int(np.argmin([own.mean() for own in errors]))
    return choices[best] if _is_better(errors[best], without, hidden.users) else start


def _walk(start: StarsParameters, grid: Mapping[str, Sequence[float]], judge: Judge, users: Columns) -> StarsParameters:
    """One parameter after the other, up or down its grid for as long as that is better."""
    chosen, least = start, judge(start)
    for _ in range(ROUNDS):
        before = chosen
        for name, values in grid.items():
            for step in (1, -1):
                moved = True
                while moved and (tried := _move(chosen, name, values, step)) is not None:
                    errors = judge(tried)
                    if moved := _is_better(errors, least, users):
                        chosen, least = tried, errors
        if chosen == before:
            break
    return chosen


def _move(parameters: StarsParameters, name: str, values: Sequence[float], step: int) -> StarsParameters | None:
    """The parameters with the next value of one, None at the grid's end."""
    owner = parameters.baseline if name in OF_BASELINE else parameters
    now = getattr(owner, name)
    beyond = [value for value in values if (value - now) * step > 0]
    if not beyond:
        return None
    changed: Any = {name: min(beyond, key=lambda value: abs(value - now))}
    if name in OF_BASELINE:
        return replace(parameters, baseline=replace(parameters.baseline, **changed))
    return replace(parameters, **changed)


def _is_better(errors: Doubles, others: Doubles, users: Columns) -> bool:
    """Whether squared errors are lower by more than a standard error, a user's ratings being one observation."""
    gains = others - errors
    spread = np.sqrt((np.bincount(users, gains - gains.mean()) ** 2).sum())
    return bool(gains.sum() > spread)
