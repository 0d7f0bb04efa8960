"""Follows the graph's sequence, once per process, for all that must know what changed."""

import threading
import time

from common.background import UNTIL_WOKEN, BackgroundLoops
from common.errors import RecommenderError
from graph.errors import DatabaseUnavailableError
from graph.repositories.ingest import Changes, Ingest

FOLLOW_SECONDS = 0.02
# While nothing changes and nobody asks, though somebody listens: each question costs Neo4j 3 ms of a core.
QUIET_SECONDS = 0.05
LIVELY_SECONDS = 1.0
FAILURE_SECONDS = 0.5
# What is known of the graph is at most so old when it is used: less than the 100 ms that answers may be behind.
FRESH_SECONDS = 0.08
# Nobody has wanted to know for so long: no more asking until somebody does.
IDLE_SECONDS = 5.0
# Users whose last change is remembered; beyond, it is as if something had changed for everybody.
REMEMBERED_USERS = 100_000


class ChangeFeed:
    """Asks for changes in a background loop, while somebody wants to know: every 20 ms, or 50 if all is quiet.

    Each answer that names a change makes a new version of what this process knows.
    """

    def __init__(self, ingest: Ingest, patience: float, loops: BackgroundLoops) -> None:
        """`patience`: seconds that Neo4j has to say what has changed."""
        self._ingest = ingest
        self._patience = patience
        self._state = threading.Condition()
        self._loop = loops.add("change feed", self._ask, FAILURE_SECONDS)
        self._idle = True
        self._wanted_at = self._asked_at = self._lively_at = float("-inf")
        self._asking_since = 0.0
        self._failure: Exception | None = None
        self._sequence = 0
        self._model: str | None = None
        self._version = 0
        self._changed_for_all = 0
        self._changed: dict[int, int] = {}

    def await_fresh(self) -> int:
        """The version of what is in the graph, or was at most FRESH_SECONDS before.

        Raises what asking raised last, and DatabaseUnavailableError if Neo4j has not answered for as long as the
        patience lasts.
        """
        with self._state:
            self._want()
            self._lively_at = self._wanted_at
            oldest = self._wanted_at - FRESH_SECONDS
            patience = max(0.0, self._asking_since + self._patience - time.monotonic())
            is_known = self._state.wait_for(lambda: self._failure or self._asked_at > oldest, patience)
            if isinstance(self._failure, RecommenderError):
                raise type(self._failure)(str(self._failure))
            if self._failure is not None:
                raise DatabaseUnavailableError(f"what has changed is not known: {self._failure}")
            if not is_known:
                raise DatabaseUnavailableError("Neo4j does not say in time what has changed")
            return self._version

    def get_sequence(self) -> int:
        """Where the sequence is, or was at most FRESH_SECONDS before. Raises as await_fresh does."""
        self.await_fresh()
        return self._sequence

    def await_sequence(self, known: int, seconds: float) -> int:
        """Wait until the sequence is not at a known number any more; returns where it is."""
        with self._state:
            self._want()
            self._state.wait_for(lambda: self._version and self._sequence != known, seconds)
            return self._sequence if self._version else known

    def has_changed(self, user_id: int | None, since: int) -> bool:
        """Whether anything about a user (None: about anybody) has changed since a version."""
        with self._state:
            newest = self._version if user_id is None else self._changed.get(user_id, 0)
            return max(newest, self._changed_for_all) > since

    @property
    def changed_for_all(self) -> int:
        """The version with which something changed last for everybody."""
        return self._changed_for_all

    def has_heard_of(self, user_id: int) -> bool:
        """Whether something about this very user has changed lately."""
        with self._state:
            return user_id in self._changed

    def _want(self) -> None:
        self._wanted_at = time.monotonic()
        if self._idle:
            self._asking_since, self._failure, self._idle = self._wanted_at, None, False
            self._loop.wake()

    def _ask(self) -> float:
        """Ask once what has changed; returns the seconds until it is worth asking again."""
        with self._state:
            self._asking_since = began = time.monotonic()
            if began - self._wanted_at >= IDLE_SECONDS:
                self._idle = True
                return UNTIL_WOKEN
        try:
            self._take(self._ingest.read_changes(self._sequence), began)
        except Exception as error:
            self._fail(error)
            raise
        return FOLLOW_SECONDS if began - self._lively_at < LIVELY_SECONDS else QUIET_SECONDS

    def _fail(self, error: Exception) -> None:
        """Let nobody wait for what does not come."""
        with self._state:
            self._failure = error
            self._state.notify_all()

    def _take(self, changes: Changes, asked_at: float) -> None:
        with self._state:
            if changes.sequence != self._sequence or changes.model != self._model:
                self._version += 1
                self._lively_at = asked_at
                self._note(changes)
                self._sequence, self._model = changes.sequence, changes.model
            self._asked_at, self._failure = asked_at, None
            self._state.notify_all()

    def _note(self, changes: Changes) -> None:
        about = changes.user_ids
        known = about is not None and changes.model == self._model
        if about is None or not known or len(self._changed) + len(about) > REMEMBERED_USERS:
            self._changed, self._changed_for_all = {}, self._version
        else:
            self._changed.update(dict.fromkeys(about, self._version))
