"""Choosing a serving rule: the numbers with which most of what people watched next is found, on windows of time.

From the defaults, and from the best of a few blends, one number at a time is moved, and a move counts only where the
gain is more than its standard error: little data keeps what it began with. Of all values of the dial that cost next to
nothing the most personal one is taken.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from engine.baselines import Floats
from engine.evaluation import Estimate, Values, estimate_by_user, find_hits, ndcg_at
from engine.history import weigh_history
from engine.interactions import Columns, Interactions
from engine.protocols import Task
from engine.recency import Recency, measure_recency
from engine.scoring import rank_by_rule, sum_tastes
from graph.recency import HALF_LIVES
from graph.serving_rule import ServingRule

FIRST_LENGTH, ALL_LENGTH = 10, 20
DIAL = tuple(step / 20 for step in range(21))
# A more personal list, or a shorter history, may cost so much of the best accuracy, its interval included.
TOLERANCE = 0.01
# What stars count in a history, and a finished movie without stars.
STARS: tuple[tuple[tuple[float, ...], float], ...] = (
    ((0.0, 0.0, 0.0, 0.0, 0.0, 0.35, 0.5, 1.0, 1.0, 1.2), 0.7),
    ((0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0), 1.0),
    ((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0), 0.7),
    ((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), 0.7),
)
GRID: Mapping[str, tuple[Any, ...]] = {
    "half_life": HALF_LIVES,
    "current": DIAL[::2],
    "tastes": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
    "popularity_offset": (0.001, 0.003, 0.01, 0.03, 0.1, 1.0, 100.0),
    # Not less: after a silence of years, one viewing would decide what everybody is offered.
    "long_run": (10.0, 30.0, 100.0, 300.0, 1000.0),
    "place_boost": (0.0, 1.0, 4.0, 16.0, 64.0, 256.0),
    "place_decay": (0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    "stars": STARS,
}
HISTORY_LIMITS = (50, 100, 200, 500)
# Blends of what is current and tastes that differ in several numbers (current, tastes, popularity_offset), from the
# history alone on: a walk, one number at a time, does not get from one to the other.
BLENDS = tuple(product((0.0, 0.2, 0.4), (3.0, 30.0, 300.0), (0.003, 0.03, 100.0)))


@dataclass(frozen=True)
class Window:
    """Some users at a moment, and what they watched after it that was new to them.

    `history`: what they had rated. `weights`: item-item weights, source x target, learned before the moment. `recency`:
    what was current at it. `targets`: users x movies, all that is to be found. `first`: the first of each user's, where
    there is an order. `users`: whom the rows stand for, for intervals.
    """

    history: Interactions
    weights: csr_array | Floats
    recency: Recency
    targets: csr_array
    first: csr_array | None
    users: Columns

    @classmethod
    def of(cls, task: Task, weights: csr_array | Floats, most: int | None = None) -> Self:
        """A task's users who have a history and something to find, at most `most` of them."""
        every = task.relevant if task.all_relevant is None else task.all_relevant
        asked = np.flatnonzero(task.has_history & (np.diff(every.indptr) > 0))
        if most is not None:
            asked = asked[:: math.ceil(len(asked) / most) or 1]
        first = None if task.all_relevant is None else csr_array(task.relevant[asked])
        recency = measure_recency(task.training)
        return cls(task.history.take_users(asked), weights, recency, csr_array(every[asked]), first, task.users[asked])

    def measure(self, rule: ServingRule) -> Values:
        """Accuracy by a rule: NDCG@20 of all that each user watched; where there is an order the mean of that and of
        NDCG@10 of the first of it."""
        ranked = self._rank(rule)
        whole = measure_ndcg(ranked, self.targets, ALL_LENGTH)
        return whole if self.first is None else (whole + measure_ndcg(ranked, self.first, FIRST_LENGTH)) / 2

    def measure_first(self, rule: ServingRule) -> Values:
        """NDCG@10 of the first movie that each user watched; of all of them where there is no order."""
        return measure_ndcg(self._rank(rule), self.targets if self.first is None else self.first, FIRST_LENGTH)

    def _rank(self, rule: ServingRule) -> Columns:
        return rank_by_rule(self._tastes(rule), self.recency, rule, self.history.stars, ALL_LENGTH)

    def _tastes(self, rule: ServingRule) -> csr_array:
        """Tastes by the rule's history; those of the rule asked for last are kept."""
        key = (rule.rated, rule.finished, rule.place_boost, rule.place_decay, rule.history_limit)
        if key not in self._kept:
            self._kept.clear()
            self._kept[key] = sum_tastes(weigh_history(self.history, rule), self.weights)
        return self._kept[key]

    @cached_property
    def _kept(self) -> dict[tuple[Any, ...], csr_array]:
        return {}


