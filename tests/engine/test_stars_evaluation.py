"""How predicted stars are judged."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from engine.interactions import Interactions
from engine.protocols import ProtocolError
from engine.stars import StarsParameters
from engine.stars_evaluation import (
    Tally,
    Truth,
    calibrate,
    compare_root_mean_squares,
    describe_tally,
    estimate_by_user,
    evaluate_stars,
    root_mean_square,
    split_folds,
    split_probe,
    split_time,
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
        assert task.training.stars.nnz + len(task.stars) == ratings.stars.nnz
        assert (task.training.stars[task.users, task.movies] == 0).all()


def test_the_probe_set_is_predicted_from_the_rest() -> None:
    ratings = draw_ratings()
    probe = np.arange(ratings.stars.nnz) % 7 == 0
    [task] = split_probe(ratings, probe)
    assert task.stars.tolist() == ratings.stars.data[probe].tolist()
    assert task.training.stars.data.tolist() == ratings.stars.data[~probe].tolist()
    with pytest.raises(ProtocolError, match="no probe set"):
        list(split_probe(ratings, np.zeros_like(probe)))


def test_what_came_after_a_cut_is_predicted_from_what_came_before() -> None:
    ratings = draw_ratings()
    moments = np.random.default_rng(2).integers(0, 200, ratings.stars.nnz)
    ratings = Interactions(ratings.stars, moments)
    tasks = list(split_time(ratings, (0.5, 0.8)))
    assert len(tasks) == 2
    for task in tasks:
        assert task.moments is not None
        assert task.training.at.max() < task.moments.min()
    first, second = tasks
    assert first.moments is not None
    assert second.moments is not None
    assert first.moments.max() < second.moments.min()
    assert second.training.stars.nnz == first.training.stars.nnz + len(first.stars)
    assert second.training.stars.nnz + len(second.stars) == ratings.stars.nnz
    with pytest.raises(ProtocolError, match="too many are of one moment"):
        list(split_time(draw_ratings()))


SMALL = StarsParameters(neighbours=20)


def test_ours_knows_more_than_the_baseline_and_says_how_sure_it_is() -> None:
    tallies, truth = evaluate_stars(list(split_folds(draw_ratings(), 3)), SMALL)
    errors = {tally.model: np.sqrt(((tally.predicted - truth.stars) ** 2).mean()) for tally in tallies}
    assert errors["STARS (ours)"] < 0.9 * errors["baseline"]
    assert errors["SVD (Surprise)"] < errors["baseline"]
    assert errors["SVD++ (Surprise)"] < 1.05 * errors["baseline"]
    rows = {tally.model: describe_tally(tally, tallies[-1], truth) for tally in tallies}
    assert rows["baseline"]["in the interval"] == ""
    assert 0.74 < float(rows["STARS (ours)"]["in the interval"].split(" ± ")[0]) < 0.86
    less, half_width = (float(part) for part in rows["baseline"]["ours less (RMSE)"].split(" ± "))
    assert less == pytest.approx(errors["STARS (ours)"] - errors["baseline"], abs=1e-4)
    assert 0 < half_width < -less


def test_live_histories_know_what_came_between() -> None:
    """Users who are not known before the cut: only a history that goes on tells of their bias."""
    rng = np.random.default_rng(4)
    liking = np.clip(3 + rng.normal(0, 0.8, (120, 1)) + rng.normal(0, 0.3, (1, 30)), 0.5, 5).astype(np.float32)
    stars = csr_array(np.where(rng.random((120, 30)) < 0.5, liking, 0))
    ratings = Interactions(stars, np.arange(stars.nnz, dtype=np.int64) * 1000)  # one user after the other
    tallies, truth = evaluate_stars(list(split_time(ratings, (0.7,))), SMALL, with_factorisations=False)
    errors = {tally.model: np.sqrt(((tally.predicted - truth.stars) ** 2).mean()) for tally in tallies}
    assert errors["STARS (ours), live histories"] < 0.7 * errors["STARS (ours)"]


def test_a_row_by_hand() -> None:
    tally = Tally("by hand", np.array([3.0, 4.0, 5.0, 2.0]), np.array([1.0, 1.0, 0.5, 0.1]))
    row = describe_tally(tally, tally, Truth(np.arange(4), np.array([3.0, 3.0, 3.0, 2.0])))
    assert row["ours less (RMSE)"] == "0.0000 ± 0.0000"
    assert row["RMSE"].startswith("1.1180 ± ")
    assert row["MAE"].startswith("0.7500 ± ")
    assert row["in the interval"].startswith("0.7500 ± ")


def draw_errors(rng: np.random.Generator, users: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Errors of users who have more and less predictable tastes, and some many more ratings than others."""
    own = np.repeat(np.arange(users), rng.integers(1, 60, users))
    return own, (rng.normal(0, 0.5, users)[own] + rng.normal(0, 1, len(own))) * rng.choice([0.7, 1.3], users)[own]


