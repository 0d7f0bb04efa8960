"""Predicted stars in the Netflix Prize's own measure, beside the baseline's and a matrix factorisation's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import surprise
from scipy.sparse import csr_array

from engine.evaluation import Estimate, Values, estimate_by_user
from engine.interactions import Columns, Interactions, Mask
from engine.protocols import ProtocolError
from engine.stars import StarsParameters, fit_stars
from graph.repositories.stars import INTERVAL

FOLDS = 5
BASELINE, SVD_NAME, OURS = "baseline", "SVD with biases (Surprise)", "STARS (ours)"
# The best of a grid on a validation fold inside the first fold's training part of the sample (docs/evaluation.md).
SVD = {"n_factors": 200, "n_epochs": 100, "lr_all": 0.01, "reg_all": 0.1}
SVD_SEED = 1
# Predictions are told in so many groups of equal size, lowest first.
CALIBRATION_GROUPS = 10


@dataclass(frozen=True)
class StarsTask:
    """What is learned from, and the pairs of row and column whose stars are to be predicted."""

    training: csr_array
    users: Columns
    movies: Columns
    stars: Values


@dataclass(frozen=True)
class Truth:
    """What was to be predicted in all tasks: the row of each pair's user, and the true stars."""

    users: Columns
    stars: Values


@dataclass(frozen=True)
class Tally:
    """Predictions of one model for the pairs of all tasks, and how far off they are thought to be (nan: not told)."""

    model: str
    predicted: Values
    deviation: Values


def split_folds(ratings: Interactions, folds: int = FOLDS, seed: int = 0) -> Iterator[StarsTask]:
    """Each rating is to be predicted once, from all that are in other folds than it."""
    if ratings.stars.nnz < folds:
        raise ProtocolError(f"{ratings.stars.nnz} ratings cannot be cut into {folds} folds")
    fold = np.random.default_rng(seed).permutation(ratings.stars.nnz) % folds
    for number in range(folds):
        yield _task(ratings, fold == number)


def split_probe(ratings: Interactions, probe: Mask) -> Iterator[StarsTask]:
    """The Netflix Prize's probe set is to be predicted, and not learned from."""
    if not probe.any() or probe.all():
        raise ProtocolError("the staged ratings have no probe set: --folds cuts them at random")
    yield _task(ratings, probe)


def evaluate_stars(
    tasks: list[StarsTask],
    parameters: StarsParameters,
    tell: Callable[[str], object] = lambda _: None,
    *,
    with_svd: bool = True,
) -> tuple[list[Tally], Truth]:
    """The baseline's, the matrix factorisation's and our predictions for all tasks, ours last, and the true stars."""
    parts: dict[str, list[tuple[Values, Values]]] = {}
    for number, task in enumerate(tasks, start=1):
        tell(f"fitting {number} of {len(tasks)}")
        model, pairs = fit_stars(task.training, parameters), (task.training, task.users, task.movies)
        baseline = np.clip(model.predict_baseline(*pairs), model.low, model.high)
        found = {BASELINE: (baseline, np.full(len(baseline), np.nan))}
        if with_svd:
            found[SVD_NAME] = predict_svd(task)
        found[OURS] = model.predict(*pairs), model.deviation(*pairs)
        for name, own in found.items():
            parts.setdefault(name, []).append(own)
    tallies = [
        Tally(name, *(np.concatenate(values) for values in zip(*own, strict=True))) for name, own in parts.items()
    ]
    truth = Truth(np.concatenate([task.users for task in tasks]), np.concatenate([task.stars for task in tasks]))
    return tallies, truth


def predict_svd(task: StarsTask) -> tuple[Values, Values]:
    """Surprise's SVD: Funk's matrix factorisation, with biases."""
    training = task.training.tocoo()
    reader = surprise.Reader(rating_scale=(float(training.data.min()), float(training.data.max())))
    table = pd.DataFrame({"user": training.row, "movie": training.col, "stars": training.data.astype(np.float64)})
    model = surprise.SVD(**SVD, random_state=SVD_SEED)
    model.fit(surprise.Dataset.load_from_df(table, reader).build_full_trainset())
    pairs = zip(task.users.tolist(), task.movies.tolist(), strict=True)
    return np.array([model.predict(user, movie).est for user, movie in pairs]), np.full(len(task.users), np.nan)


def describe_tally(tally: Tally, ours: Tally, truth: Truth) -> dict[str, Any]:
    """One row of the table; the interval's share counts ratings between `low` and `high` (.8 is meant).

    `ours less`: our RMSE less this one's, paired by rating; below 0 where ours is better.
    """
    errors = tally.predicted - truth.stars
    told = ~np.isnan(tally.deviation)
    inside = np.abs(errors[told]) <= INTERVAL * tally.deviation[told]
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


def _task(ratings: Interactions, hidden: Mask) -> StarsTask:
    users, movies = ratings.user_of_each()[hidden], ratings.stars.indices[hidden].astype(np.int64)
    return StarsTask(ratings.select(~hidden).stars, users, movies, ratings.stars.data[hidden].astype(np.float64))
