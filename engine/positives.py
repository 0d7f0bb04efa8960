"""What the fit learns from: staged ratings and what happened live since, but for a few newest likes that judge it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.baselines import rank_by_weights
from engine.evaluation import Values, measure_users
from engine.interactions import order_places

PAIR = ["userId", "movieId"]
COLUMNS = [*PAIR, "at"]
# Newest likes are held out of so many users at most, and of no more than a quarter; of nobody with few likes.
MOST_JUDGES = 10_000
LEAST_INTERVAL = 4
FEWEST_LIKES = 5
JUDGED_LENGTH = 20

# User id, movie id, liked, moment.
LiveRating = tuple[int, int, bool, datetime]


@dataclass(frozen=True)
class Positives:
    """Likes, and the newest like of some users, which nothing is learned from.

    `matrix`: users x movies, the place of each like in its user's order (engine.similarity). `movie_ids`: of its
    columns. `judges`, `hidden`: rows of those users and the column of each one's newest like.
    """

    matrix: csr_array
    movie_ids: NDArray[np.int64]
    judges: NDArray[np.int64]
    hidden: NDArray[np.int64]

    def judge(self, edges: pl.DataFrame) -> Values:
        """NDCG@20 of finding each judge's newest like, by edges (source, target, weight; movie ids).

        Edges of movies that are not among ours count for nothing.
        """
        known = edges.filter(pl.col("source").is_in(self.movie_ids) & pl.col("target").is_in(self.movie_ids))
        source, target = (np.searchsorted(self.movie_ids, known[name].to_numpy()) for name in ("source", "target"))
        size = len(self.movie_ids)
        weights = csr_array((known["weight"].to_numpy().astype(np.float32), (source, target)), shape=(size, size))
        history = csr_array(self.matrix[self.judges].astype(np.bool_))
        ranked = rank_by_weights(history, weights, history, JUDGED_LENGTH)
        rows = np.arange(len(self.judges) + 1)
        relevant = csr_array((np.ones(len(self.hidden)), self.hidden, rows), shape=history.shape)
        return measure_users(ranked, relevant, (JUDGED_LENGTH,))[f"ndcg@{JUDGED_LENGTH}"]


def build_positives(
    shards: Iterable[pl.DataFrame], live: list[LiveRating], liked_from: float, interval: int | None
) -> Positives:
    """Likes: what was rated `liked_from` stars or more, or told live, which replaces what is staged of the same pair.

    `shards`: userId, movieId, rating and at by user and movie, each user in one of them. Users come in the shards'
    order, those that were told of last. One user in `interval` is a judge; None: nobody is.
    """
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "userId": pl.Int32,
        "movieId": pl.Int32,
        "liked": pl.Boolean,
        "at": pl.Datetime("ms"),
    }
    told = pl.DataFrame(live, schema=schema, orient="row")
    staged = (shard.filter(pl.col("rating") >= liked_from).select(COLUMNS) for shard in shards)
    tables = replace_told(staged, told, told.filter("liked").select(COLUMNS))
    return _join([_Block.of(table, interval) for table in tables])


def replace_told(tables: Iterable[pl.DataFrame], told: pl.DataFrame, added: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Tables of staged ratings without the pairs in `told`; the users told of all in the last one, with `added`."""
    is_told = pl.col("userId").is_in(told["userId"].unique().implode())
    replaced = [added]
    for table in tables:
        if len(told):
            replaced.append(table.filter(is_told).join(told, on=PAIR, how="anti"))
            table = table.filter(~is_told)
        yield table
    yield pl.concat(replaced).sort(PAIR)


def judge_interval(users: int) -> int:
    """One user in how many is a judge: a power of two, so that the judges of a larger data set were judges before."""
    interval = LEAST_INTERVAL
    while users > interval * MOST_JUDGES:
        interval *= 2
    return interval


@dataclass(frozen=True)
class _Block:
    """Some users' likes: how many each has, the movies of all in order; judges (by place) and their newest likes."""

    counts: NDArray[np.int64]
    movies: NDArray[np.int32]
    places: NDArray[np.int32]
    judges: NDArray[np.int64]
    hidden: NDArray[np.int32]

    @classmethod
    def of(cls, liked: pl.DataFrame, interval: int | None) -> "_Block":
        """From userId, movieId and at, by user and movie."""
        liked = liked.with_row_index("row").with_columns(user=pl.col("userId").rle_id())
        newest = liked.clear()
        if interval is not None:
            newest = liked.filter(_is_judge(interval) & (pl.len().over("user") >= FEWEST_LIKES))
            newest = newest.sort("user", "at", "movieId").unique("user", keep="last", maintain_order=True)
        kept = np.ones(len(liked), dtype=np.bool_)
        kept[newest["row"].to_numpy()] = False
        counts = np.bincount(liked["user"].to_numpy()[kept]).astype(np.int64)
        places = order_places(
            liked["user"].to_numpy()[kept].astype(np.int64), liked["at"].dt.epoch("ms").to_numpy()[kept]
        )
        return cls(
            counts,
            liked["movieId"].to_numpy()[kept],
            places,
            newest["user"].to_numpy().astype(np.int64),
            newest["movieId"].to_numpy(),
        )


def _is_judge(interval: int) -> pl.Expr:
    """One in `interval` users, well mixed by a multiplication (Knuth) and always the same."""
    mixed = pl.col("userId").cast(pl.UInt64) * 2654435761 % 2**32
    return mixed // 2**16 % interval == 0


def _join(blocks: list[_Block]) -> Positives:
    """Blocks one after the other."""
    movie_ids = np.unique(
        np.concatenate([np.unique(part) for block in blocks for part in (block.movies, block.hidden)])
    )
    indices = np.concatenate([np.searchsorted(movie_ids, block.movies).astype(np.int32) for block in blocks])
    counts = np.concatenate([block.counts for block in blocks])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32 if len(indices) < 2**31 else np.int64)
    shape = (len(counts), len(movie_ids))
    places = np.concatenate([block.places for block in blocks])
    matrix = csr_array((places, indices, indptr), shape=shape)
    firsts = np.cumsum([0, *(len(block.counts) for block in blocks)])
    judges = [block.judges + first for block, first in zip(blocks, firsts[:-1], strict=True)]
    hidden = np.searchsorted(movie_ids, np.concatenate([block.hidden for block in blocks]))
    return Positives(matrix, movie_ids.astype(np.int64), np.concatenate(judges), hidden)
