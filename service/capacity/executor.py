"""A bounded executor: work with a deadline, and no more of it at a time than can be done."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from common.errors import RecommenderError
from service.health.metrics import MISSED_DEADLINES, SHED_REQUESTS

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class DeadlineError(RecommenderError):
    """It takes longer than an answer may."""


class OverloadedError(RecommenderError):
    """More is asked for than can be answered in time."""


class ShareError(RecommenderError):
    """One client asks for more than its share."""


class BoundedExecutor:
    """Does work in threads of its own, so that what hangs holds up neither the answer nor the rest of the process."""

    def __init__(self, name: str, threads: int, waiting: int, seconds: float) -> None:
        """So many `threads`, so much work `waiting` for one, and `seconds` from the order to the answer."""
        self._seconds = seconds
        self._room = threading.BoundedSemaphore(threads + waiting)
        self._pool = ThreadPoolExecutor(threads, name)

    def end(self) -> None:
        """Begin nothing more; what is being done goes on."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def do(self, work: Callable[[], Result], seconds: float | None = None) -> Result:
        """Do work within the current request. What is late goes on, and its result is dropped.

        Raises OverloadedError at once if there is no room, DeadlineError when the time is up.
        """
        if not self._room.acquire(blocking=False):
            SHED_REQUESTS.inc()
            raise OverloadedError("more is asked for than can be answered in time; try again")
        future = self._pool.submit(copy_context().run, work)
        future.add_done_callback(lambda _: self._room.release())
        try:
            return future.result(self._seconds if seconds is None else seconds)
        except TimeoutError:
            future.cancel()
            MISSED_DEADLINES.inc()
            raise DeadlineError("it took longer than an answer may; try again") from None

    def guarded(self, view: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """A view that is done here."""

        @wraps(view)
        def guarded_view(*args: Any, **kwargs: Any) -> Result:
            return self.do(lambda: view(*args, **kwargs))

        return guarded_view