def test_the_interval_of_the_error_covers_it() -> None:
    """Of many samples, 95 in 100 intervals hold the true error, though a user's ratings are alike."""
    rng = np.random.default_rng(3)
    true = np.sqrt((0.5**2 + 1) * (0.7**2 + 1.3**2) / 2)
    held, naive = [], []
    for _ in range(500):
        users, errors = draw_errors(rng)
        found = root_mean_square(errors, users)
        held.append(abs(found.mean - true) <= found.half_width)
        naive.append(abs(found.mean - true) <= root_mean_square(errors, np.arange(len(errors))).half_width)
    assert 0.9 < np.mean(held) < 0.98
    assert np.mean(naive) < 0.75  # as if each rating were another user's


def test_the_interval_of_a_difference_covers_it() -> None:
    """Of two models that are equally good and often wrong together, hardly any is said to be better."""
    rng = np.random.default_rng(4)
    held, shares = [], []
    for _ in range(300):
        users, errors = draw_errors(rng)
        one, other = (errors + rng.normal(0, 0.3, 100)[users] for _ in range(2))
        found = compare_root_mean_squares(one, other, users)
        held.append(abs(found.mean) <= found.half_width)
        shares.append(found.half_width / root_mean_square(one, users).half_width)
    assert 0.9 < np.mean(held) < 0.98
    assert np.mean(shares) < 0.8  # the pairs have much in common


def test_a_users_ratings_are_one_observation() -> None:
    values = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0])
    found = estimate_by_user(values, np.array([3, 3, 3, 8, 8, 8, 8]))
    assert (found.mean, found.users) == (pytest.approx(19 / 7), 2)
    own = 3 * (1 - 19 / 7)  # the other user's sum is as far above
    assert found.half_width == pytest.approx(1.96 * np.sqrt(2 * 2 * own**2) / 7)
    assert estimate_by_user(values, np.zeros(7, dtype=np.int64)).half_width == np.inf


def test_calibration_groups_by_what_is_predicted() -> None:
    predicted, users = np.linspace(1, 5, 100), np.arange(100) // 2
    found = calibrate(predicted, Truth(users, predicted[::-1].copy()))
    assert len(found) == 10
    assert found[0]["predicted"] == pytest.approx(predicted[:10].mean())
    assert found[0]["given"] == pytest.approx(predicted[-10:].mean())
    own = estimate_by_user(predicted[-10:], users[:10])
    assert found[0]["halfWidth"] == pytest.approx(own.half_width)
    assert own.half_width > 0


def test_the_matrix_factorisations_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.models.find_spec", lambda name: None)  # as if Surprise were not installed
    tasks = list(split_folds(draw_ratings(), 2))
    tallies, _ = evaluate_stars(tasks, StarsParameters(neighbours=5), with_factorisations=False)
    assert [tally.model for tally in tallies] == ["baseline", "baseline with habits (ours)", "STARS (ours)"]


def test_too_few_ratings_are_told() -> None:
    ratings = Interactions(csr_array(np.eye(3, dtype=np.float32)), np.zeros(3, dtype=np.int64))
    with pytest.raises(ProtocolError, match="3 ratings cannot be cut into 5 folds"):
        list(split_folds(ratings))
