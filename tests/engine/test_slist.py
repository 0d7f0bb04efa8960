"""SLIST's closed form, pair by pair, against sessions and their parts written out."""

from dataclasses import asdict

import numpy as np
import pytest

from common.times import DAY
from engine.interactions import Interactions
from engine.slist import Sessions, SlistParameters, build_moments, rank_slist
from tests.engine.test_protocols import random_ratings, table

PARAMETERS = SlistParameters(alpha=0.3, ridge=0.5, decay=1.7, newest=2.5, days=6.0)


def sequences(ratings: Interactions) -> list[list[int]]:
    """Each user's columns by moment, of one moment by column."""
    bounds = zip(ratings.stars.indptr[:-1], ratings.stars.indptr[1:], strict=True)
    return [
        [int(ratings.stars.indices[k]) for k in sorted(range(b, e), key=lambda k: (ratings.at[k], k))]
        for b, e in bounds
    ]


def write_out(ratings: Interactions, p: SlistParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of input and output of all sessions and their parts, and what each row counts."""
    inputs, outputs, weights = [], [], []
    for user, own in enumerate(sequences(ratings)):
        at = ratings.at[ratings.stars.indptr[user] : ratings.stars.indptr[user + 1]]
        weight = np.exp(-(ratings.at.max() - at.max()) / DAY / p.days)
        whole = np.isin(np.arange(ratings.movies), own).astype(float)
        inputs.append(np.sqrt(p.alpha) * whole / whole.sum())
        outputs.append(np.sqrt(p.alpha) * whole)
        weights.append(weight)
        for t in range(len(own) - 1):
            before, after = np.zeros(ratings.movies), np.zeros(ratings.movies)
            for place, movie in enumerate(own):
                (before if place <= t else after)[movie] = np.exp(-abs((t if place <= t else t + 1) - place) / p.decay)
            inputs.append(np.sqrt(1 - p.alpha) * before / before.sum())
            outputs.append(np.sqrt(1 - p.alpha) * after)
            weights.append(weight)
    return np.array(inputs), np.array(outputs), np.array(weights)


def test_moments_are_those_of_sessions_written_out() -> None:
    ratings = random_ratings()
    inputs, outputs, weights = write_out(ratings, PARAMETERS)
    found = build_moments(Sessions.of(ratings, PARAMETERS.days), ratings.movies, PARAMETERS)
    expected = inputs.T @ (weights[:, None] * inputs), inputs.T @ (weights[:, None] * outputs)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.toarray(), other, atol=2e-3)
    assert np.abs(expected[1] - expected[1].T).max() > 0.1


@pytest.mark.parametrize("changed", [{}, {"alpha": 1.0}, {"alpha": 0.0}, {"decay": 0.25}, {"newest": 50.0}])
def test_lists_equal_the_dense_model(changed: dict[str, float]) -> None:
    p = SlistParameters(**{**asdict(PARAMETERS), **changed})
    ratings = random_ratings()
    inputs, outputs, weights = write_out(ratings, p)
    model = np.linalg.solve(
        inputs.T @ (weights[:, None] * inputs) + p.ridge * np.eye(ratings.movies),
        inputs.T @ (weights[:, None] * outputs),
    )
    asked = ratings.take_users(np.arange(3, 30))
    found = rank_slist(ratings, asked, 4, p)
    for row, own in enumerate(sequences(asked)):
        scores = sum(np.exp(-(len(own) - 1 - place) / p.newest) * model[movie] for place, movie in enumerate(own))
        scores[own] = -np.inf
        listed = found[row][found[row] >= 0]
        np.testing.assert_allclose(scores[listed], np.sort(scores)[::-1][: len(listed)], atol=2e-3)


def test_movies_without_a_rating_are_not_listed_and_strangers_get_nothing() -> None:
    rows = [(1, 1, 5.0, 0), (1, 2, 5.0, 1), (2, 1, 4.0, 2), (2, 2, 1.0, 3), (3, 1, 4.0, 4), (9, 5, 4.0, 9)]
    ratings, _, _ = Interactions.from_tables([table(rows)])
    known = ratings.select(ratings.stars.indices < 2)
    assert rank_slist(known, known.take_users(np.array([2, 3])), 3, SlistParameters()).tolist() == [
        [1, -1, -1],
        [-1] * 3,
    ]


def test_what_comes_next_is_told_from_what_came_before() -> None:
    """Everybody watches 1 and then 2, so 2 follows 1 more than 1 follows 2."""
    rows = [(user, movie, 4.0, movie) for user in range(20) for movie in (1, 2, 3 + user % 4)]
    ratings, _, _ = Interactions.from_tables([table(rows)])
    _, outputs = build_moments(Sessions.of(ratings, 64), ratings.movies, SlistParameters(alpha=0.0))
    assert outputs[0, 1] > 0
    assert outputs[1, 0] == 0
