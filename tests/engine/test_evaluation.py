"""Splits and metrics against cases worked out by hand."""

from math import inf, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation import estimate_mean, group_by_user, measure_rankings, ndcg_at, recall_at, split_random


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("ratings", "test"), [(1, 0), (4, 0), (5, 1), (9, 1), (10, 2), (14, 2), (15, 3), (100, 20)])
def test_split_takes_a_fifth_of_each_user(ratings: int, test: int) -> None:
    users = np.random.default_rng(0).permutation(np.repeat([70, 3, 11], [ratings, 5, 8]))
    mask = split_random(users, seed=1)
    assert mask[users == 70].sum() == test
    assert mask[users == 3].sum() == 1
    assert mask[users == 11].sum() == 1


def test_split_takes_at_least_one_of_five() -> None:
    users = np.repeat([1, 2], [4, 6])
    mask = split_random(users, seed=0, share=0.05)
    assert (mask[users == 1].sum(), mask[users == 2].sum()) == (0, 1)


def test_split_follows_the_seed_alone() -> None:
    users = np.repeat(np.arange(20), 30)
    assert np.array_equal(split_random(users, seed=4), split_random(users, seed=4))
    assert not np.array_equal(split_random(users, seed=4), split_random(users, seed=5))
    chosen = np.mean([split_random(users, seed=seed) for seed in range(300)], axis=0)
    assert np.abs(chosen - 0.2).max() < 0.1  # every rating has the same chance


def test_split_of_nothing() -> None:
    assert split_random(ids(), seed=0).tolist() == []


def test_group_by_user() -> None:
    found = group_by_user(ids(2, 0, 2, 3), ids(9, 8, 7, 6), 5)
    assert [own.tolist() for own in found] == [[8], [], [9, 7], [6], []]
    assert group_by_user(ids(), ids(), 0) == []


@pytest.mark.parametrize(
    ("ranked", "relevant", "k", "recall", "ndcg"),
    [
        (ids(7, 3, 9), ids(7, 3, 9), 3, 1, 1),
        (ids(7, 3, 9), ids(4), 3, 0, 0),
        (ids(7, 3, 9), ids(3), 3, 1, 1 / log2(3)),
        (ids(7, 3, 9), ids(9, 5), 3, 1 / 2, (1 / 2) / (1 + 1 / log2(3))),
        (ids(7, 3, 9), ids(7, 9, 5, 6, 8), 3, 2 / 3, (1 + 1 / 2) / (1 + 1 / log2(3) + 1 / 2)),
        (ids(7, 3, 9), ids(9), 2, 0, 0),
        (ids(7, -1, -1), ids(9, 7), 3, 1 / 2, 1 / (1 + 1 / log2(3))),
        (ids(7), ids(9, 7), 20, 1 / 2, 1 / (1 + 1 / log2(3))),
        (ids(), ids(9), 20, 0, 0),
    ],
)
def test_metrics_by_hand(ranked: np.ndarray, relevant: np.ndarray, k: int, recall: float, ndcg: float) -> None:
    assert recall_at(ranked, relevant, k) == pytest.approx(recall)
    assert ndcg_at(ranked, relevant, k) == pytest.approx(ndcg)


@given(st.permutations(range(12)), st.sets(st.integers(0, 15), min_size=1), st.integers(1, 20))
def test_metrics_stay_in_bounds_and_prefer_hits_first(order: list[int], wanted: set[int], k: int) -> None:
    ranked, relevant = ids(*order), ids(*sorted(wanted))
    better = ids(*sorted(order, key=lambda movie: movie not in wanted))
    for measure in (recall_at, ndcg_at):
        assert 0 <= measure(ranked, relevant, k) <= measure(better, relevant, k) + 1e-12 <= 1 + 1e-9


def test_users_without_relevant_movies_do_not_count() -> None:
    ranked = np.array([[1, 2], [3, 4], [5, 6]])
    accuracy = measure_rankings(ranked, [ids(1), ids(), ids(7)], k=2)
    assert (accuracy.recall.mean, accuracy.recall.users) == (0.5, 2)
    assert accuracy.ndcg.mean == 0.5
    assert accuracy.recall.half_width == pytest.approx(1.96 * sqrt(0.5) / sqrt(2))
    with pytest.raises(ValueError, match="no user"):
        measure_rankings(ranked, [ids(), ids(), ids()], k=2)


def test_lists_of_any_length_are_measured() -> None:
    accuracy = measure_rankings([ids(1, 2, 3), ids(), ids(4)], [ids(3), ids(1), ids(4)], k=3)
    assert accuracy.recall.mean == pytest.approx(2 / 3)
    with pytest.raises(ValueError):
        measure_rankings([ids(1)], [ids(1), ids(2)], k=3)


def test_interval() -> None:
    estimate = estimate_mean(np.array([0.1, 0.4, 0.4, 0.7]))
    assert estimate.mean == pytest.approx(0.4)
    assert estimate.half_width == pytest.approx(1.96 * sqrt(0.06) / 2)
    assert estimate_mean(np.array([0.3])).half_width == inf
