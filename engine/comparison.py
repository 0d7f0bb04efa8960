"""Models side by side: each tuned on validation tasks, measured once on the test tasks of the same splits."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.evaluation import (
    Estimate,
    Values,
    estimate_by_user,
    estimate_mean,
    mean_popularity,
    measure_coverage,
    measure_overlap,
)
from engine.grid import Grid, Parameters, walk_grid
from engine.interactions import Columns, Interactions
from engine.models import COMPARED, NEIGHBOURS, ItemModel, MissingPackagesError, Model, require_packages
from engine.ours import OURS, Learned, OurModel
from engine.protocols import Protocol, Split, Task
from graph.serving_rule import ServingRule

logger = logging.getLogger(__name__)

Progress = Callable[[str], object]
AnyModel = Model | ItemModel | OurModel
# The traversal's lists of so many movies for a task, with weights and a rule.
Serve = Callable[[Task, Learned, int], Columns]

# All that can be compared, ours last.
MODELS: Mapping[str, AnyModel] = {**COMPARED, OURS.key: OURS}
SERVED = "ours, served"

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


def choose_models(keys: Sequence[str] = ()) -> list[AnyModel]:
    """The models of these keys, or all but those whose packages are not installed.

    Raises MissingPackagesError at once, not after hours, if one is asked for that cannot run.
    """
    models = []
    for key in keys or MODELS:
        try:
            require_packages(MODELS[key].name, MODELS[key].packages)
        except MissingPackagesError as error:
            if keys:
                raise
            logger.warning("left out: %s", error)
        else:
            models.append(MODELS[key])
    return models


def compare_models(
    ratings: Interactions,
    protocol: Protocol,
    models: Sequence[AnyModel],
    seeds: int,
    serve: Serve | None = None,
    progress: Progress = lambda _: None,
    *,
    tuned: bool = True,
) -> list[Tally]:
    """Each model on the same splits, with parameters chosen split by split on its validation tasks, if `tuned`.

    Ours chooses what it serves by in any case: on a timeline by itself, from what a task lets it learn. With `serve` it
    is ranked by the traversal too.
    """
    tallies = {model.name: Tally(model.name, protocol) for model in models}
    for seed in range(seeds):
        split = protocol.split(ratings, seed)
        for model in models:
            progress(f"split {seed + 1} of {seeds}: {model.name}")
            chosen: list[Mapping[str, Any]] = []
            for task, lists, parameters in _rank(model, split, protocol, serve, tuned=tuned):
                if parameters not in chosen:
                    chosen.append(parameters)
                for name, ranked in lists.items():
                    tally = tallies.setdefault(name, Tally(name, protocol))
                    tally.add(task, ratings.users, ranked)
                    same = (ranked == lists[model.name])[:, : protocol.cutoffs[0]].all(axis=1)
                    tally.record("same", task, ratings.users, same.astype(np.float64))
            own = tallies[model.name]
            own.parameters.extend(chosen)
            own.edges.extend(name for one in chosen for name in find_edges(model.grid, one) if tuned)
    return list(tallies.values())


# A task, the lists for it by name, and the parameters that made them.
Ranked = Iterator[tuple[Task, dict[str, Columns], Mapping[str, Any]]]


def _rank(model: AnyModel, split: Split, protocol: Protocol, serve: Serve | None, *, tuned: bool) -> Ranked:
    if isinstance(model, OurModel):
        yield from _rank_ours(model, split, protocol, serve, tuned=tuned)
        return
    parameters = tune(model, split.validation, protocol) if tuned else model.parameters
    for task in split.test:
        yield task, {model.name: model.rank(task, max(protocol.cutoffs), parameters)}, parameters


def _rank_ours(model: OurModel, split: Split, protocol: Protocol, serve: Serve | None, *, tuned: bool) -> Ranked:
    parameters, count = model.item.parameters, max(protocol.cutoffs)
    rule: ServingRule | None = None
    if not protocol.by_task:
        parameters, rule = model.tune(split.validation, fixed=not tuned)
    for task in split.test:
        learned = model.learn(task, parameters, rule)
        lists = {model.name: learned.rank(task, count)}
        if serve:
            lists[SERVED] = serve(task, learned, count)
        yield task, lists, {**parameters, **learned.rule.to_properties()}


def describe(tally: Tally, tallies: Sequence[Tally], protocol: Protocol) -> dict[str, Any]:
    """One row of the table: every figure, and how much ours is ahead by the protocol's criterion."""
    ours = next((other for other in tallies if other.model == OURS.name), None)
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
    """Parameters of the model's grid with the best criterion on validation tasks, all of whose users count alike."""

    def criterion(parameters: Parameters) -> float:
        ranked = (model.rank(task, protocol.cutoffs[0], parameters) for task in tasks)
        values = [protocol.measure(own, task)[protocol.criterion] for task, own in zip(tasks, ranked, strict=True)]
        return estimate_mean(np.concatenate(values)).mean

    return walk_grid(model.grid, model.parameters, criterion)


def find_edges(grid: Grid, parameters: Mapping[str, Any]) -> list[str]:
    """Parameters whose value is at the grid's edge, better ones may lie beyond; a limit of its meaning is none."""
    return [
        name
        for name, values in grid.items()
        if parameters[name] in (values[0], values[-1]) and parameters[name] not in LIMITS.get(name, ())
    ]


def _mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Mean over the tasks, as wide as these on average."""
    means, widths = ([getattr(one, part) for one in estimates] for part in ("mean", "half_width"))
    return Estimate(float(np.mean(means)), float(np.mean(widths)), estimates[0].users)


def _mean_over_splits(values: Values) -> Values:
    """Mean of each user over the splits (rows) that have one; nan for users whom none has."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
