"""What the views work with: one set of repositories per process."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from flask import Flask, current_app

from common.settings import Settings
from common.times import NEVER
from graph.database import Database
from graph.repositories.erasures import Erasures
from graph.repositories.history import History
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from graph.repositories.models import Models
from graph.repositories.movies import Movies
from graph.repositories.recommendations import RecommendationList, Recommendations
from graph.repositories.stars import Stars
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
from stream.writer import apply_events

KEY = "recommender"
# Traversals at a time in one process, and requests that may wait for their turn (docs/benchmarks.md).
THREADS = 3
WAITING = 24
# Which events fit onto the log is known well enough by a figure so old.
BACKLOG_SECONDS = 1.0


@dataclass(frozen=True)
class Write:
    """What one request writes: logged events, or lists under their batch ids."""

    events: Sequence[Event] = ()
    lists: Sequence[tuple[str, RecommendationList]] = ()


@dataclass
class Components:
    """The repositories, each made at its first use: a driver must not be older than the process that uses it."""

    settings: Settings
    streams_ended: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def database(self) -> Database:
        """The database, with short limits: somebody waits for each answer."""
        return Database.from_settings(self.settings, interactive=True)

    @cached_property
    def movies(self) -> Movies:
        """The catalogue."""
        return Movies(self.database)

    @cached_property
    def history(self) -> History:
        """What users did."""
        return History(self.database)

    @cached_property
    def models(self) -> Models:
        """The model in use."""
        return Models(self.database)

    @cached_property
    def recommendations(self) -> Recommendations:
        """The traversals."""
        return Recommendations(self.database, self.settings.history_limit, self.settings.current)

    @cached_property
    def stars(self) -> Stars:
        """Predicted stars."""
        return Stars(self.database)

    @cached_property
    def ingest(self) -> Ingest:
        """Writes."""
        return Ingest(self.database, timedelta(days=self.settings.hit_window))

    @cached_property
    def erasures(self) -> Erasures:
        """Who is erased."""
        return Erasures(self.database, self.settings.erased_file)

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        return open_log(self.settings)

    @cached_property
    def backlog(self) -> SingleFlight[int]:
        """How many events the graph is behind the log."""
        return SingleFlight(lambda: measure_backlog(self.log, self.ingest), BACKLOG_SECONDS)

    @cached_property
    def pusher(self) -> Broadcaster:
        """Pushes what changes to those who follow."""
        return Broadcaster(self.ingest, self.recommendations, self.follower, self.streams_ended)

    @cached_property
    def follower(self) -> ChangeFeed:
        """What has changed in the graph."""
        return ChangeFeed(self.ingest, self.settings.deadline / 2)

    @cached_property
    def cache(self) -> AnswerCache:
        """Answers that still hold."""
        return AnswerCache(self.follower)

    @cached_property
    def workshop(self) -> BoundedExecutor:
        """Where views are done."""
        return BoundedExecutor(THREADS, WAITING, self.settings.deadline)

    @cached_property
    def finishers(self) -> BoundedExecutor:
        """Where lists are made for those who have just finished a movie: they do not queue behind those who browse."""
        return BoundedExecutor(THREADS, WAITING, self.settings.deadline)

    @cached_property
    def writes(self) -> GroupCommit[Write, set[int]]:
        """Writes to the graph; tells which users of logged events are erased, so that nothing of them was kept."""
        rules = FinishRules.from_settings(self.settings)

        def commit(writes: list[Write]) -> set[int]:
            events = [event for write in writes for event in write.events]
            lists = [entry for write in writes for entry in write.lists]

            def work(batch: IngestTransaction) -> set[int]:
                if events:
                    apply_events(batch, events, rules)
                if lists:
                    batch.store_lists(lists)
                until = batch.find_erased({event.user_id for event in events if event.user_id})
                return {user_id for user_id, moment in until.items() if moment == NEVER}

            return self.ingest.transact(work)

        return GroupCommit("writes", commit)

    def apply(self, events: list[Event]) -> int:
        """Bring logged events into the graph at once; returns how many edges were taken back."""
        rules = FinishRules.from_settings(self.settings)
        return self.ingest.transact(lambda batch: apply_events(batch, events, rules))

    def close(self) -> None:
        """End what goes on in the background, and all connections."""
        self.end_streams()
        if "follower" in self.__dict__:
            self.follower.end()
        for name in ("workshop", "finishers"):
            if name in self.__dict__:
                getattr(self, name).end()
        if "database" in self.__dict__:
            self.database.close()

    def end_streams(self) -> None:
        """Let those who follow go, and who comes yet: perhaps from another process that stops, too."""
        self.streams_ended.set()
        if "pusher" in self.__dict__:
            self.pusher.end()


def install(app: Flask, settings: Settings) -> None:
    """Give an app its access."""
    app.extensions[KEY] = Components(settings)


def components() -> Components:
    """The current app's access."""
    access = current_app.extensions[KEY]
    if not isinstance(access, Components):
        raise TypeError(f"app.extensions[{KEY!r}] is no Components")
    return access
