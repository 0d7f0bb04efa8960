"""Loops in the background: one owner names, starts and watches them, and stops them together."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from common.errors import RecommenderError

logger = logging.getLogger(__name__)

# What a step returns that is not to be called again before `wake`.
UNTIL_WOKEN = float("inf")
FAILURE_SECONDS = 1.0
# A loop that has failed for so long is reported; a failure or two are normal, as while Neo4j starts.
FAILING_SECONDS = 5.0
LONGEST_WAIT = 3600.0
# The same failure again and again is logged so seldom.
LOGGED_SECONDS = 60.0


@dataclass(frozen=True)
class Failure:
    """What a loop's steps have raised since a moment (monotonic seconds)."""

    since: float
    error: Exception


class BackgroundLoop:
    """Calls a step again and again in a thread of its own, waiting in between as many seconds as the step returns.

    Whatever a step raises is logged, the same once a minute, and the step is called again after a pause.
    """

    def __init__(self, name: str, step: Callable[[], float], pause: float = FAILURE_SECONDS) -> None:
        """`pause`: seconds after a step that failed."""
        self.name = name
        self._step = step
        self._pause = pause
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._logged_at = float("-inf")
        self.failure: Failure | None = None

    def start(self) -> None:
        """Begin, unless it has begun, or ended, already."""
        with self._lock:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Call the step now, or again once it is done; begin if need be."""
        self._woken.set()
        if self._thread is None:
            self.start()

    def ask_to_end(self) -> None:
        """Call the step no more."""
        with self._lock:
            self._ended.set()
        self._woken.set()

    def await_end(self, seconds: float) -> bool:
        """Whether the last step was done within so many seconds."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            if self._ended.is_set():
                return
            self._woken.wait(min(self._call(), LONGEST_WAIT))

    def _call(self) -> float:
        try:
            seconds = self._step()
        except Exception as error:
            self._note(error)
            return self._pause
        self.failure = None
        return seconds

    def _note(self, error: Exception) -> None:
        now = time.monotonic()
        if self.failure is None or str(self.failure.error) != str(error) or now - self._logged_at > LOGGED_SECONDS:
            self._logged_at = now
            if isinstance(error, RecommenderError):
                logger.warning("%s: %s", self.name, error)
            else:
                logger.error("%s: an unexpected error", self.name, exc_info=error)
        self.failure = Failure(self.failure.since if self.failure else now, error)


class BackgroundLoops:
    """The loops of one process."""

    def __init__(self) -> None:
        self._loops: list[BackgroundLoop] = []

    def add(self, name: str, step: Callable[[], float], pause: float = FAILURE_SECONDS) -> BackgroundLoop:
        """A loop that begins with `start`, or when it is woken first."""
        loop = BackgroundLoop(name, step, pause)
        self._loops.append(loop)
        return loop

    def start(self) -> None:
        """Begin all."""
        for loop in self._loops:
            loop.start()

    @property
    def names(self) -> list[str]:
        """Of all loops."""
        return [loop.name for loop in self._loops]

    def failing(self) -> dict[str, Exception]:
        """What the loops raise that have done nothing but fail for FAILING_SECONDS, by name."""
        before = time.monotonic() - FAILING_SECONDS
        failures = {loop.name: loop.failure for loop in self._loops}
        return {name: failure.error for name, failure in failures.items() if failure and failure.since <= before}

    def end(self, seconds: float) -> list[str]:
        """End all, waiting so many seconds in all; the names of those whose last step still goes on."""
        for loop in self._loops:
            loop.ask_to_end()
        deadline = time.monotonic() + seconds
        return [loop.name for loop in self._loops if not loop.await_end(max(0.0, deadline - time.monotonic()))]
