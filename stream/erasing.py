"""Forgetting users and deleted movies: what events of them led to is removed; the writer drops what comes again."""

import logging
import time
from datetime import datetime, timedelta

from common.times import utc_now
from graph.repositories.deletions import Deletions
from graph.repositories.erasures import Erasures, Removal
from stream.deadletters import drop_letters_of
from stream.event_log.base import EventLog

logger = logging.getLogger(__name__)

STEP_SECONDS = 1.0
# Who asks for an erasure removes the user, to tell how much that was; the worker comes to what is left then.
GRACE = timedelta(seconds=10)
# What still comes of those who are erased, as from the feed, and what was left for want of time, stays for so long.
FORGET_SECONDS = 3600.0


def erase_user(log: EventLog, erasures: Erasures, user_id: int, seconds: float = float("inf")) -> Removal:
    """Remove what is kept of a user whose tombstone is in the graph; what takes longer than so many seconds is left."""
    began = time.monotonic()
    removal = erasures.remove(user_id, seconds)
    _clear_log(log, {user_id}, began + seconds - time.monotonic())
    erasures.copy()
    return removal


def finish_erasures(log: EventLog, erasures: Erasures) -> float:
    """Remove users whose tombstone came by the log, or whose removal was interrupted; returns when to look again."""
    for user_id in erasures.find_unfinished(utc_now() - GRACE):
        removal = erase_user(log, erasures, user_id)
        logger.info("a user is erased: %d edges", sum(removal.edges.values()))
    return STEP_SECONDS


def finish_deletions(deletions: Deletions) -> float:
    """Remove deleted movies whose removal was interrupted; returns when to look again."""
    for movie_id in deletions.find_unfinished(utc_now() - GRACE):
        deletions.remove(movie_id)
        logger.info("movie %d is deleted", movie_id)
    return STEP_SECONDS


def forget_erased(log: EventLog, erasures: Erasures) -> float:
    """Clear the log of all that are erased; returns when to do it again."""
    asked_at = utc_now()  # who comes back after this moment, comes back with what happens after it
    erased = {one.user_id for one in erasures.read() if one.lifted_at is None}
    if erased and (records := _clear_log(log, erased, before=asked_at)):
        logger.info("%d records of erased users are removed from the event log", records)
    return FORGET_SECONDS


def _clear_log(log: EventLog, user_ids: set[int], seconds: float = float("inf"), before: datetime | None = None) -> int:
    """Remove the events, from up to a moment (now), and dead letters of some users; returns how many that were."""
    return drop_letters_of(log, user_ids) + log.forget(user_ids, before or utc_now(), seconds)
