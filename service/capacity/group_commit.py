"""Group commit: what requests of one process write at the same time shares one transaction."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from graph.errors import DatabaseUnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST_GROUP = 200


class GroupCommit(Generic[Item, Result]):
    """Writes what is handed in meanwhile whenever it is done with the last group; in a thread from the first use on."""

    def __init__(self, name: str, commit: Callable[[list[Item]], Result]) -> None:
        self._name = name
        self._commit = commit
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Result]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self, item: Item, seconds: float) -> Result:
        """Returns when the item is committed, with what the commit of its group returned.

        Raises what the commit raised, and DatabaseUnavailableError when the time is up: it may yet be committed.
        """
        try:
            return self.submit(item).result(seconds)
        except TimeoutError:
            raise DatabaseUnavailableError("Neo4j does not write in time") from None

    def submit(self, item: Item) -> Future[Result]:
        """Returns at once; the future tells what became of it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        future: Future[Result] = Future()
        self._waiting.put((item, future))
        return future

    def _run(self) -> None:
        while True:
            group = [self._waiting.get()]
            while len(group) < LARGEST_GROUP and not self._waiting.empty():
                group.append(self._waiting.get())
            self._write_group(group)

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
