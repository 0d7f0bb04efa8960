"""What the interactions of a history count, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from engine.history import weigh_history
from engine.interactions import FINISHED, Interactions
from graph.serving_rule import ServingRule
from tests.engine.test_protocols import table

RULE = ServingRule(rated=(0, -0.5, 0, 0, 0, 0, 0, 1.0, 0, 2.0), finished=3.0, place_boost=1.0, place_decay=0.5)


def history_of(rows: list[tuple[int, int, float, int]]) -> Interactions:
    return Interactions.from_tables([table(rows)])[0]


def test_a_history_is_weighed_by_stars_and_place_and_cut_to_the_newest() -> None:
    history = history_of([(1, 1, 5.0, 0), (1, 2, 4.0, 6), (1, 3, 1.0, 7), (1, 4, 2.0, 9), (2, 1, FINISHED, 3)])
    # What counts nothing, the two stars of movie 4, takes no place either.
    assert weigh_history(history, RULE).toarray().tolist() == [[2 * 1.25, 1.5, -0.5 * 2, 0], [6.0, 0, 0, 0]]
    short = replace(RULE, history_limit=2)
    assert weigh_history(history, short).toarray().tolist() == [[0, 1.5, -1.0, 0], [6.0, 0, 0, 0]]


def test_what_is_of_one_moment_shares_the_mean_of_its_places() -> None:
    history = history_of([(1, 1, 4.0, 1), (1, 2, 5.0, 5), (1, 3, 4.0, 5), (1, 4, 4.0, 5)])
    mean = 1 + (1 + 0.5 + 0.25) / 3
    found = weigh_history(history, RULE).toarray()[0]
    assert found.tolist() == pytest.approx([1 + 0.125, 2 * mean, mean, mean])


def test_a_moment_is_cut_by_weight_then_without_regard_to_ids() -> None:
    rows = [(1, movie, 5.0 if movie == 7 else 4.0, 1) for movie in range(1, 101)]
    kept = np.flatnonzero(weigh_history(history_of(rows), replace(RULE, history_limit=20)).toarray()[0]) + 1
    assert len(kept) == 20
    assert 7 in kept
    assert 30 < kept.mean() < 70


def test_the_ids_of_a_moments_movies_change_no_weight() -> None:
    """Netflix dates are days: an order by id would make lower ones count more."""
    rows = [(1, movie, 4.0, day) for day in range(3) for movie in range(10 * day + 1, 10 * day + 11)]
    found = weigh_history(history_of(rows), RULE).toarray()[0].reshape(3, 10)
    assert (found == found[:, :1]).all()
    assert (np.diff(found[:, 0]) > 0).all()
