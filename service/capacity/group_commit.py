"""Group commit: what requests of one process write at the same time shares one transaction."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from common.background import UNTIL_WOKEN, BackgroundLoops
from graph.errors import DatabaseUnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST_GROUP = 200


class GroupCommit(Generic[Item, Result]):
    """Writes in a background loop, a group at a time: what was handed in while the last one was written."""

    def __init__(self, name: str, commit: Callable[[list[Item]], Result], loops: BackgroundLoops) -> None:
        self._commit = commit
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Result]]] = queue.SimpleQueue()
        self._loop = loops.add(name, self._write_waiting)

    def write(self, item: Item, seconds: float) -> Result:
        """Returns when the item is committed, with what the commit of its group returned.

        Raises what the commit raised, and DatabaseUnavailableError when the time is up: it may yet be committed.
        """
        try:
            return self.submit(item).result(seconds)
        except TimeoutError:
            raise DatabaseUnavailableError("Neo4j does not write in time") from None

    def submit(self, item: Item) -> Future[Result]:
        """Returns at once; the future gets what became of it."""
        future: Future[Result] = Future()
        self._waiting.put((item, future))
        self._loop.wake()
        return future

    def _write_waiting(self) -> float:
        group: list[tuple[Item, Future[Result]]] = []
        while len(group) < LARGEST_GROUP and not self._waiting.empty():
            group.append(self._waiting.get())
        if not group:
            return UNTIL_WOKEN
        self._write_group(group)
        return 0.0

    def _write_group(self, group: list[tuple[Item, Future[Result]]]) -> None:
        try:
            result = self._commit([item for item, _ in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, DatabaseUnavailableError):
                for single in group:  # One of them is to blame, not all.
                    self._write_group([single])
            else:
                for _, future in group:
                    future.set_exception(error)
        else:
            for _, future in group:
                future.set_result(result)
