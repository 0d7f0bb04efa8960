"""How much memory each process takes: prometheus_client's own collector is not there where several processes count."""

import psutil
from prometheus_client import Gauge

# Of each process that lives, with its pid.
RESIDENT_MEMORY = Gauge(
    "recommender_resident_memory_bytes",
    "Memory that a process of this part takes (RSS)",
    ["part"],
    multiprocess_mode="liveall",
)


def note_memory(part: str) -> None:
    """Count what this process takes now; to be called about once a second."""
    RESIDENT_MEMORY.labels(part).set(psutil.Process().memory_info().rss)
