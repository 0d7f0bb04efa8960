"""How much movies were watched lately, of staged ratings in any number of parts, against a count by hand."""

import math
from collections import defaultdict
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.times import DAY, EPOCH, milliseconds_of
from engine.dataset import RATING_SCHEMA
from engine.movie_summary import summarise_movies, with_statistics
from graph.recency import HALF_LIVES, PROPERTIES
from loader.staging.reader import movie_frame

moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
near = st.integers(0, 10_000_000_000).map(lambda milliseconds: EPOCH + timedelta(milliseconds=milliseconds))
ratings = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([0.5, 2.5, 3.0, 5.0]), moments | near, st.integers(1, 4)), max_size=40
)


@given(ratings)
def test_parts_add_up_to_the_whole(rows: list[tuple[int, float, datetime, int]]) -> None:
    watched: dict[int, list[int]] = defaultdict(list)
    for movie, stars, at, _ in rows:
        if stars >= 3:
            watched[movie].append(milliseconds_of(at))
    table = [(place, movie, stars, at, False) for place, (movie, stars, at, _) in enumerate(rows)]
    frame = pl.DataFrame(table, schema=RATING_SCHEMA, orient="row")
    part = pl.Series([row[3] for row in rows], dtype=pl.Int64)
    facts = pl.concat([summarise_movies(frame.filter(part == number)) for number in range(1, 5)])
    found = with_statistics(movie_frame([(9, "Nine", None, [])]), facts)
    assert found["movieId"].to_list() == sorted({9, *(row[0] for row in rows)})
    for movie, viewers, newest_at, *figures in found.select("movieId", "viewers", "newestAt", *PROPERTIES).rows():
        own = watched[movie]
        assert viewers == len(own)
        if not own:
            assert [newest_at, *figures] == [None] * (1 + len(PROPERTIES))
            continue
        newest = max(own)
        assert milliseconds_of(newest_at) == newest
        for half_life, figure in zip(HALF_LIVES, figures, strict=True):
            total = math.fsum(2.0 ** ((moment - newest) / (DAY * half_life)) for moment in own)
            assert figure == pytest.approx(newest / (DAY * half_life) + math.log2(total), rel=0, abs=1e-9)
