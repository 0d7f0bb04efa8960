"""Forgetting users and deleted movies: what events of them led to is removed; the writer drops what comes again."""

import logging
from datetime import timedelta

from common.times import utc_now
from graph.repositories.deletions import Deletions
from graph.repositories.erasures import Erasures, Removal
from stream.deadletters import drop_letters_of
from stream.event_log.base import EventLog

logger = logging.getLogger(__name__)

STEP_SECONDS = 1.0
# Who asks for an erasure removes the user, to tell how much that was; the worker comes to what is left then.
GRACE = timedelta(seconds=10)


def erase_user(log: EventLog, erasures: Erasures, user_id: int, seconds: float = float("inf")) -> Removal:
    """Remove what is kept of a user whose tombstone is in the graph; what takes longer than so many seconds is left."""
    removal = erasures.remove(user_id, seconds)
    drop_letters_of(log, user_id)
    erasures.copy()
    return removal


def finish_erasures(log: EventLog, erasures: Erasures) -> float:
    """Remove users whose tombstone came by the log, or whose removal was interrupted; returns when to look again."""
    for user_id in erasures.find_unfinished(utc_now() - GRACE):
        removal = erase_user(log, erasures, user_id)
        logger.info("user %d is erased: %d edges", user_id, sum(removal.edges.values()))
    return STEP_SECONDS


def finish_deletions(deletions: Deletions) -> float:
    """Remove deleted movies whose removal was interrupted; returns when to look again."""
    for movie_id in deletions.find_unfinished(utc_now() - GRACE):
        deletions.remove(movie_id)
        logger.info("movie %d is deleted", movie_id)
    return STEP_SECONDS
