"""Variety: by hand, and what holds for any list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.diversity import Similar, diversify

NONE = Similar([], [], [])


def test_by_hand() -> None:
    # 7 and 8 are alike, so that 9 comes before 8 once variety counts enough.
    scores, similar = [1.0, 0.9, 0.8], Similar([8, 7], [7, 9], [0.5, 0.05])
    assert diversify([7, 8, 9], scores, similar, 0) == [0, 1, 2]
    assert diversify([7, 8, 9], scores, similar, 0.05) == [0, 1, 2]
    assert diversify([7, 8, 9], scores, similar, 0.3) == [0, 2, 1]


def test_the_direction_of_a_weight_does_not_matter() -> None:
    assert diversify([7, 8, 9], [1.0, 0.9, 0.8], Similar([7], [8], [0.5]), 0.5) == [0, 2, 1]


def test_of_nothing_and_of_no_scores() -> None:
    assert diversify([], [], NONE, 0.5) == []
    assert diversify([4, 5], [-0.5, -1.0], NONE, 0.5) == [0, 1]


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=12),
    st.dictionaries(st.tuples(st.integers(0, 11), st.integers(0, 11)), st.floats(0.01, 1)),
    st.floats(0, 1),
)
def test_every_movie_stays_and_the_best_is_first(
    scores: list[float], weights: dict[tuple[int, int], float], diversity: float
) -> None:
    scores = sorted(scores, reverse=True)
    pairs = [pair for pair in weights if max(pair) < len(scores) and pair[0] != pair[1]]
    similar = Similar([one for one, _ in pairs], [other for _, other in pairs], [weights[pair] for pair in pairs])
    order = diversify(range(len(scores)), scores, similar, diversity)
    assert sorted(order) == list(range(len(scores)))
    assert order[0] == 0
    if diversity == 0:
        assert [scores[place] for place in order] == pytest.approx(scores)


def test_of_the_weights_of_one_pair_the_largest_counts() -> None:
    both_ways = Similar([7, 8, 7], [8, 7, 9], [0.01, 0.5, 0.05])
    assert diversify([7, 8, 9], [1.0, 0.9, 0.8], both_ways, 0.3) == [0, 2, 1]
