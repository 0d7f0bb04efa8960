"""SASRec learns what follows what. `make test` has not got its packages."""

import importlib.util

import numpy as np
import pytest

from engine.interactions import Interactions
from engine.models import SASREC
from engine.timeline import task_between
from tests.engine.test_protocols import table


def chains(users: int = 120) -> Interactions:
    """Everybody goes round the same circle of movies from somewhere: 7 steps, one a day."""
    rows = [(user, (user * 5 + step) % 12, 4.0, user // 2 + step) for user in range(users) for step in range(7)]
    return Interactions.from_tables([table(rows)])[0]


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("jax", "keras"))), reason="pip install -r requirements-evaluation.txt"
)
class TestNetwork:
    """With Keras and JAX."""

    def test_pieces_keep_all_interactions_in_order(self) -> None:
        from engine.sasrec import Pieces

        ratings = chains(3)
        numbers = np.arange(1, ratings.movies + 1)
        whole, parts = Pieces.of(ratings, numbers, 10), Pieces.of(ratings, numbers, 3)
        assert whole.movies[1].tolist() == [6, 7, 8, 9, 10, 11, 12, 0, 0, 0]
        assert parts.movies[3:6].tolist() == [[6, 0, 0], [7, 8, 9], [10, 11, 12]]
        assert parts.users.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert (np.diff(whole.at[:, :7], axis=1) == 86_400_000).all()

    def test_batches_have_each_target_once(self) -> None:
        from engine.sasrec import Pieces

        ratings = chains(40)
        pieces = Pieces.of(ratings, np.arange(1, ratings.movies + 1), 51)
        found = []
        for inputs, targets, weights in pieces.batches(0, 2**62, np.inf, np.random.default_rng(1)):
            rows, places = np.nonzero(weights)
            found += list(zip(inputs[rows, places].tolist(), targets[rows, places].tolist(), strict=True))
        expected = [((u * 5 + s) % 12 + 1, (u * 5 + s + 1) % 12 + 1) for u in range(40) for s in range(6)]
        assert sorted(found) == sorted(expected)

    def test_the_next_step_is_learned_and_strangers_get_nothing(self) -> None:
        ratings = chains()
        begin = int(ratings.at.min()) + 50 * 86_400_000
        task = task_between(ratings, begin, 2**62)
        ranked = SASREC.rank(task, 3, {"size": 32.0, "days": 1e6})
        first = np.array([task.relevant[[row]].indices[0] for row in range(len(task.users))])
        assert (ranked[task.has_history, 0] == first[task.has_history]).mean() > 0.8
        assert (ranked[~task.has_history] == -1).all()
