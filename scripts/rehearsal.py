"""A finish that is taken back, so that Neo4j has planned what a finish asks before the first one comes."""

from contextlib import suppress

from common.errors import RecommenderError
from common.settings import Settings
from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.ingest_transaction import IngestTransaction
from stream.events import API, Event, EventType
from stream.viewings import FinishRules
from stream.writer import apply_events


class RehearsedError(RecommenderError):
    """All went well, and is to be taken back."""


def rehearse_finish(settings: Settings) -> None:
    """Apply a finish and roll it back: a Neo4j just started takes longer for its first than an answer may."""
    finish = Event(type=EventType.FINISHED, source=API, at=utc_now(), user_id=1, movie_id=318)

    def rehearse(batch: IngestTransaction) -> None:
        apply_events(batch, [finish], FinishRules.from_settings(settings))
        batch.close()
        raise RehearsedError

    with Database.from_settings(settings) as database, suppress(RehearsedError):
        Ingest(database).transact(rehearse)
