"""Ratings played again: each is a viewing, in the order of their time."""

import random
from collections import deque
from collections.abc import Iterable

from graph.repositories.movies import NamedMovie


class Replay:
    """An audience of the simulator that watches what was rated, so many people at a time, until all is played."""

    def __init__(self, ratings: Iterable[tuple[int, NamedMovie]], size: int, seconds: float, seed: int) -> None:
        """`ratings`: (user id, movie), the earliest first; a viewing takes `seconds` on average."""
        self._waiting = deque(ratings)
        self._size = size
        self._seconds = seconds
        self._random = random.Random(seed)  # noqa: S311
        self._until: dict[int, float] = {}
        self._watching: dict[int, NamedMovie] = {}

    def watching(self, now: float) -> list[tuple[int, NamedMovie]]:
        """(user id, movie) of all who are watching at a moment (seconds)."""
        for user_id in [user_id for user_id, until in self._until.items() if until <= now]:
            del self._until[user_id], self._watching[user_id]
        while len(self._watching) < self._size and (place := self._find_next()) is not None:
            user_id, movie = self._waiting[place]
            self._watching[user_id] = movie
            self._until[user_id] = now + self._seconds * self._random.uniform(0.3, 1.7)
            del self._waiting[place]
        return list(self._watching.items())

    def _find_next(self) -> int | None:
        """Who watches already watches their next movie afterwards."""
        return next((place for place, (user, _) in enumerate(self._waiting) if user not in self._watching), None)
