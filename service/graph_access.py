"""What the views work with: one set of repositories per process."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from flask import Flask, current_app

from graph.database import Database
from graph.repositories.history import History
from graph.repositories.ingest import Ingest
from graph.repositories.models import Models
from graph.repositories.movies import Movies
from graph.repositories.recommendations import Recommendations
from graph.settings import Settings
from service.push import Pusher
from stream.backlog import Backlog
from stream.log import EventLog
from stream.logs import open_log

KEY = "recommender"


@dataclass
class GraphAccess:
    """The repositories, each made at its first use: a driver must not be older than the process that uses it."""

    settings: Settings

    @cached_property
    def database(self) -> Database:
        """The database, with short limits: somebody waits for each answer."""
        return Database.from_settings(self.settings, interactive=True)

    @cached_property
    def movies(self) -> Movies:
        """The catalogue."""
        return Movies(self.database, self.settings.trending_half_life)

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
        return Recommendations(
            self.database, self.settings.history_limit, trending_half_life=self.settings.trending_half_life
        )

    @cached_property
    def ingest(self) -> Ingest:
        """Writes."""
        return Ingest(self.database, timedelta(days=self.settings.hit_window))

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        return open_log(self.settings)

    @cached_property
    def backlog(self) -> Backlog:
        """How far the graph is behind the log."""
        return Backlog(self.log, self.ingest, self.settings.largest_backlog)

    @cached_property
    def pusher(self) -> Pusher:
        """Pushes what changes to those who follow."""
        return Pusher(self.ingest, self.recommendations)

    def end_streams(self) -> None:
        """Let those who follow go, if there are any."""
        if "pusher" in self.__dict__:
            self.pusher.end()


def install(app: Flask, settings: Settings) -> None:
    """Give an app its access."""
    app.extensions[KEY] = GraphAccess(settings)


def graph_access() -> GraphAccess:
    """The current app's access."""
    access = current_app.extensions[KEY]
    if not isinstance(access, GraphAccess):
        raise TypeError(f"app.extensions[{KEY!r}] is no GraphAccess")
    return access
