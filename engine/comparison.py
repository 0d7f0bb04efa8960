"""Models side by side: each tuned on validation tasks, measured once on the test tasks of the same splits."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from engine.baselines import Floats
from engine.evaluation import Estimate, Values, estimate_mean, mean_popularity, measure_coverage, measure_users
from engine.interactions import Columns, Interactions
from engine.models import NEIGHBOURS, PLACE_BOOST, SLIM, ItemModel, Model, Parameters
from engine.protocols import Protocol, Task
from graph.repositories.recommendations import HistoryWeights

Progress = Callable[[str], object]
# The lists that the traversal gives for a task, weights (source x target) and what the history counts, by their names.
Serve = Callable[[Task, csr_array, HistoryWeights], Mapping[str, Columns]]


# Shares are from 0 to 1, and nobody has less than one neighbour or more than all.
LIMITS: Mapping[str, tuple[float, ...]] = {"far_share": (0.0, 1.0), "neighbours": (NEIGHBOURS[0], NEIGHBOURS[-1])}


@dataclass
class Tally:
    """What was measured of one model: values of each user of the data, a row a split, nan where none was measured."""

    model: str
    values: dict[str, list[Values]] = field(default_factory=dict)
    coverage: list[Estimate] = field(default_factory=list)
    parameters: list[Parameters] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)

    def add(self, task: Task, users: int, ranked: Columns, protocol: Protocol) -> None:
        """Measure the lists of a task; the data has so many users."""
        shares = np.bincount(task.training.stars.indices, minlength=task.training.movies) / task.training.users
        measured = measure_users(ranked, task.relevant, protocol.cutoffs, capped=protocol.capped)
        longest = ranked[:, : protocol.cutoffs[0]]
        measured["popularity"] = mean_popularity(longest, shares)
        for name, values in measured.items():
            self.record(name, task, users, values)
        self.coverage.append(measure_coverage(longest, task.training.movies))

    def record(self, name: str, task: Task, users: int, values: Values) -> None:
        """Remember a value of each of a task's users."""
        row = np.full(users, np.nan)
        row[task.users] = values
        self.values.setdefault(name, []).append(row)

    def estimate(self, name: str) -> Estimate:
        """Mean over users of each one's mean over the splits, with its interval over users."""
        return estimate_mean(self._means(name))

    def compare(self, other: "Tally", name: str) -> Estimate:
        """The same for this model less another, paired by user and split."""
        return estimate_mean(_mean_over_splits(np.array(self.values[name]) - np.array(other.values[name])))

    def estimate_coverage(self) -> Estimate:
        """Mean over the splits."""
        means, widths = zip(*((one.mean, one.half_width) for one in self.coverage), strict=True)
        return Estimate(float(np.mean(means)), float(np.mean(widths)), self.coverage[0].users)

    def _means(self, name: str) -> Values:
        return _mean_over_splits(np.array(self.values[name]))


def compare_models(
    ratings: Interactions,
    protocol: Protocol,
    models: Sequence[Model | ItemModel],
    seeds: int,
    serve: Serve | None = None,
    progress: Progress = lambda _: None,
) -> list[Tally]:
    """Each model on the same splits, with parameters chosen split by split on its validation task.

    With `serve` the weights of SLIM are ranked by the traversal too.
    """
    tallies = {model.name: Tally(model.name) for model in models}
    count = max(protocol.cutoffs)
    for seed in range(seeds):
        split = protocol.split(ratings, seed)
        for model in models:
            progress(f"split {seed + 1} of {seeds}: {model.name}")
            parameters = tune(model, split.validation, protocol)
            tally = tallies[model.name]
            tally.parameters.append(parameters)
            tally.edges.extend(find_edges(model.grid, parameters))
            lists = {}
            if isinstance(model, ItemModel) and model.key == SLIM.key and serve:
                weights = model.fit_to(split.test, parameters)
                lists[model.name] = model.rank_with(weights, split.test, count, parameters)
                lists |= serve(split.test, csr_array(weights), model.weights_of_history(parameters))
            else:
                lists[model.name] = model.rank(split.test, count, parameters)
            for name, ranked in lists.items():
                tally = tallies.setdefault(name, Tally(name))
                tally.add(split.test, ratings.users, ranked, protocol)
                same = (ranked == lists[model.name])[:, : protocol.cutoffs[0]].all(axis=1)
                tally.record("same", split.test, ratings.users, same.astype(np.float64))
    return list(tallies.values())


