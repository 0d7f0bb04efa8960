"""How predicted stars are judged."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from engine.interactions import Interactions
from engine.protocols import ProtocolError
from engine.stars import StarsParameters
from engine.stars_evaluation import (
    Tally,
    calibrate,
    describe_tally,
    evaluate_stars,
    root_mean_square,
    split_folds,
    split_probe,
)


def draw_ratings() -> Interactions:
    """Users and movies that shift the stars, and tastes of two kinds."""
    rng = np.random.default_rng(1)
    liking = 3 + rng.normal(0, 0.4, (90, 1)) + rng.normal(0, 0.4, (1, 30))
    liking += np.where(rng.integers(0, 2, (90, 1)) == rng.integers(0, 2, (1, 30)), 0.7, -0.7)
    stars = csr_array(np.where(rng.random((90, 30)) < 0.5, np.clip(np.rint(2 * liking) / 2, 0.5, 5), 0))
    return Interactions(csr_array(stars.astype(np.float32)), np.zeros(stars.nnz, dtype=np.int64))


def test_each_rating_is_predicted_once_from_all_other_folds() -> None:
    ratings = draw_ratings()
    tasks = list(split_folds(ratings, 4))
    pairs = [(u, m, s) for task in tasks for u, m, s in zip(task.users, task.movies, task.stars, strict=True)]
    whole = ratings.stars.tocoo()
    assert sorted(pairs) == sorted(zip(whole.row, whole.col, whole.data, strict=True))
    for task in tasks:
        assert task.training.nnz + len(task.stars) == ratings.stars.nnz
        assert (task.training[task.users, task.movies] == 0).all()


def test_the_probe_set_is_predicted_from_the_rest() -> None:
    ratings = draw_ratings()
    probe = np.arange(ratings.stars.nnz) % 7 == 0
    [task] = split_probe(ratings, probe)
    assert task.stars.tolist() == ratings.stars.data[probe].tolist()
    assert task.training.data.tolist() == ratings.stars.data[~probe].tolist()
    with pytest.raises(ProtocolError, match="no probe set"):
        list(split_probe(ratings, np.zeros_like(probe)))


def test_ours_knows_more_than_the_baseline_and_says_how_sure_it_is() -> None:
    tallies, stars = evaluate_stars(list(split_folds(draw_ratings(), 3)), StarsParameters(neighbours=20))
    errors = {tally.model: np.sqrt(((tally.predicted - stars) ** 2).mean()) for tally in tallies}
    assert errors["STARS (ours)"] < 0.9 * errors["baseline"]
    assert errors["SVD with biases (Surprise)"] < errors["baseline"]
    rows = {tally.model: describe_tally(tally, stars) for tally in tallies}
    assert rows["baseline"]["in the interval"] == ""
    assert 0.7 < float(rows["STARS (ours)"]["in the interval"].split(" ± ")[0]) < 0.95


def test_a_row_by_hand() -> None:
    tally = Tally("by hand", np.array([3.0, 4.0, 5.0, 2.0]), np.array([1.0, 1.0, 0.5, 0.1]))
    row = describe_tally(tally, np.array([3.0, 3.0, 3.0, 2.0]))
    assert row["RMSE"].startswith("1.1180 ± ")
    assert row["MAE"].startswith("0.7500 ± ")
    assert row["in the interval"].startswith("0.7500 ± ")


def test_the_interval_of_the_error_covers_it() -> None:
    """Of many samples, 95 in 100 intervals hold the true error."""
    rng = np.random.default_rng(3)
    held = [abs((found := root_mean_square(rng.normal(0, 1, 400))).mean - 1) <= found.half_width for _ in range(500)]
    assert 0.92 < np.mean(held) < 0.98


def test_calibration_groups_by_what_is_predicted() -> None:
    predicted = np.linspace(1, 5, 100)
    found = calibrate(predicted, predicted[::-1].copy())
    assert len(found) == 10
    assert found[0]["predicted"] == pytest.approx(predicted[:10].mean())
    assert found[0]["given"] == pytest.approx(predicted[-10:].mean())
    assert found[0]["halfWidth"] > 0


def test_too_few_ratings_are_told() -> None:
    ratings = Interactions(csr_array(np.eye(3, dtype=np.float32)), np.zeros(3, dtype=np.int64))
    with pytest.raises(ProtocolError, match="3 ratings cannot be cut into 5 folds"):
        list(split_folds(ratings))
