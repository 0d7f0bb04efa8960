"""What a process of the service works with, made at one moment by one owner, and closed with it."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from flask import Flask, current_app

from common.background import BackgroundLoops
from common.settings import Settings
from graph.database import Database
from graph.repositories.deletions import Deletions
from graph.repositories.erasures import Erasures
from graph.repositories.history import History
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.models import Models
from graph.repositories.movies import Movies
from graph.repositories.recommendations import RecommendationList, Recommendations
from graph.repositories.stars import Stars
from graph.repositories.unknown_movies import UnknownMovies
from service.capacity.answer_cache import AnswerCache
from service.capacity.executor import BoundedExecutor
from service.capacity.group_commit import GroupCommit
from service.capacity.single_flight import SingleFlight
from service.push.broadcaster import Broadcaster
from service.push.change_feed import ChangeFeed
from stream.backlog import measure_backlog
from stream.event_log import open_log
from stream.event_log.base import EventLog
from stream.events import Event
from stream.viewings import FinishRules
from stream.writer import Applied, apply_events

logger = logging.getLogger(__name__)

KEY = "recommender"
# Traversals at a time in one process, and requests that may wait for their turn (docs/benchmarks.md).
THREADS = 3
WAITING = 24
# Which events fit onto the log is known well enough by a figure so old.
BACKLOG_SECONDS = 1.0
# Of a process that ends, for what its loops are doing.
END_SECONDS = 1.0

Made = TypeVar("Made")


class Lazy(Generic[Made]):
    """Something that is made when it is first asked for, by one thread; if that fails, the next one tries again."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self.made: Made | None = None

    def get(self) -> Made:
        """It. Raises what making it raises."""
        with self._lock:
            if self.made is None:
                self.made = self._make()
            return self.made


@dataclass(frozen=True)
class Write:
    """What one request writes: logged events, lists under their batch ids, or of which movies events are refused."""

    events: Sequence[Event] = ()
    lists: Sequence[tuple[str, RecommendationList]] = ()
    refused: Mapping[int, int] = field(default_factory=dict)


class Components:
    """The repositories, loops and executors of one process.

    Made after gunicorn has forked: a driver must not be older than the process that uses it. Nothing connects before
    it is used, and no thread begins.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.budget = settings.budget
        self._rules = FinishRules.from_settings(settings)
        self._log = Lazy(lambda: open_log(settings))
        self.loops = BackgroundLoops()
        self.database = Database.from_settings(settings, interactive=True)
        self.movies = Movies(self.database)
        self.history = History(self.database)
        self.models = Models(self.database)
        self.recommendations = Recommendations(self.database, settings.history_limit, settings.current)
        self.stars = Stars(self.database)
        self.ingest = Ingest(self.database, timedelta(days=settings.hit_window))
        self.deletions = Deletions(self.database)
        self.unknown_movies = UnknownMovies(self.database)
        self.erasures = Erasures(self.database, settings.erased_file)
        self.backlog = SingleFlight(lambda: measure_backlog(self.log, self.ingest), BACKLOG_SECONDS)
        self.changes = ChangeFeed(self.ingest, self.budget.freshness, self.loops)
        self.cache = AnswerCache(self.changes)
        self.broadcaster = Broadcaster(self.ingest, self.recommendations, self.changes, self.loops)
        self.views = BoundedExecutor("views", THREADS, WAITING, self.budget.deadline)
        # Lists for those who have just finished a movie do not queue behind those who browse.
        self.finishes = BoundedExecutor("finishes", THREADS, WAITING, self.budget.deadline)
        self.writes = GroupCommit("writes", self._commit, self.loops)

    @property
    def log(self) -> EventLog:
        """The event log. Raises EventLogError if it cannot be opened."""
        return self._log.get()

    def apply(self, events: list[Event]) -> Applied:
        """Bring logged events into the graph at once."""
        return self.ingest.transact(lambda batch: apply_events(batch, events, self._rules))

    def close(self) -> None:
        """End what goes on in the background, and all connections."""
        self.broadcaster.end()
        self.loops.end(END_SECONDS)
        self.views.end()
        self.finishes.end()
        if self._log.made is not None:
            self._log.made.close()
        self.database.close()
        logger.info("all connections are closed")

    def _commit(self, writes: list[Write]) -> Applied:
        """Commit a group; returns what became of its events."""
        events = [event for write in writes for event in write.events]
        lists = [entry for write in writes for entry in write.lists]
        refused = sum((Counter(write.refused) for write in writes), Counter[int]())

        def work(batch: IngestTransaction) -> Applied:
            applied = apply_events(batch, events, self._rules) if events else Applied()
            if lists:
                batch.store_lists(lists)
            if refused:
                batch.note_refused(refused)
            return applied

        return self.ingest.transact(work)


def install(app: Flask, settings: Settings) -> None:
    """Make an app's components."""
    app.extensions[KEY] = Components(settings)


def components_of(app: Flask) -> Components:
    """An app's components."""
    found = app.extensions[KEY]
    if not isinstance(found, Components):
        raise TypeError(f"app.extensions[{KEY!r}] is no Components")
    return found


def components() -> Components:
    """The current app's components."""
    return components_of(current_app)
