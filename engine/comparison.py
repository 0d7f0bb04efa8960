"""Models side by side: each tuned on validation tasks, measured once on the test tasks of the same splits."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from engine.baselines import Floats
from engine.evaluation import (
    Estimate,
    Values,
    estimate_by_user,
    estimate_mean,
    mean_popularity,
    measure_coverage,
    measure_overlap,
)
from engine.interactions import Columns, Interactions
from engine.models import NEIGHBOURS, PLACE_BOOST, SLIM, ItemModel, Model, Parameters
from engine.protocols import Protocol, Task
from graph.repositories.recommendations import HistoryWeights

Progress = Callable[[str], object]
# The lists that the traversal gives for a task, weights (source x target) and what the history counts, by their names.
Serve = Callable[[Task, csr_array, HistoryWeights], Mapping[str, Columns]]


# Shares are from 0 to 1, and nobody has less than one neighbour or more than all.
LIMITS: Mapping[str, tuple[float, ...]] = {
    **dict.fromkeys(("far_share", "b", "alpha"), (0.0, 1.0)),
    "neighbours": (NEIGHBOURS[0], NEIGHBOURS[-1]),
}


@dataclass
class Tally:
    """What was measured of one model: values of each user of the data, a row a task, nan where none was measured.

    Coverage, overlap and popularity are of the lists of those who have a history.
    """

    model: str
    protocol: Protocol
    values: dict[str, list[Values]] = field(default_factory=dict)
    coverage: list[Estimate] = field(default_factory=list)
    overlap: list[Estimate] = field(default_factory=list)
    parameters: list[Parameters] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)

    def add(self, task: Task, users: int, ranked: Columns) -> None:
        """Measure the lists of a task; the data has so many users."""
        for name, values in self.protocol.measure(ranked, task).items():
            self.record(name, task, users, values)
        training, length = task.training, self.protocol.cutoffs[0]
        known = np.count_nonzero(np.diff(training.stars.indptr))
        shares = np.bincount(training.stars.indices, minlength=training.movies) / known
        popularity = mean_popularity(ranked[:, :length], shares)
        self.record("popularity", task, users, np.where(task.has_history, popularity, np.nan))
        personal = ranked[task.has_history, :length]
        self.coverage.append(measure_coverage(personal, training.movies))
        self.overlap.append(measure_overlap(personal, length))

    def record(self, name: str, task: Task, users: int, values: Values) -> None:
        """Remember a value of each of a task's users."""
        row = np.full(users, np.nan)
        row[task.users] = values
        self.values.setdefault(name, []).append(row)

    def estimate(self, name: str) -> Estimate:
        """The mean as the protocol weighs it, with its interval over users."""
        return self._mean(np.array(self.values[name]))

    def compare(self, other: "Tally", name: str) -> Estimate:
        """The same for this model less another, paired by user and task."""
        return self._mean(np.array(self.values[name]) - np.array(other.values[name]))

    def _mean(self, values: Values) -> Estimate:
        if not self.protocol.by_task:
            return estimate_mean(_mean_over_splits(values))
        known = ~np.isnan(values)
        return estimate_by_user(values[known], np.nonzero(known)[1])


def compare_models(
    ratings: Interactions,
    protocol: Protocol,
    models: Sequence[Model | ItemModel],
    seeds: int,
    serve: Serve | None = None,
    progress: Progress = lambda _: None,
) -> list[Tally]:
    """Each model on the same splits, with parameters chosen split by split on its validation task.

    With `serve` the weights of SLIM are ranked by the traversal too. A model that chooses its own parameters from what
    a task lets it learn has an empty grid.
    """
    tallies = {model.name: Tally(model.name, protocol) for model in models}
    count = max(protocol.cutoffs)
    for seed in range(seeds):
        split = protocol.split(ratings, seed)
        for model in models:
            progress(f"split {seed + 1} of {seeds}: {model.name}")
            parameters = tune(model, split.validation, protocol)
            tally = tallies[model.name]
            tally.parameters.append(parameters)
            tally.edges.extend(find_edges(model.grid, parameters))
            for task in split.test:
                lists = _rank_each_way(model, task, count, parameters, serve)
                for name, ranked in lists.items():
                    tally = tallies.setdefault(name, Tally(name, protocol))
                    tally.add(task, ratings.users, ranked)
                    same = (ranked == lists[model.name])[:, : protocol.cutoffs[0]].all(axis=1)
                    tally.record("same", task, ratings.users, same.astype(np.float64))
    return list(tallies.values())


def _rank_each_way(
    model: Model | ItemModel, task: Task, count: int, parameters: Parameters, serve: Serve | None
) -> dict[str, Columns]:
    """A model's lists, and those of the traversal with its weights, by name."""
    if not (isinstance(model, ItemModel) and model.key == SLIM.key and serve):
        return {model.name: model.rank(task, count, parameters)}
    weights = model.fit_to(task, parameters)
    served = serve(task, csr_array(weights), model.weights_of_history(parameters))
    return {model.name: model.rank_with(weights, task, count, parameters), **served}


def describe(tally: Tally, tallies: Sequence[Tally], protocol: Protocol) -> dict[str, Any]:
    """One row of the table: every figure, and how much ours is ahead by the protocol's criterion."""
    ours = next((other for other in tallies if other.model == SLIM.name), None)
    names = [name for name in tally.values if name != "same"]
    row: dict[str, Any] = {"model": tally.model, **{name: str(tally.estimate(name)) for name in names}}
    row["asked"] = int(np.count_nonzero(~np.isnan(np.array(tally.values[protocol.criterion]))))
    row["coverage"], row["overlap"] = (str(_mean_of(one)) for one in (tally.coverage, tally.overlap))
    row["ours less"] = str(ours.compare(tally, protocol.criterion)) if ours else ""
    row["same list"] = f"{tally.estimate('same').mean:.2%}"
    row["at an edge"] = ", ".join(f"{name} x{count}" for name, count in Counter(tally.edges).items())
    row["parameters"] = [dict(parameters) for parameters in tally.parameters]
    return row


def tune(model: Model | ItemModel, tasks: Sequence[Task], protocol: Protocol) -> Parameters:
    """Parameters of the model's grid with the best criterion on validation tasks, all of whose users count alike.

    Walks from the model's usual ones, one parameter at a time and one step after the other, until no step leads higher:
    far fewer fits than the whole grid.
    """
    known: dict[tuple[int, ...], float] = {}
    ranks = [_rank_fitting_once(model, task, protocol.cutoffs[0]) for task in tasks]

    def criterion(place: tuple[int, ...]) -> float:
        if place not in known:
            parameters = {**model.parameters, **_parameters(model.grid, place)}
            lists = zip(tasks, (rank(parameters) for rank in ranks), strict=True)
            values = [protocol.measure(ranked, task)[protocol.criterion] for task, ranked in lists]
            known[place] = estimate_mean(np.concatenate(values)).mean
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


def _mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Mean over the tasks, as wide as these on average."""
    means, widths = ([getattr(one, part) for one in estimates] for part in ("mean", "half_width"))
    return Estimate(float(np.mean(means)), float(np.mean(widths)), estimates[0].users)


def _mean_over_splits(values: Values) -> Values:
    """Mean of each user over the splits (rows) that have one; nan for users whom none has."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
