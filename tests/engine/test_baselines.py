"""The baselines and the ranking against plain numpy."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import engine.baselines
from engine.baselines import (
    build_weights,
    count_popularity,
    fit_ease,
    order_by_recency,
    rank_by_popularity,
    rank_by_weights,
)
from engine.similarity import Similarities


def random_positives(seed: int, users: int = 60, movies: int = 23) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (generator.random((users, movies)) < generator.uniform(0.05, 0.5, movies)).astype(np.float32)


def rank_by_brute_force(scores: np.ndarray, seen: np.ndarray, count: int) -> np.ndarray:
    ranked = np.full((len(scores), count), -1)
    for user, row in enumerate(scores):
        able = [movie for movie in range(len(row)) if not seen[user, movie] and row[movie] != 0]
        best = sorted(able, key=lambda movie: (-row[movie], movie))[:count]
        ranked[user, : len(best)] = best
    return ranked


@pytest.mark.parametrize("ridge", [1.0, 50.0])
@pytest.mark.parametrize("movies", [23, 90])
def test_ease_equals_dense_inverse(ridge: float, movies: int) -> None:
    x = random_positives(1, movies=movies).astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + ridge * np.eye(x.shape[1]))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    found = fit_ease(csr_array(x), ridge)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(found - expected.T).max() > 0.005


def test_ease_column_is_the_regression_of_its_movie() -> None:
    x = random_positives(2).astype(np.float64)
    others = np.arange(x.shape[1]) != 3
    gram = x[:, others].T @ x[:, others] + 5 * np.eye(others.sum())
    found = fit_ease(csr_array(x), 5.0)
    np.testing.assert_allclose(found[others, 3], np.linalg.solve(gram, x[:, others].T @ x[:, 3]), rtol=1e-3, atol=1e-5)


def test_ease_of_little() -> None:
    assert fit_ease(csr_array((4, 0)), 1.0).shape == (0, 0)
    assert fit_ease(csr_array((4, 3)), 1.0).tolist() == np.zeros((3, 3)).tolist()
    for users in (4, 2):
        with pytest.raises(ValueError, match="larger ridge"):
            fit_ease(csr_array(np.ones((users, 3))), 0.0)


def test_popularity_ranking() -> None:
    x = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]])
    popularity = count_popularity(csr_array(x))
    assert popularity.tolist() == [1, 3, 2, 0]
    assert rank_by_popularity(popularity, csr_array(x), 3).tolist() == [[2, 3, -1], [0, 3, -1], [0, 3, -1]]


def test_recency_orders_by_the_decayed_sum() -> None:
    random = np.random.default_rng(6)
    movies, ages = random.integers(0, 8, 200), random.exponential(3, 200)
    sums = [float(sum(2.0**-age for movie, age in zip(movies, ages, strict=True) if movie == own)) for own in range(9)]
    scores = order_by_recency(movies, ages, 10)
    assert np.argsort(-scores)[:8].tolist() == sorted(range(8), key=lambda movie: -sums[movie])
    assert scores[8:].tolist() == [-np.inf] * 2
    seen = csr_array(([1.0], ([0], [int(np.argmax(sums))])), shape=(2, 10))
    ranked = rank_by_popularity(scores, seen, 10)
    assert ranked[1].tolist() == [*sorted(range(8), key=lambda movie: -sums[movie]), -1, -1]
    assert ranked[0].tolist() == [*ranked[1, 1:8].tolist(), -1, -1, -1]


def test_recency_has_an_order_however_long_ago() -> None:
    """2^-5000 is 0 in double precision; of equals the lower comes first, and one sitting exactly at 0 counts."""
    scores = order_by_recency(np.array([0, 1, 1, 2, 3, 4]), np.array([5000.0, 5000, 5000, 4990, 0, 5000]), 5)
    assert np.argsort(-scores, kind="stable").tolist() == [3, 2, 1, 0, 4]


@pytest.mark.parametrize("count", [1, 4, 23, 40])
@pytest.mark.parametrize("sparse", [True, False])
def test_ranking_equals_brute_force(count: int, sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.baselines, "BATCH", 7)
    generator = np.random.default_rng(3)
    seen = random_positives(3)
    history = seen * generator.choice([-0.5, 0.5, 1.0], seen.shape).astype(np.float32)
    weights = generator.normal(size=(23, 23)).astype(np.float32) * (generator.random((23, 23)) < 0.2)
    weights = weights.astype(np.float32)
    found = rank_by_weights(csr_array(history), csr_array(weights) if sparse else weights, csr_array(seen), count)
    expected = rank_by_brute_force(history.astype(np.float64) @ weights, seen, count)
    assert np.array_equal(found, expected)


def test_ranking_follows_the_direction_of_the_edges() -> None:
    edges = Similarities(
        source=np.array([0, 0], dtype=np.int32),
        target=np.array([1, 2], dtype=np.int32),
        weight=np.array([0.2, 0.7], dtype=np.float32),
        rank=np.array([2, 1], dtype=np.int32),
    )
    history = csr_array(np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    found = rank_by_weights(history, build_weights(edges, 3), history, 2)
    assert found.tolist() == [[2, 1], [-1, -1]]


def test_ranking_of_nobody() -> None:
    assert rank_by_weights(csr_array((0, 3)), np.zeros((3, 3), dtype=np.float32), csr_array((0, 3)), 2).shape == (0, 2)
    assert rank_by_weights(csr_array((2, 0)), csr_array((0, 0)), csr_array((2, 0)), 2).tolist() == [[-1, -1]] * 2
