"""What the fit learns from, against plain counts; and the users who are looked at to choose a rule."""

from datetime import datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.interactions import FINISHED
from engine.models import LIKED_FROM
from engine.positives import build_positives, sample_ratings

NOON = datetime(2026, 1, 1, 12)


def frame_of(rows: list[tuple[int, int, float]], days: dict[tuple[int, int], int] | None = None) -> pl.DataFrame:
    """userId, movieId, rating; rated at noon or so many days later."""
    kinds = {"userId": pl.Int32, "movieId": pl.Int32, "rating": pl.Float32}
    frame = pl.DataFrame(rows, schema=kinds, orient="row").sort("userId", "movieId")
    at = [NOON + timedelta(days=(days or {}).get((user, movie), 0)) for user, movie, _ in frame.rows()]
    return frame.with_columns(pl.Series("at", at, dtype=pl.Datetime("ms")))


def test_live_ratings_replace_staged_ones_of_the_same_pair() -> None:
    ratings = frame_of([(1, 7, 5.0), (1, 8, 2.0), (2, 7, 4.0)])
    live = [(1, 7, 1.0, NOON), (1, 8, FINISHED, NOON), (3, 9, 4.0, NOON)]
    found = build_positives([ratings], live, LIKED_FROM)
    assert found.movie_ids.tolist() == [7, 8, 9]
    # Users: 2 as staged, then 1 and 3, who were told of.
    assert (found.matrix.toarray() > 0).tolist() == [[True, False, False], [False, True, False], [False, False, True]]
    sampled = sample_ratings([ratings], live, 1)
    assert sampled.stars.toarray().tolist() == [[4, 0, 0], [1, FINISHED, 0], [0, 0, 4]]


staged_pairs = st.dictionaries(
    st.tuples(st.integers(1, 9), st.integers(1, 6)),
    st.tuples(st.sampled_from([0.5, 2.5, 3.0, 5.0]), st.integers(0, 3)),
    min_size=1,
)
told_pairs = st.dictionaries(
    st.tuples(st.integers(1, 12), st.integers(1, 8)),
    st.tuples(st.sampled_from([2.0, 3.0, FINISHED]), st.integers(0, 3)),
    max_size=12,
)


@settings(deadline=None)
@given(staged=staged_pairs, told=told_pairs, parts=st.integers(1, 4))
def test_positives_are_those_of_a_plain_count_however_they_are_parted(
    staged: dict[tuple[int, int], tuple[float, int]],
    told: dict[tuple[int, int], tuple[float, int]],
    parts: int,
) -> None:
    liked = {pair: day for pair, (stars, day) in staged.items() if stars >= LIKED_FROM and pair not in told}
    liked |= {pair: day for pair, (stars, day) in told.items() if stars >= LIKED_FROM}
    if not liked:
        return
    told_of = {user for user, _ in told}
    shards = [
        [(*pair, stars) for pair, (stars, _) in staged.items() if pair[0] % parts == part] for part in range(parts)
    ]
    order = [user for part in range(parts) for user in range(1, 10) if user % parts == part and user not in told_of]
    users = [user for user in [*order, *sorted(told_of)] if any(user == liker for liker, _ in liked)]
    movies = sorted({movie for _, movie in liked})
    live = [(*pair, stars, NOON + timedelta(days=day)) for pair, (stars, day) in told.items()]
    days = {pair: day for pair, (_, day) in staged.items()}
    found = build_positives([frame_of(shard, days) for shard in shards], live, LIKED_FROM)
    assert found.movie_ids.tolist() == movies
    assert found.matrix.has_sorted_indices
    expected = [[int((user, movie) in liked) for movie in movies] for user in users]
    assert (found.matrix.toarray() > 0).astype(int).tolist() == expected


def test_sampled_users_are_a_steady_share_with_all_their_ratings() -> None:
    rows = [(user, movie, float(1 + movie % 5)) for user in range(1, 2001) for movie in range(5)]
    found = sample_ratings([frame_of(rows)], [], 4)
    assert 400 < found.users < 600
    assert found.stars.nnz == 5 * found.users
    assert sample_ratings([frame_of(rows)], [], 8).users < found.users
