"""Ratings as arrays: users x movies, with the moment of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

Mask = NDArray[np.bool_]
Columns = NDArray[np.int64]
# A movie that was finished and not rated stands beyond the scale of stars: it was liked, and is weighed by itself.
FINISHED = 5.5
HALF_STARS = np.arange(1, 12) / 2


@dataclass(frozen=True)
class Interactions:
    """Who rated what, how and when.

    `stars`: users x movies, columns ascending in each row, no stored zero; FINISHED without stars. `at`: milliseconds
    since 1970, one for each stored value, in their order.
    """

    stars: csr_array
    at: NDArray[np.int64]

    @classmethod
    def from_tables(cls, tables: Iterable[pl.DataFrame]) -> tuple[Self, Columns, Columns]:
        """From userId, movieId, rating and at, sorted by user and movie, each user in one table.

        Returns the interactions, the user id of each row and the movie id of each column.
        """
        parts = list(tables)
        table = pl.concat(parts) if parts else pl.DataFrame(schema={"userId": pl.Int32, "movieId": pl.Int32})
        movie_ids = table["movieId"].unique().sort().to_numpy().astype(np.int64)
        runs = table["userId"].rle().struct.unnest()
        indices = np.searchsorted(movie_ids, table["movieId"].to_numpy()).astype(np.int32)
        indptr = np.concatenate([[0], np.cumsum(runs["len"].to_numpy(), dtype=np.int64)])
        indptr = indptr.astype(np.int32 if len(indices) < 2**31 else np.int64)
        values = table["rating"].to_numpy().astype(np.float32)
        stars = csr_array((values, indices, indptr), shape=(len(runs), len(movie_ids)))
        at = table["at"].dt.epoch("ms").to_numpy()
        return cls(stars, at), runs["value"].to_numpy().astype(np.int64), movie_ids

    @property
    def users(self) -> int:
        """Number of rows."""
        return int(self.stars.shape[0])

    @property
    def movies(self) -> int:
        """Number of columns."""
        return int(self.stars.shape[1])

    def user_of_each(self) -> Columns:
        """The row of each interaction."""
        return np.repeat(np.arange(self.users), np.diff(self.stars.indptr))

    def select(self, mask: Mask) -> Self:
        """The interactions of a mask, in a matrix of the same shape."""
        counts = np.bincount(self.user_of_each()[mask], minlength=self.users)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(self.stars.indptr.dtype)
        stars = csr_array((self.stars.data[mask], self.stars.indices[mask], indptr), shape=self.stars.shape)
        return type(self)(stars, self.at[mask])

    def take_users(self, rows: Columns) -> Self:
        """The interactions of some users, in the order given."""
        bounds = zip(self.stars.indptr[rows], self.stars.indptr[rows + 1], strict=True)
        places = np.concatenate([np.arange(begin, end) for begin, end in bounds]) if len(rows) else np.empty(0, int)
        return type(self)(csr_array(self.stars[rows]), self.at[places])

    def positives(self, threshold: float) -> csr_array:
        """Where there are so many stars or more, as 1."""
        counted = self.values((threshold <= HALF_STARS).astype(np.float32)[self.half_stars()])
        counted.eliminate_zeros()
        return counted

    def ordered_positives(self, threshold: float) -> csr_array:
        """The same with the place of each in its user's order: 1 for the oldest, the same for those of one moment."""
        liked = self.select(self.stars.data >= threshold)
        return liked.values(order_places(liked.user_of_each(), liked.at))

    def half_stars(self) -> Columns:
        """Which of HALF_STARS each interaction has."""
        return np.asarray(np.rint(self.stars.data * 2), dtype=np.int64) - 1

    def values(self, values: NDArray[np.number]) -> csr_array:
        """A matrix with other values in the same places."""
        return csr_array((values, self.stars.indices, self.stars.indptr), shape=self.stars.shape, copy=True)


def number_within(users: Columns, *keys: NDArray[np.generic]) -> Columns:
    """Number of each interaction among its user's, from 0, by keys, the first one first."""
    order = np.lexsort((*reversed(keys), users))
    own = users[order]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order)) - np.searchsorted(own, own)
    return numbers


def order_places(users: Columns, at: NDArray[np.int64]) -> NDArray[np.int32]:
    """Place of each interaction among its user's by moment, from 1; of one moment all have the place of the first."""
    order = np.lexsort((at, users))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (users[order][1:] != users[order][:-1]) | (at[order][1:] != at[order][:-1])
    firsts = np.concatenate(([True], users[order][1:] != users[order][:-1])) if len(order) else begins
    numbers = np.arange(len(order))
    user_begin = np.maximum.accumulate(np.where(firsts, numbers, 0))
    places = np.empty(len(order), dtype=np.int32)
    places[order] = np.maximum.accumulate(np.where(begins, numbers, 0)) - user_begin + 1
    return places
