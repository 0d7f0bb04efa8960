"""The retention job of the leading worker: the graph's old edges, and old dead letters."""

import logging

from common.settings import Settings
from common.times import utc_now
from graph.repositories.ingest import Ingest
from graph.repositories.retention import retain
from stream.backlog import measure_backlog
from stream.deadletters import drop_old_letters
from stream.event_log.base import EventLog
from stream.writer import BATCH

logger = logging.getLogger(__name__)

EVERY_SECONDS = 3600.0
LATER_SECONDS = 60.0


def retain_all(log: EventLog, ingest: Ingest, settings: Settings) -> dict[str, int]:
    """Close or remove all that is older than it is kept; how much of each."""
    now = utc_now()
    done = retain(ingest, settings, now)
    return done | {"drop_old_letters": drop_old_letters(log, now, settings)}


def retain_hourly(log: EventLog, ingest: Ingest, settings: Settings) -> float:
    """The same as a step of the worker, unless it is catching up; returns the seconds until the next one."""
    if measure_backlog(log, ingest) >= BATCH:  # what ended a viewing that looks forgotten may be there
        return LATER_SECONDS
    if done := {job: count for job, count in retain_all(log, ingest, settings).items() if count}:
        logger.info("retention: %s", ", ".join(f"{job} {count}" for job, count in done.items()))
    return EVERY_SECONDS
