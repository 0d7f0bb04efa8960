"""Asking something that may hang, as a frozen Neo4j does, without hanging along."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from common.errors import RecommenderError

Answer = TypeVar("Answer")

# After so long a question is asked anew beside the one that hangs: it may hang on a connection that is dead.
HUNG_SECONDS = 10.0


class NoAnswerError(RecommenderError):
    """There was no answer in time."""


class SingleFlight(Generic[Answer]):
    """A question. One thread asks it at a time; who wants to know meanwhile waits for the same answer."""

    def __init__(self, question: Callable[[], Answer], keep_seconds: float = 0.0) -> None:
        """`keep_seconds`: how long an answer, or a failure, is good enough."""
        self._question = question
        self._keep = keep_seconds
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._answer: Future[Answer] = Future()

    def ask(self) -> Future[Answer]:
        """The answer that is on its way or still good, else one that is asked for now."""
        now = time.monotonic()
        with self._lock:
            if now - self._asked_at > (self._keep if self._answer.done() else HUNG_SECONDS):
                self._asked_at, self._answer = now, Future()
                threading.Thread(target=self._fetch, args=(self._answer,), name="probe", daemon=True).start()
            return self._answer

    def _fetch(self, answer: Future[Answer]) -> None:
        try:
            answer.set_result(self._question())
        except Exception as error:
            answer.set_exception(error)


def result_of(answer: Future[Answer]) -> Answer:
    """What was answered by now. Raises NoAnswerError, or what the question raised."""
    if not answer.done():
        raise NoAnswerError("no answer in time")
    return answer.result()
