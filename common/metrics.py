"""Where the processes of one machine count together: /metrics of the service adds up what all of them wrote.

prometheus_client looks for its folder when it is imported, and keeps what it counts in files there, one set a process.
"""

import os
import shutil
import sys
from contextlib import ExitStack
from errno import ENOSPC
from itertools import count
from pathlib import Path

from common.commands import translated_system_failures
from common.files import LockedError, exclusive
from common.settings import Settings

# Of what people wait for: from an answer of this process's memory to one that is given up.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# The files are mapped into memory with holes: on a full disk, filling one ends the process without a word (SIGBUS).
LEAST_ROOM = 16 << 20

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

    What an earlier process has left there is removed: to Prometheus that is a restart. Raises RecommenderError if the
    disk is full.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("share_metrics must be called before prometheus_client is imported")
    with translated_system_failures():
        for number in count():
            folder = metrics_root(settings) / f"{part}-{number}"
            try:
                _held.enter_context(exclusive(folder / "lock", f"{folder} is another process's"))
            except LockedError:
                continue
            for left in folder.glob("*.db"):
                left.unlink()
            if (free := shutil.disk_usage(folder).free) < LEAST_ROOM:
                raise OSError(ENOSPC, f"{free >> 20} MB are free, {LEAST_ROOM >> 20} needed", str(folder))
            os.environ[VARIABLE] = str(folder)
            return
