"""What the fit learns from, against plain counts; and the likes that are held out to judge it."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models import LIKED_FROM
from engine.positives import build_positives, judge_interval

NOON = datetime(2026, 1, 1, 12)


def frame_of(rows: list[tuple[int, int, float]], days: dict[tuple[int, int], int] | None = None) -> pl.DataFrame:
    """userId, movieId, rating; rated at noon or so many days later."""
    kinds = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32}
    frame = pl.DataFrame(rows, schema=kinds, orient="row").sort("userId", "movieId")
    at = [NOON + timedelta(days=(days or {}).get((user, movie), 0)) for user, movie, _ in frame.rows()]
    return frame.with_columns(pl.Series("at", at, dtype=pl.Datetime("ms")))


def test_live_ratings_replace_staged_ones_of_the_same_pair() -> None:
    ratings = frame_of([(1, 7, 5.0), (1, 8, 2.0), (2, 7, 4.0)])
    live = [(1, 7, False, NOON), (1, 8, True, NOON), (3, 9, True, NOON)]
    found = build_positives([ratings], live, LIKED_FROM, None)
    assert found.movie_ids.tolist() == [7, 8, 9]
    # Users: 2 as staged, then 1 and 3, who were told of.
    assert (found.matrix.toarray() > 0).tolist() == [[True, False, False], [False, True, False], [False, False, True]]
    assert len(found.judges) == 0


staged_pairs = st.dictionaries(
    st.tuples(st.integers(1, 9), st.integers(1, 6)),
    st.tuples(st.sampled_from([0.5, 2.5, 3.0, 5.0]), st.integers(0, 3)),
    min_size=1,
)
told_pairs = st.dictionaries(
    st.tuples(st.integers(1, 12), st.integers(1, 8)), st.tuples(st.booleans(), st.integers(0, 3)), max_size=12
)


@settings(deadline=None)
@given(staged=staged_pairs, told=told_pairs, parts=st.integers(1, 4), interval=st.sampled_from([None, 1, 2]))
def test_positives_are_those_of_a_plain_count_however_they_are_parted(
    staged: dict[tuple[int, int], tuple[float, int]],
    told: dict[tuple[int, int], tuple[bool, int]],
    parts: int,
    interval: int | None,
) -> None:
    liked = {pair: day for pair, (stars, day) in staged.items() if stars >= LIKED_FROM and pair not in told}
    liked |= {pair: day for pair, (is_liked, day) in told.items() if is_liked}
    if not liked:
        return
    told_of = {user for user, _ in told}
    shards = [
        [(*pair, stars) for pair, (stars, _) in staged.items() if pair[0] % parts == part] for part in range(parts)
    ]
    order = [user for part in range(parts) for user in range(1, 10) if user % parts == part and user not in told_of]
    users = [user for user in [*order, *sorted(told_of)] if any(user == liker for liker, _ in liked)]
    movies = sorted({movie for _, movie in liked})
    live = [(*pair, is_liked, NOON + timedelta(days=day)) for pair, (is_liked, day) in told.items()]
    days = {pair: day for pair, (_, day) in staged.items()}
    found = build_positives([frame_of(shard, days) for shard in shards], live, LIKED_FROM, interval)
    assert found.movie_ids.tolist() == movies
    assert found.matrix.has_sorted_indices
    hidden = {(users[row], movies[column]) for row, column in zip(found.judges, found.hidden, strict=True)}
    expected = [[int((user, movie) in liked and (user, movie) not in hidden) for movie in movies] for user in users]
    assert (found.matrix.toarray() > 0).astype(int).tolist() == expected
    able = [user for user in users if sum(user == liker for liker, _ in liked) >= 5]
    newest = {(user, max((day, movie) for (liker, movie), day in liked.items() if liker == user)[1]) for user in able}
    assert hidden == (newest if interval == 1 else set()) or (interval == 2 and hidden <= newest)


def test_judges_are_a_steady_share_and_their_number_is_bounded() -> None:
    rows = [(user, movie, 5.0) for user in range(1, 2001) for movie in range(5)]
    found = build_positives([frame_of(rows)], [], LIKED_FROM, 4)
    assert 400 < len(found.judges) < 600
    finer = build_positives([frame_of(rows)], [], LIKED_FROM, 8)
    assert set(finer.judges) < set(found.judges)
    assert [judge_interval(users) for users in (0, 610, 40_000, 40_001, 480_189)] == [4, 4, 4, 8, 64]


def test_a_judgement_by_hand() -> None:
    """Each user's newest like is movie 5; edges lead from 1 to 5 for those who like 1, behind movie 6."""
    rows = [(user, movie, 5.0) for user in range(1, 9) for movie in ([1, 2, 3, 4, 5] if user < 5 else [0, 2, 3, 4, 5])]
    days = {(user, 5): 1 for user in range(1, 9)}
    found = build_positives([frame_of(rows, days), frame_of([(9, 6, 5.0)])], [], LIKED_FROM, 1)
    assert found.judges.tolist() == list(range(8))
    edges = pl.DataFrame({"source": [1, 1, 77], "target": [5, 6, 5], "weight": [0.5, 0.7, 9.0]})
    assert found.judge(edges) == pytest.approx([1 / np.log2(3)] * 4 + [0] * 4)
