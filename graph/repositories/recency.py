"""Keeping true, within the transaction that writes edges, how much each movie was watched lately (graph.recency)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from graph.database import Transaction
from graph.recency import COUNTED_FROM, HALF_LIVES, Figures, Move, add_up, figures_of, grows, move_figures, newest_of
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
        self._moves: defaultdict[int, list[Move]] = defaultdict(list)
        self._newest: int | None = None

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

    def look_up_user(self, user_id: int) -> None:
        """Read what counts of a user, before some of it is taken away, and again after that."""
        found = self._run("read_user_recency", userId=user_id)
        for pair, counted in found.items():
            self._before.setdefault(pair, counted)
        gone = {pair: Counted() for pair in self._before if pair[0] == user_id}
        self._now |= gone | found

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
        [record] = self._transaction.run("write_ratings", rows=rows)
        for user_id, movie_id, stars, at, before, before_at, finished_at in record["written"]:
            watched, rated = _milliseconds(finished_at), _rated(stars, at)
            self._before.setdefault((user_id, movie_id), Counted(watched, _rated(before, before_at)))
            self._now[user_id, movie_id] = Counted(watched, rated)
            self.see(rated)
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
        grown = [[movie_id, *add_up(moves)] for movie_id, moves in sorted(self._moves.items()) if grows(moves)]
        counted = self._shrink(sorted(movie_id for movie_id, moves in self._moves.items() if not grows(moves)))
        if grown or counted or self._newest is not None:
            newest = None if self._newest is None else moment_after(self._newest)
            self._transaction.run("write_recency", grown=grown, counted=counted, newestAt=text_of(newest))

    def _shrink(self, movie_ids: list[int]) -> list[dict[str, Any]]:
        """Figures of movies of which something was taken away."""
        if not movie_ids:
            return []
        known = {
            record["movieId"]: Figures(record["viewers"], tuple(record["recent"]))
            for record in self._transaction.run("read_figures", movieIds=movie_ids)
            if record["viewers"]
        }
        found = {
            movie_id: move_figures(known.get(movie_id, Figures()), self._moves[movie_id]) for movie_id in movie_ids
        }
        if inexact := [movie_id for movie_id, figures in found.items() if figures is None]:
            found |= self._count_again(inexact)
        return [{"movieId": key, "figures": figures.properties()} for key, figures in found.items() if figures]

    def _read(self, pairs: set[Pair]) -> dict[Pair, Counted]:
        found = self._run("read_recency", pairs=[list(pair) for pair in sorted(pairs)])
        return {pair: found.get(pair, Counted()) for pair in pairs}

    def _run(self, name: str, **parameters: Any) -> dict[Pair, Counted]:
        """What counts, by pair, of those of which something does."""
        [record] = self._transaction.run(name, countedFrom=COUNTED_FROM, **parameters)
        found: defaultdict[Pair, Counted] = defaultdict(Counted)
        for user_id, movie_id, finished_at, rated_at in record["counted"]:
            known = found[user_id, movie_id]
            found[user_id, movie_id] = Counted(
                newest_of(known.watched, _milliseconds(finished_at)), newest_of(known.rated, _milliseconds(rated_at))
            )
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


def _rated(stars: float | None, at: str | None) -> int | None:
    return _milliseconds(at) if stars is not None and stars >= COUNTED_FROM else None


def _milliseconds(text: str | None) -> int | None:
    moment = moment_of(text)
    return None if moment is None else milliseconds_of(moment)
