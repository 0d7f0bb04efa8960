"""Keeping true, within the transaction that writes edges, how much each movie was watched lately (graph.recency)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from graph.database import Transaction
from graph.recency import COUNTED_FROM, HALF_LIVES, PROPERTIES, Figures, Move, figures_of, move_figures, newest_of
from graph.times import milliseconds_of, moment_after, moment_of, text_of

# User id and movie id.
Pair = tuple[int, int]


@dataclass(frozen=True)
class Counted:
    """What counts of one person and one movie: the newest finish, and the rating if it is high enough."""

    watched: int | None = None
    rated: int | None = None

    @property
    def moment(self) -> int | None:
        """With what the person counts."""
        return newest_of(self.watched, self.rated)


class Recency:
    """The figures of the movies that one batch changes. Whoever writes looks pairs up before, and tells what changed.

    The graph's clock, `newestAt`, is the newest moment that ever counted: it does not go back when that is undone.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._before: dict[Pair, Counted] = {}
        self._now: dict[Pair, Counted] = {}
        self._figures: dict[int, Figures] = {}
        self._moves: defaultdict[int, list[Move]] = defaultdict(list)
        self._newest: int | None = None
        self._clock: int | None = None

    def look_up(self, pairs: Iterable[Pair]) -> None:
        """Read what counts of some pairs, before anything of it is written."""
        if unknown := set(pairs) - self._now.keys():
            found = self._read(unknown)
            self._before |= found
            self._now |= found

    def look_again(self, pairs: Iterable[Pair]) -> None:
        """Read what counts of pairs that were looked up, after something of it was taken away."""
        if again := set(pairs):
            self._now |= self._read(again)

    def see(self, moment: int | None) -> None:
        """Something that counts happened at a moment, whether it is kept or not."""
        self._newest = newest_of(self._newest, moment)

    def add_finishes(self, finishes: Sequence[tuple[Pair, datetime]]) -> None:
        """Viewings of some pairs are about to be written as finished."""
        self.look_up(pair for pair, _ in finishes)
        for pair, at in finishes:
            moment = milliseconds_of(at)
            self.see(moment)
            self._now[pair] = replace(self._now[pair], watched=newest_of(self._now[pair].watched, moment))

    def write_ratings(self, rows: Sequence[dict[str, Any]]) -> int:
        """Write ratings that are newer than what is stored (cypher/write_ratings.cypher); returns how many."""
        self.look_up((row["userId"], row["movieId"]) for row in rows)
        [record] = self._transaction.run("write_ratings", rows=rows)
        for user_id, movie_id, at, stars in record["written"]:
            rated = _milliseconds(at) if stars >= COUNTED_FROM else None
            self.see(rated)
            self._now[user_id, movie_id] = replace(self._now[user_id, movie_id], rated=rated)
        return len(record["written"])

    def move(self, moves: Iterable[tuple[int, list[tuple[str | None, str | None]]]]) -> None:
        """Persons who were not looked up count with other moments for some movies: before and after, as text."""
        for movie_id, changes in moves:
            self._moves[movie_id] += [(_milliseconds(before), _milliseconds(after)) for before, after in changes]

    def write(self) -> None:
        """Write the figures of all movies of which something changed, and the clock."""
        for pair, before in self._before.items():
            if before.moment != self._now[pair].moment:
                self._moves[pair[1]].append((before.moment, self._now[pair].moment))
        if unknown := self._moves.keys() - self._figures.keys():
            self._read((), unknown)
        found = {
            movie_id: move_figures(self._figures.get(movie_id, Figures()), moves)
            for movie_id, moves in self._moves.items()
        }
        if inexact := sorted(movie_id for movie_id, figures in found.items() if figures is None):
            found |= self._count_again(inexact)
        if found or self._clock != newest_of(self._clock, self._newest):
            rows = [
                {"movieId": key, "figures": figures.properties()} for key, figures in sorted(found.items()) if figures
            ]
            newest = None if self._newest is None else moment_after(self._newest)
            self._transaction.run("write_recency", movies=rows, newestAt=text_of(newest))

    def _read(self, pairs: Iterable[Pair], movie_ids: Iterable[int] = ()) -> dict[Pair, Counted]:
        """What counts of pairs; also keeps the figures of their movies as they were, and the clock."""
        rows = sorted(pairs)
        unknown = {movie_id for _, movie_id in rows} | set(movie_ids)
        [record] = self._transaction.run(
            "read_recency",
            pairs=[list(pair) for pair in rows],
            movieIds=sorted(unknown - self._figures.keys()),
            properties=list(PROPERTIES),
            countedFrom=COUNTED_FROM,
        )
        self._clock = _milliseconds(record["newestAt"])
        for movie_id, viewers, recent in record["movies"]:
            self._figures[movie_id] = Figures(viewers, tuple(recent)) if viewers else Figures()
        counted = {(row[0], row[1]): Counted(*map(_milliseconds, row[2:])) for row in record["counted"]}
        return {pair: counted.get(pair, Counted()) for pair in rows}

    def _count_again(self, movie_ids: list[int]) -> dict[int, Figures]:
        [record] = self._transaction.run(
            "count_recency", movieIds=movie_ids, halfLives=list(HALF_LIVES), countedFrom=COUNTED_FROM
        )
        counted = {
            row[0]: figures_of(row[1], milliseconds_of(datetime.fromisoformat(row[2])), row[3])
            for row in record["movies"]
        }
        return {movie_id: counted.get(movie_id, Figures()) for movie_id in movie_ids}


def _milliseconds(text: str | None) -> int | None:
    moment = moment_of(text)
    return None if moment is None else milliseconds_of(moment)
