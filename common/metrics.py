"""Where the processes of one machine count together: /metrics of the service adds up what all of them wrote.

prometheus_client looks for its folder when it is imported, and keeps what it counts in files there, one set a process.
"""

import logging
import os
import sys
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from common.commands import translated_system_failures
from common.disk import is_full
from common.files import LockedError, exclusive
from common.settings import Settings

logger = logging.getLogger(__name__)

# Of what people wait for: from an answer of this process's memory to one that is given up.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_held = ExitStack()  # A lock of the system's: it ends with the last process that has it, however that ends.


def metrics_root(settings: Settings) -> Path:
    """The folder with the folders of all parts."""
    return settings.data / "metrics"


def is_counting(folder: Path) -> bool:
    """Whether the process that counts in a folder lives."""
    try:
        with exclusive(folder / "lock", "it lives"):
            return False
    except LockedError:
        return True


def share_metrics(settings: Settings, part: str) -> None:
    """Give this process and those that it forks a folder to count in; the first one that no other process has.

    What an earlier process has left there is removed: to Prometheus that is a restart. Where a full disk has no room
    even for the folder, each process counts alone. Raises RecommenderError if the folder cannot be made otherwise.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("share_metrics must be called before prometheus_client is imported")
    with translated_system_failures():
        try:
            os.environ[VARIABLE] = str(_take_folder(settings, part))
        except OSError as error:
            if not is_full(error):
                raise
            logger.warning("the disk is full (%s): this process counts alone, until it is started again", error)
            return
    from prometheus_client import values

    from common.count_file import CountFile

    # tests/common/test_count_file.py pins what is relied on.
    values.MmapedDict = CountFile  # type: ignore[attr-defined, assignment]


def _take_folder(settings: Settings, part: str) -> Path:
    """The first folder of its kind that no other process has, emptied."""
    for number in count():
        folder = metrics_root(settings) / f"{part}-{number}"
        try:
            _held.enter_context(exclusive(folder / "lock", f"{folder} is another process's"))
        except LockedError:
            continue
        for left in folder.glob("*.db"):
            left.unlink()
        return folder
    raise AssertionError("there are numbers without end")
