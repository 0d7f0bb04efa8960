"""What the loads share: one at a time, stages that tell their time, failures that are told in one clear line."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.commands import told_system_failures
from common.errors import RecommenderError
from common.files import exclusive
from common.settings import Settings
from common.times import utc_now
from engine.dataset import Dataset
from loader.staging import Report, stage

logger = logging.getLogger(__name__)

TAKEN = "another load is running: wait for its end, or end it; then run the same command again"

# Takes the report as soon as there is one, before anything is changed.
Teller = Callable[[Report], object]


@contextmanager
def loading(settings: Settings) -> Iterator[None]:
    """One load at a time on this data folder, its failures told."""
    with told_failures(), exclusive(settings.data / "load.lock", TAKEN):
        yield


@contextmanager
def told_failures() -> Iterator[None]:
    """A full disk, other failures of the system, and Ctrl-C become a RecommenderError."""
    try:
        with told_system_failures():
            yield
    except KeyboardInterrupt:
        raise RecommenderError("stopped. The same command again goes on after what is complete") from None


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Log how long a stage took."""
    begin = time.monotonic()
    yield
    logger.info("%s in %.1f s", what, time.monotonic() - begin)


def stage_checked(path: Path, settings: Settings, tolerance: float, tell: Teller, *, quiet: bool) -> Dataset:
    """Stage an input, tell where its lines went, and hold it to the tolerance."""
    with timed("staged"):
        dataset = stage(path, settings.staging, latest=utc_now() + settings.future, quiet=quiet)
    report = Report.of(dataset)
    tell(report)
    report.check_tolerance(tolerance)
    return dataset


def remove_other_datasets(dataset: Dataset) -> None:
    """Remove all staged ratings but these."""
    for folder in dataset.folder.parent.glob("*/"):
        if folder != dataset.folder:
            Dataset(folder).remove()
