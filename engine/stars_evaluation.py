"""Predicted stars in the Netflix Prize's own measure, beside a baseline's and matrix factorisations'."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.evaluation import Estimate, Values, estimate_by_user
from engine.interactions import Columns, Interactions, Mask
from engine.models import require_packages
from engine.protocols import ProtocolError
from engine.star_choice import choose_parameters, describe_parameters
from engine.stars import NEVER, StarsParameters, fit_stars

FOLDS = 5
# Shares of all ratings before the cuts of the timeline; the last part ends with the last rating.
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
BASELINE, HABITS, OURS, LIVE = "baseline", "baseline with habits (ours)", "STARS (ours)", "STARS (ours), live histories"
# Drawn so strongly to 0 that there is no such habit.
NO_HABIT = 1e9
# Predictions are told in so many groups of equal size, lowest first.
CALIBRATION_GROUPS = 10


@dataclass(frozen=True)
class StarsTask:
    """What is learned from, and the pairs of row and column whose stars are to be predicted.

    On the timeline: `moments` of the pairs, and `all_ratings`, of which those before a pair's moment are known by then.
    """

    training: Interactions
    users: Columns
    movies: Columns
    stars: Values
    moments: Columns | None = None
    all_ratings: Interactions | None = None


@dataclass(frozen=True)
class Truth:
    """What was to be predicted in all tasks: the row of each pair's user, and the true stars."""

    users: Columns
    stars: Values


@dataclass(frozen=True)
class Tally:
    """Predictions of one model for the pairs of all tasks, and half the width of each interval (nan: there is none)."""

    model: str
    predicted: Values
    margin: Values


def split_folds(ratings: Interactions, folds: int = FOLDS, seed: int = 0) -> Iterator[StarsTask]:
    """Each rating is to be predicted once, from all that are in other folds than it."""
    if ratings.stars.nnz < folds:
        raise ProtocolError(f"{ratings.stars.nnz} ratings cannot be cut into {folds} folds")
    fold = np.random.default_rng(seed).permutation(ratings.stars.nnz) % folds
    for number in range(folds):
        yield _task(ratings, fold == number, fold != number)


def split_probe(ratings: Interactions, probe: Mask) -> Iterator[StarsTask]:
    """The Netflix Prize's probe set is to be predicted, and not learned from."""
    if not probe.any() or probe.all():
        raise ProtocolError("the staged ratings have no probe set: --folds cuts them at random")
    yield _task(ratings, probe, ~probe)


def split_time(ratings: Interactions, shares: Sequence[float] = CUTS) -> Iterator[StarsTask]:
    """Each rating after the first cut is to be predicted once, from all before the last cut that it comes after.

    Cuts of one moment are one cut. Raises ProtocolError if there is none with ratings before it.
    """
    moments = np.sort(ratings.at)
    places = [int(share * len(moments)) for share in shares] if len(moments) else []
    if not (cuts := sorted({int(moments[place]) for place in places if moments[place] > moments[0]})):
        raise ProtocolError("the ratings cannot be cut by time: too many are of one moment")
    for begin, end in itertools.pairwise([*cuts, NEVER]):
        before, asked = ratings.at < begin, (ratings.at >= begin) & (ratings.at < end)
        yield replace(_task(ratings, asked, before), moments=ratings.at[asked], all_ratings=ratings)


def evaluate_stars(
    tasks: list[StarsTask],
    start: StarsParameters,
    tell: Callable[[str], object] = lambda _: None,
    *,
    with_factorisations: bool = True,
) -> tuple[list[Tally], Truth]:
    """Predictions of the baseline, the matrix factorisations and ours for all tasks, ours last, and the true stars.

    All parameters are chosen within what is learned from: ours task by task, the factorisations' in the first one.
    """
    parts: dict[str, list[tuple[Values, Values]]] = {}
    factorisations = []
    if with_factorisations:
        require_packages("a matrix factorisation", ("surprise",))
        from engine.star_factorisations import choose_factorisations

        factorisations = choose_factorisations(tasks[0].training, tell)
    for number, task in enumerate(tasks, start=1):
        found = {}
        for name, predict in factorisations:
            tell(f"{name}: fitting {number} of {len(tasks)}")
            predicted = predict(task.training.stars, task.users, task.movies)
            found[name] = predicted, np.full(len(predicted), np.nan)
        tell(f"ours: fitting {number} of {len(tasks)}")
        for name, own in {**found, **predict_ours(task, start, tell)}.items():
            parts.setdefault(name, []).append(own)
    tallies = [
        Tally(name, *(np.concatenate(values) for values in zip(*own, strict=True))) for name, own in parts.items()
    ]
    truth = Truth(np.concatenate([task.users for task in tasks]), np.concatenate([task.stars for task in tasks]))
    return tallies, truth


