"""One run of a load: no other beside it, failures in one clear line, and how long each step took."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from common.commands import translated_system_failures
from common.errors import RecommenderError
from common.files import exclusive
from common.settings import Settings

logger = logging.getLogger(__name__)

TAKEN = "another load is running: wait for its end, or end it; then run the same command again"


@contextmanager
def only_load(settings: Settings) -> Iterator[None]:
    """One load at a time on this data folder, its failures told."""
    with told_failures(), exclusive(settings.data / "load.lock", TAKEN):
        yield


@contextmanager
def told_failures() -> Iterator[None]:
    """A full disk, other failures of the system, and Ctrl-C become a RecommenderError."""
    try:
        with translated_system_failures():
            yield
    except KeyboardInterrupt:
        raise RecommenderError("stopped. The same command again goes on after what is complete") from None


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Log how long a step took."""
    begin = time.monotonic()
    yield
    logger.info("%s in %.1f s", what, time.monotonic() - begin)
