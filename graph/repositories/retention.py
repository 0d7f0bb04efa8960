"""How long what users did is kept: what is older goes, in bounded transactions."""

from datetime import datetime, timedelta

from common.settings import Settings
from graph.repositories.ingest import Ingest

# So many edges a transaction: writers wait for its end.
EDGES = 2_000


def retain(ingest: Ingest, settings: Settings, now: datetime) -> dict[str, int]:
    """Do all retention jobs; how many edges each closed or removed."""
    bounds = {
        "close_open_viewings": timedelta(hours=settings.open_viewing_hours),
        "remove_old_viewings": _days(settings.viewings_days),
        "remove_old_marks": _days(settings.interactions_days),
        "remove_old_batches": _days(settings.hit_window),
    }
    return {job: _repeat(ingest, job, now - kept) for job, kept in bounds.items() if kept is not None}


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _repeat(ingest: Ingest, job: str, before: datetime) -> int:
    edges = 0
    while done := ingest.transact(lambda batch: batch.retain(job, before, EDGES)):
        edges += done
    return edges