@dataclass(frozen=True)
class Choice:
    """A chosen rule, and the accuracy of each value of the dial, with its difference from the best."""

    rule: ServingRule
    curve: tuple[tuple[float, Estimate, Estimate], ...]


def choose_rule(windows: Sequence[Window], start: ServingRule = ServingRule()) -> Choice:
    """The best rule for some windows, walking from `start` and from the best blend; without anybody to ask it stays."""
    if not sum(len(window.users) for window in windows):
        return Choice(start, ())
    walked = [_walk(windows, start), _walk(windows, _blend(windows, start))]
    rule = max(walked, key=lambda one: _mean(windows, one))
    rule = _find_frugal(windows, [replace(rule, history_limit=limit) for limit in HISTORY_LIMITS])[0]
    rule = _walk(windows, rule)
    dialled = [replace(rule, current=value) for value in DIAL]
    personal, curve = _find_frugal(windows, dialled)
    return Choice(personal, tuple((one.current, *own) for one, own in zip(dialled, curve, strict=True)))


def measure_rule(windows: Sequence[Window], rule: ServingRule) -> Values:
    """Accuracy by a rule of each user of each window."""
    return np.concatenate([window.measure(rule) for window in windows])


def measure_ndcg(ranked: Columns, relevant: csr_array, length: int) -> Values:
    """NDCG at a length of each user, all of whom have something to find."""
    return ndcg_at(find_hits(ranked, relevant), np.minimum(length, np.diff(relevant.indptr)), length)


def _blend(windows: Sequence[Window], rule: ServingRule) -> ServingRule:
    """The rule with the best of BLENDS."""
    blended = [replace(rule, current=dial, tastes=tastes, popularity_offset=offset) for dial, tastes, offset in BLENDS]
    return max(blended, key=lambda one: _mean(windows, one))


def _mean(windows: Sequence[Window], rule: ServingRule) -> float:
    return float(measure_rule(windows, rule).mean())


def _helps(gain: Values) -> bool:
    """Whether users gain more than the mean's standard error."""
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)) and gain.mean() > 0)


def _walk(windows: Sequence[Window], rule: ServingRule) -> ServingRule:
    """Moves one number after the other for as long as that helps by more than chance."""
    best = measure_rule(windows, rule)
    moving = True
    while moving:
        moving = False
        for name in GRID:
            for moved in _moves(rule, name):
                values = measure_rule(windows, moved)
                if _helps(values - best):
                    rule, best, moving = moved, values, True
    return rule


def _moves(rule: ServingRule, name: str) -> Iterator[ServingRule]:
    """The rule with other values of one number: a step or two away, or any other where they have no order."""
    values = GRID[name]
    if name == "stars":
        own = rule.rated, rule.finished
        yield from (replace(rule, rated=rated, finished=finished) for rated, finished in values if own[0] != rated)
        return
    place = int(np.argmin([abs(value - getattr(rule, name)) for value in values]))
    reach = len(values) if name == "half_life" else 2
    for other, value in enumerate(values):
        if 0 < abs(other - place) <= reach:
            yield replace(rule, **{name: value})


def _find_frugal(
    windows: Sequence[Window], rules: Sequence[ServingRule]
) -> tuple[ServingRule, list[tuple[Estimate, Estimate]]]:
    """The first rule that is not worse than the best by more than TOLERANCE, its interval included.

    And of each rule its accuracy and the difference from the best.
    """
    users = np.concatenate([window.users for window in windows])
    measured = [measure_rule(windows, rule) for rule in rules]
    best = max(measured, key=lambda values: float(values.mean()))
    curve = [(estimate_by_user(values, users), estimate_by_user(values - best, users)) for values in measured]
    least = -TOLERANCE * float(best.mean())
    for rule, (_, difference) in zip(rules, curve, strict=True):
        if difference.mean >= 0 or difference.mean - difference.half_width >= least:
            return rule, curve
    raise AssertionError("the best rule is as good as itself")
