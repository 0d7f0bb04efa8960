"""Answers that were given already, served again for as long as nothing they tell of has changed.

Whom an answer is about decides how long it holds: one user's history and list until something happens to that user, but
no more than ten minutes, since what others watch is in a list, too; everything else until anything happens at all.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from graph.repositories.recommendations import CURRENT_FOR
from service.push.change_feed import ChangeFeed

LARGEST_BYTES = 64 << 20
# Titles may come to be known with no change that is told, what is trending decays, and a list's current part gets old.
OLDEST_SECONDS = CURRENT_FOR.total_seconds()
OLDEST_TRENDING_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A body with its ETag, what the process knew when it was asked for, and about whom it is (None: everybody)."""

    body: bytes
    etag: str
    user_id: int | None
    version: int
    made_at: float


class AnswerCache:
    """The latest answers of one process, by path and query. The least used go first, and the old ones in any case."""

    def __init__(self, changes: ChangeFeed) -> None:
        self._changes = changes
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._emptied_at = 0  # the version of what is known

    def get(self, key: str) -> Answer | None:
        """The answer, if it still holds. The change feed must be fresh."""
        with self._lock:
            self._empty_if_all_changed()
            answer = self._answers.get(key)
            if answer is None:
                return None
            oldest = OLDEST_TRENDING_SECONDS if answer.user_id is None else OLDEST_SECONDS
            if time.monotonic() - answer.made_at > oldest or self._changes.has_changed(answer.user_id, answer.version):
                self._drop(key)
                return None
            self._answers.move_to_end(key)
            return answer

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer, if it still holds."""
        with self._lock:
            self._empty_if_all_changed()
            if answer.version < self._emptied_at:
                return
            self._drop(key)
            self._answers[key] = answer
            self._bytes += len(answer.body)
            while self._bytes > LARGEST_BYTES or self._made_first() < answer.made_at - OLDEST_SECONDS:
                self._drop(next(iter(self._answers)))

    def _empty_if_all_changed(self) -> None:
        """Nothing is kept that holds no more for anybody, as after a user is erased: nobody may ask for it again."""
        if self._changes.changed_for_all > self._emptied_at:
            self._answers.clear()
            self._bytes, self._emptied_at = 0, self._changes.changed_for_all

    def _made_first(self) -> float:
        """When the least used answer was made."""
        return next(iter(self._answers.values())).made_at

    def _drop(self, key: str) -> None:
        if (answer := self._answers.pop(key, None)) is not None:
            self._bytes -= len(answer.body)
