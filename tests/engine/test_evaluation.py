"""Metrics against cases worked out by hand."""

from itertools import combinations
from math import inf, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from engine.evaluation import (
    estimate_mean,
    find_hits,
    mean_popularity,
    measure_coverage,
    measure_overlap,
    measure_users,
)

MOVIES = 20


def lists(*rows: list[int], length: int = 4) -> np.ndarray:
    return np.array([row + [-1] * (length - len(row)) for row in rows], dtype=np.int64)


def marked(*rows: list[int]) -> csr_array:
    matrix = np.zeros((len(rows), MOVIES))
    for user, row in enumerate(rows):
        matrix[user, row] = 1
    return csr_array(matrix)


# Ranked, to be found, k: recall (Liang), recall (LightGCN), NDCG, HR, MRR, MAP.
CASES = [
    ([7, 3, 9], [7, 3, 9], 3, 1, 1, 1, 1, 1, 1),
    ([7, 3, 9], [4], 3, 0, 0, 0, 0, 0, 0),
    ([7, 3, 9], [3], 3, 1, 1, 1 / log2(3), 1, 1 / 2, 1 / 2),
    ([7, 3, 9], [9, 5], 3, 1 / 2, 1 / 2, (1 / 2) / (1 + 1 / log2(3)), 1, 1 / 3, (1 / 3) / 2),
    ([7, 3, 9], [7, 9, 5, 6, 8], 3, 2 / 3, 2 / 5, 1.5 / (1.5 + 1 / log2(3)), 1, 1, (1 + 2 / 3) / 3),
    ([7, 3, 9], [9], 2, 0, 0, 0, 0, 0, 0),
    ([7], [9, 7], 3, 1 / 2, 1 / 2, 1 / (1 + 1 / log2(3)), 1, 1, 1 / 2),
    ([7], [9, 7], 15, 1 / 2, 1 / 2, 1 / (1 + 1 / log2(3)), 1, 1, 1 / 2),
    ([], [9], 3, 0, 0, 0, 0, 0, 0),
]


@pytest.mark.parametrize(
    ("ranked", "relevant", "k", "capped", "uncapped", "ndcg", "hit", "reciprocal", "average"), CASES
)
def test_metrics_by_hand(
    ranked: list[int],
    relevant: list[int],
    k: int,
    capped: float,
    uncapped: float,
    ndcg: float,
    hit: float,
    reciprocal: float,
    average: float,
) -> None:
    # Another user before, so that one row taken for the other is found out.
    found = measure_users(lists([1, 2], ranked), marked([2], relevant), (k,))
    assert {name: values[1] for name, values in found.items()} == pytest.approx(
        {f"recall@{k}": capped, f"ndcg@{k}": ndcg, f"hr@{k}": hit, f"mrr@{k}": reciprocal, f"map@{k}": average}
    )
    loose = measure_users(lists([1, 2], ranked), marked([2], relevant), (k,), capped=False)
    assert loose[f"recall@{k}"][1] == pytest.approx(uncapped)
    assert loose[f"ndcg@{k}"][1] == pytest.approx(ndcg)


def test_a_place_that_is_empty_is_no_hit() -> None:
    # -1 of the second user would be the first user's last movie.
    assert find_hits(lists([3], []), marked([3, MOVIES - 1], [0])).tolist() == [[True] + [False] * 3, [False] * 4]


@given(
    st.permutations(range(12)),
    st.sets(st.integers(0, 15), min_size=1),
    st.integers(1, 20),
    st.sampled_from([True, False]),
)
def test_metrics_stay_in_bounds_and_prefer_hits_first(order: list[int], wanted: set[int], k: int, capped: bool) -> None:
    better = sorted(order, key=lambda movie: movie not in wanted)
    ranked = np.array([order, better])
    for values in measure_users(ranked, marked(sorted(wanted), sorted(wanted)), (k,), capped=capped).values():
        assert 0 <= values[0] <= values[1] + 1e-12 <= 1 + 1e-9


def test_users_without_relevant_movies_do_not_count() -> None:
    found = measure_users(lists([1, 2], [3, 4], [5, 6]), marked([1], [], [7]), (2,))
    estimate = estimate_mean(found["recall@2"])
    assert (estimate.mean, estimate.users) == (0.5, 2)
    assert estimate.half_width == pytest.approx(1.96 * sqrt(0.5) / sqrt(2))
    with pytest.raises(ValueError, match="no user"):
        estimate_mean(measure_users(lists([1], [2]), marked([], []), (2,))["ndcg@2"])


def test_several_cutoffs_at_once() -> None:
    found = measure_users(lists([1, 2, 3]), marked([3]), (1, 3))
    assert (found["hr@1"][0], found["hr@3"][0]) == (0, 1)


def test_interval() -> None:
    estimate = estimate_mean(np.array([0.1, 0.4, np.nan, 0.4, 0.7]))
    assert (estimate.mean, estimate.users) == (pytest.approx(0.4), 4)
    assert estimate.half_width == pytest.approx(1.96 * sqrt(0.06) / 2)
    assert str(estimate) == "0.4000 ± 0.2400"
    assert estimate_mean(np.array([0.3])).half_width == inf


def test_coverage_and_its_jackknife() -> None:
    ranked = lists([0, 2, 3, 5], [1, 2], [2, 4], [1])
    estimate = measure_coverage(ranked, MOVIES)
    assert (estimate.mean, estimate.users) == (6 / MOVIES, 4)
    # Leaving out one user after the other: 3, 6, 5, 6 movies are left.
    left = np.array([3, 6, 5, 6]) / MOVIES
    assert estimate.half_width == pytest.approx(1.96 * sqrt(3 / 4 * ((left - left.mean()) ** 2).sum()))
    assert measure_coverage(ranked[:2], MOVIES).half_width == pytest.approx(1.96 * sqrt(1 / 2 * 2) / MOVIES)
    assert measure_coverage(ranked[:1], MOVIES).half_width == inf


def test_popularity_of_what_is_recommended() -> None:
    shares = np.linspace(0.05, 1, MOVIES)
    values = mean_popularity(lists([2, 4], [10], [0], []), shares)
    assert values[:3] == pytest.approx([0.2, 0.55, 0.05])
    assert np.isnan(values[3])


def test_overlap_is_the_mean_over_all_pairs_of_users() -> None:
    """Also where a list is not full."""
    random = np.random.default_rng(5)
    ranked = np.array([random.choice(12, 4, replace=False) for _ in range(9)])
    ranked[2, 1:] = -1
    sets = [set(row.tolist()) - {-1} for row in ranked]
    pairs = [len(one & other) / 4 for one, other in combinations(sets, 2)]
    found = measure_overlap(ranked, 4)
    assert found.mean == pytest.approx(np.mean(pairs))
    means = [np.mean([len(one & other) / 4 for j, other in enumerate(sets) if j != i]) for i, one in enumerate(sets)]
    assert found.half_width == pytest.approx(2 * 1.96 * np.std(means, ddof=1) / 3)
    assert measure_overlap(np.tile(np.arange(4), (3, 1)), 4).mean == 1
    assert np.isnan(measure_overlap(ranked[:1], 4).mean)