def describe(tally: Tally, tallies: Sequence[Tally], protocol: Protocol) -> dict[str, Any]:
    """One row of the table: every figure, and how much ours is ahead by the protocol's criterion."""
    ours = next((other for other in tallies if other.model == SLIM.name), None)
    names = [name for name in tally.values if name != "same"]
    row: dict[str, Any] = {"model": tally.model, **{name: str(tally.estimate(name)) for name in names}}
    row["coverage"] = str(tally.estimate_coverage())
    row["ours less"] = str(ours.compare(tally, protocol.criterion)) if ours else ""
    row["same list"] = f"{tally.estimate('same').mean:.2%}"
    row["at an edge"] = ", ".join(f"{name} x{count}" for name, count in Counter(tally.edges).items())
    row["parameters"] = [dict(parameters) for parameters in tally.parameters]
    return row


def tune(model: Model | ItemModel, task: Task, protocol: Protocol) -> Parameters:
    """Parameters of the model's grid with the best criterion on a validation task.

    Walks from the model's usual ones, one parameter at a time and one step after the other, until no step leads higher:
    far fewer fits than the whole grid.
    """
    known: dict[tuple[int, ...], float] = {}
    k = protocol.cutoffs[0]
    rank = _rank_fitting_once(model, task, k)

    def criterion(place: tuple[int, ...]) -> float:
        if place not in known:
            ranked = rank({**model.parameters, **_parameters(model.grid, place)})
            measured = measure_users(ranked, task.relevant, (k,), capped=protocol.capped)
            known[place] = estimate_mean(measured[protocol.criterion]).mean
        return known[place]

    best = tuple(values.index(model.parameters[name]) for name, values in model.grid.items())
    while True:
        before = best
        for step in _steps(model.grid):
            while (following := _move(model.grid, best, step)) and criterion(following) > criterion(best):
                best = following
        if best == before:
            return {**model.parameters, **_parameters(model.grid, best)}


def _rank_fitting_once(model: Model | ItemModel, task: Task, k: int) -> Callable[[Parameters], Columns]:
    """Ranks by parameters; where only what the history counts has changed, with the weights that were fitted last."""
    if not isinstance(model, ItemModel):
        return partial(model.rank, task, k)
    last: list[tuple[Parameters, csr_array | Floats]] = []

    def rank(parameters: Parameters) -> Columns:
        learned = {name: value for name, value in parameters.items() if name != PLACE_BOOST}
        if not last or last[0][0] != learned:
            last[:] = [(learned, model.fit_to(task, parameters))]
        return model.rank_with(last[0][1], task, k, parameters)

    return rank


def find_edges(grid: Mapping[str, tuple[float, ...]], parameters: Parameters) -> list[str]:
    """Parameters whose value is at the grid's edge, better ones may lie beyond; a limit of its meaning is none."""
    return [
        name
        for name, values in grid.items()
        if parameters[name] in (values[0], values[-1]) and parameters[name] not in LIMITS.get(name, ())
    ]


def _parameters(grid: Mapping[str, tuple[float, ...]], place: tuple[int, ...]) -> Parameters:
    return {name: values[at] for (name, values), at in zip(grid.items(), place, strict=True)}


def _steps(grid: Mapping[str, tuple[float, ...]]) -> Iterator[tuple[int, int]]:
    return ((position, by) for position in range(len(grid)) for by in (-1, 1))


def _move(
    grid: Mapping[str, tuple[float, ...]], place: tuple[int, ...], step: tuple[int, int]
) -> tuple[int, ...] | None:
    """The place a step further, None beyond the grid."""
    position, by = step
    moved = (*place[:position], place[position] + by, *place[position + 1 :])
    return moved if 0 <= moved[position] < len(list(grid.values())[position]) else None


def _mean_over_splits(values: Values) -> Values:
    """Mean of each user over the splits (rows) that have one; nan for users whom none has."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
