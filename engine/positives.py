"""What the fit learns from: staged ratings, and what happened live since."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.interactions import Interactions, order_places

PAIR = ["userId", "movieId"]
COLUMNS = [*PAIR, "at"]
RATED = [*COLUMNS, "rating"]

# User id, movie id, stars (engine.interactions.FINISHED without any), moment.
LiveRating = tuple[int, int, float, datetime]


@dataclass(frozen=True)
class Positives:
    """Likes: `matrix`, users x movies, the place of each in its user's order (engine.similarity). `movie_ids`: of its
    columns."""

    matrix: csr_array
    movie_ids: NDArray[np.int64]


def build_positives(shards: Iterable[pl.DataFrame], live: list[LiveRating], liked_from: float) -> Positives:
    """Likes: what was rated `liked_from` stars or more, or told live, which replaces what is staged of the same pair.

    `shards`: userId, movieId, rating and at by user and movie, each user in one of them. Users come in the shards'
    order, those that were told of last.
    """
    told = tabulate_live(live)
    staged = (shard.filter(pl.col("rating") >= liked_from).select(COLUMNS) for shard in shards)
    tables = replace_told(staged, told, told.filter(pl.col("rating") >= liked_from).select(COLUMNS))
    return _join([_Block.of(table) for table in tables])


def sample_ratings(shards: Iterable[pl.DataFrame], live: list[LiveRating], interval: int) -> Interactions:
    """All ratings of one user in `interval`, the live ones among them."""
    told = tabulate_live(live).filter(_is_drawn(interval)).select(RATED)
    staged = (shard.filter(_is_drawn(interval)).select(RATED) for shard in shards)
    return Interactions.from_tables(replace_told(staged, told, told))[0]


def tabulate_live(live: list[LiveRating]) -> pl.DataFrame:
    """Live ratings as userId, movieId, rating and at."""
    schema = {"userId": pl.Int32(), "movieId": pl.Int32(), "rating": pl.Float32(), "at": pl.Datetime("ms")}
    return pl.DataFrame(live, schema=schema, orient="row")


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


@dataclass(frozen=True)
class _Block:
    """Some users' likes: how many each has, the movies of all in order, and their places."""

    counts: NDArray[np.int64]
    movies: NDArray[np.int32]
    places: NDArray[np.int32]

    @classmethod
    def of(cls, liked: pl.DataFrame) -> "_Block":
        """From userId, movieId and at, by user and movie."""
        users = liked["userId"].rle_id().to_numpy().astype(np.int64)
        places = order_places(users, liked["at"].dt.epoch("ms").to_numpy())
        return cls(np.bincount(users).astype(np.int64), liked["movieId"].to_numpy(), places)


def _is_drawn(interval: int) -> pl.Expr:
    """One in `interval` users, well mixed by a multiplication (Knuth) and always the same."""
    mixed = pl.col("userId").cast(pl.UInt64) * 2654435761 % 2**32
    return mixed // 2**16 % interval == 0


def _join(blocks: list[_Block]) -> Positives:
    """Blocks one after the other."""
    movie_ids = np.unique(np.concatenate([np.unique(block.movies) for block in blocks]))
    indices = np.concatenate([np.searchsorted(movie_ids, block.movies).astype(np.int32) for block in blocks])
    counts = np.concatenate([block.counts for block in blocks])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32 if len(indices) < 2**31 else np.int64)
    places = np.concatenate([block.places for block in blocks])
    matrix = csr_array((places, indices, indptr), shape=(len(counts), len(movie_ids)))
    return Positives(matrix, movie_ids.astype(np.int64))