def predict_ours(
    task: StarsTask, start: StarsParameters, tell: Callable[[str], object]
) -> dict[str, tuple[Values, Values]]:
    """Stars and margins of the baseline, with and without habits, and of the whole model, which is the last.

    On the timeline the model is asked twice: knowing what it learned from, and what was rated before each moment.
    """
    choice = choose_parameters(task.training, start, tell)
    tell(f"chosen: {describe_parameters(choice.parameters)}, margin {choice.margin:.3f}")
    training, pairs, nothing = task.training, (task.users, task.movies, task.moments), np.empty(0, dtype=np.int64)
    plain = replace(choice.parameters.baseline, scale_ridge=NO_HABIT, popularity_ridge=NO_HABIT)
    found = {}
    for name, parameters in {
        BASELINE: replace(choice.parameters, baseline=plain, half_life=None),
        HABITS: choice.parameters,
    }.items():
        predicted = fit_stars(training.stars, parameters, targets=nothing).predict(training, *pairs)
        found[name] = predicted.stars, np.full(len(task.stars), np.nan)
    model = fit_stars(training.stars, choice.parameters)
    histories = {} if task.all_ratings is None else {LIVE: task.all_ratings}
    for name, known in {**histories, OURS: training}.items():
        predicted = model.predict(known, *pairs)
        found[name] = predicted.stars, choice.margin * predicted.deviation
    return found


def describe_tally(tally: Tally, ours: Tally, truth: Truth) -> dict[str, Any]:
    """One row of the table; the interval's share counts ratings between `low` and `high` (.8 is meant).

    `ours less`: our RMSE less this one's, paired by rating; below 0 where ours is better.
    """
    errors = tally.predicted - truth.stars
    told = ~np.isnan(tally.margin)
    inside = np.abs(errors[told]) <= tally.margin[told]
    return {
        "model": tally.model,
        "RMSE": str(root_mean_square(errors, truth.users)),
        "MAE": str(estimate_by_user(np.abs(errors), truth.users)),
        "in the interval": str(estimate_by_user(inside.astype(np.float64), truth.users[told])) if told.any() else "",
        "ours less (RMSE)": str(compare_root_mean_squares(ours.predicted - truth.stars, errors, truth.users)),
    }


def root_mean_square(errors: Values, users: Columns) -> Estimate:
    """RMSE with its 95 % interval over users, by the delta method."""
    squares = estimate_by_user(errors**2, users)
    root = float(np.sqrt(squares.mean))
    return Estimate(root, squares.half_width / (2 * root) if root else 0.0, squares.users)


def compare_root_mean_squares(errors: Values, others: Values, users: Columns) -> Estimate:
    """RMSE of errors less that of others of the same ratings, with the interval of that difference."""
    root, other = (float(np.sqrt((own**2).mean())) for own in (errors, others))
    if not root or not other:
        return Estimate(root - other, float("nan"), 0)
    halves = estimate_by_user(errors**2 / (2 * root) - others**2 / (2 * other), users)
    return Estimate(root - other, halves.half_width, halves.users)


def calibrate(predicted: Values, truth: Truth) -> list[dict[str, float]]:
    """Groups of equal size by predicted stars: the mean prediction, the mean of the true stars, and its half width."""
    groups = np.array_split(np.argsort(predicted, kind="stable"), CALIBRATION_GROUPS)
    told = [(group, estimate_by_user(truth.stars[group], truth.users[group])) for group in groups if len(group)]
    return [
        {"predicted": float(predicted[group].mean()), "given": given.mean, "halfWidth": given.half_width}
        for group, given in told
    ]


def _task(ratings: Interactions, hidden: Mask, learned: Mask) -> StarsTask:
    users, movies = ratings.user_of_each()[hidden], ratings.stars.indices[hidden].astype(np.int64)
    return StarsTask(ratings.select(learned), users, movies, ratings.stars.data[hidden].astype(np.float64))
