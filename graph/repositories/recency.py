"""Keeping true, within the transaction that writes edges, how much each movie was watched lately (graph.recency)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from common.times import milliseconds_of, moment_of, text_of
from graph.database import Transaction
from graph.recency import COUNTED_FROM, HALF_LIVES, Figures, Move, add_up, figures_of, grows, move_figures
from graph.serving_rule import ServingRule

# User id and movie id.
Pair = tuple[int, int]


class Recency:
    """The figures of the movies that one batch changes.

    What a pair counted before is read by the query that writes its edge, or looked up before that.

    The graph's clock, `newestAt`, is the newest moment that ever counted: it does not go back when that is undone.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        # With which moment the user counts for the movie.
        self._before: dict[Pair, datetime | None] = {}
        self._now: dict[Pair, datetime | None] = {}
        self._moves: defaultdict[int, list[Move]] = defaultdict(list)
        self._newest: datetime | None = None

    def look_up(self, pairs: Iterable[Pair]) -> None:
        """Read what counts of some pairs, before anything of it is written."""
        if unknown := set(pairs) - self._now.keys():
            found = self._read_pairs(unknown)
            self._before |= found
            self._now |= found

    def look_again(self, pairs: Iterable[Pair]) -> None:
        """Read what counts of pairs that were looked up, after something of it was taken away."""
        if again := set(pairs):
            self._now |= self._read_pairs(again)

    def look_up_user(self, user_id: int) -> None:
        """Read what counts of a user, before some of it is taken away, and again after that."""
        found = self._read("read_user_recency", userId=user_id)
        self._before = found | self._before
        self._now |= {pair: found.get(pair) for pair in self._before if pair[0] == user_id}

    def see(self, moment: datetime | None) -> None:
        """Something that counts happened at a moment, whether it is kept or not."""
        self._newest = newest_of(self._newest, moment)

    def add_finishes(self, finishes: Sequence[tuple[Pair, datetime]]) -> None:
        """Viewings of some pairs are written as finished; pairs that are not known are looked up, so before that."""
        self.look_up(pair for pair, _ in finishes)
        for pair, at in finishes:
            self._now[pair] = newest_of(self._now[pair], at)
            self.see(at)

    def write_viewings(self, query: str, rows: Sequence[dict[str, Any]], sequence: int) -> None:
        """Write viewings by `create_viewings` or `update_viewings`, both of which return what counted before."""
        [record] = self._transaction.run(query, viewings=rows, sequence=sequence, countedFrom=COUNTED_FROM)
        finishes = []
        for user_id, movie_id, finished_at, before in record["finished"]:
            pair = user_id, movie_id
            if pair not in self._before:
                self._before[pair] = self._now[pair] = moment_of(before)
            finishes.append((pair, datetime.fromisoformat(finished_at)))
        self.add_finishes(finishes)

    def write_ratings(self, rows: Sequence[dict[str, Any]]) -> set[Pair]:
        """Write ratings that are newer than what is stored (cypher/write_ratings.cypher); returns whose of what."""
        [record] = self._transaction.run("write_ratings", rows=rows)
        for user_id, movie_id, stars, at, before, before_at, finished_at in record["written"]:
            pair, finished, rated = (user_id, movie_id), moment_of(finished_at), _rated(stars, at)
            if pair not in self._before:
                self._before[pair] = newest_of(finished, _rated(before, before_at))
            self._now[pair] = newest_of(finished, rated)
            self.see(rated)
        return {(row[0], row[1]) for row in record["written"]}

    def move(self, moves: Iterable[tuple[int, list[tuple[str | None, str | None]]]]) -> None:
        """Persons who were not looked up count with other moments for some movies: before and after, as text."""
        for movie_id, changes in moves:
            for before, after in changes:
                self._move(movie_id, moment_of(before), moment_of(after))

    def write(self) -> None:
        """Write the figures of all movies of which something changed, and the clock."""
        for pair, before in self._before.items():
            self._move(pair[1], before, self._now[pair])
        grown = [[movie_id, *add_up(moves)] for movie_id, moves in sorted(self._moves.items()) if grows(moves)]
        counted = self._shrink(sorted(movie_id for movie_id, moves in self._moves.items() if not grows(moves)))
        if grown or counted or self._newest is not None:
            self._transaction.run(
                "write_recency",
                grown=grown,
                counted=counted,
                newestAt=text_of(self._newest),
                halfLives=list(HALF_LIVES),
                halfLife=ServingRule().half_life,
            )

    def _move(self, movie_id: int, before: datetime | None, after: datetime | None) -> None:
        if before != after:
            self._moves[movie_id].append((_milliseconds(before), _milliseconds(after)))

    def _shrink(self, movie_ids: list[int]) -> list[dict[str, Any]]:
        """Figures of movies of which something was taken away."""
        if not movie_ids:
            return []
        known = {
            record["movieId"]: Figures(record["viewers"], tuple(record["recent"]), record["shrunk"])
            for record in self._transaction.run("read_figures", movieIds=movie_ids)
            if record["viewers"]
        }
        found = {
            movie_id: move_figures(known.get(movie_id, Figures()), self._moves[movie_id]) for movie_id in movie_ids
        }
        if inexact := [movie_id for movie_id, figures in found.items() if figures is None]:
            found |= self._count_again(inexact)
        return [{"movieId": key, "figures": figures.properties()} for key, figures in found.items() if figures]

    def _read_pairs(self, pairs: set[Pair]) -> dict[Pair, datetime | None]:
        found = self._read("read_recency", pairs=[list(pair) for pair in sorted(pairs)])
        return {pair: found.get(pair) for pair in pairs}

    def _read(self, name: str, **parameters: Any) -> dict[Pair, datetime | None]:
        """With which moment those pairs count that do."""
        [record] = self._transaction.run(name, countedFrom=COUNTED_FROM, **parameters)
        found: dict[Pair, datetime | None] = {}
        for user_id, movie_id, at in record["counted"]:
            pair = user_id, movie_id
            found[pair] = newest_of(found.get(pair), moment_of(at))
        return found

    def _count_again(self, movie_ids: list[int]) -> dict[int, Figures]:
        [record] = self._transaction.run(
            "count_recency", movieIds=movie_ids, halfLives=list(HALF_LIVES), countedFrom=COUNTED_FROM
        )
        counted = {
            row[0]: figures_of(row[1], milliseconds_of(datetime.fromisoformat(row[2])), row[3])
            for row in record["movies"]
        }
        return {movie_id: counted.get(movie_id, Figures()) for movie_id in movie_ids}


def newest_of(one: datetime | None, other: datetime | None) -> datetime | None:
    """The newer of two moments, or the one that there is."""
    if one is None or other is None:
        return one or other
    return max(one, other)


def _rated(stars: float | None, at: str | None) -> datetime | None:
    return moment_of(at) if stars is not None and stars >= COUNTED_FROM else None


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds_of(moment)
