"""What the service counts, and the answer to Prometheus: the sums over all processes of this machine."""

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from common.metrics import SECONDS, VARIABLE, is_counting
from service.capacity.single_flight import NoAnswerError

REQUESTS = Counter("recommender_http_requests_total", "Answered requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "recommender_http_request_seconds", "From a request to its answer", ["method", "route"], buckets=SECONDS
)
LISTENERS = Gauge("recommender_stream_listeners", "Listeners of /v1/stream", multiprocess_mode="livesum")
GAPS = Counter("recommender_stream_gaps_total", "Listeners of /v1/stream that had fallen too far behind")
CACHE_HITS = Counter("recommender_cache_hits_total", "Answers from the memory of a process")
CACHE_MISSES = Counter("recommender_cache_misses_total", "Answers that had to be computed")
SHED_REQUESTS = Counter("recommender_shed_requests_total", "Requests refused because there were too many")
REFUSED_EVENTS = Counter(
    "recommender_refused_events_total", "Events that were refused since no catalogue has their movie"
)
REFUSED_BODIES = Counter("recommender_refused_bodies_total", "Bodies of requests that were refused", ["reason"])
MISSED_DEADLINES = Counter("recommender_missed_deadlines_total", "Requests given up because they took too long")
FAILED_LOGINS = Counter("recommender_failed_logins_total", "Wrong keys", ["way", "outcome"])

# Also what has not happened yet is there, as 0: rates and alerts need a first value.
for _reason in ("too_large", "not_json", "unreadable", "incomplete", "no_room"):
    REFUSED_BODIES.labels(_reason)
for _way in ("page", "api"):
    for _outcome in ("wrong", "refused"):
        FAILED_LOGINS.labels(_way, _outcome)

ATTEMPTS = 5
LOOP_FAILING = "recommender_worker_loop_failing"  # stream.metrics


class SharedMetrics(Collector):
    """What all processes on this machine counted; in a process that does not share, what it counted alone."""

    def collect(self) -> Iterable[Metric]:
        """The sums."""
        folder = os.environ.get(VARIABLE)
        if folder is None:
            return [metric for metric in REGISTRY.collect() if metric.name.startswith("recommender_")]
        for _ in range(ATTEMPTS):
            files = list(find_files(Path(folder).parent))
            try:
                return list(MultiProcessCollector.merge(files))
            except (FileNotFoundError, struct.error):
                continue  # A process has just begun, and removed or not yet filled a file.
        raise NoAnswerError("the metrics cannot be read now: processes keep starting")


def find_files(root: Path) -> Iterable[str]:
    """What all processes counted; what is true of one that lives, such as its memory, of those alone."""
    for folder in root.glob("*/"):
        lives = is_counting(folder)
        yield from (str(file) for file in folder.glob("*.db") if lives or not file.name.startswith("gauge_live"))


def find_failing_loops() -> list[str]:
    """Loops of workers that run on this machine and do nothing but fail."""
    folder = os.environ.get(VARIABLE)
    if folder is None:
        return []
    files = [str(file) for file in Path(folder).parent.glob("worker-*/gauge_max_*.db") if is_counting(file.parent)]
    found = [metric for metric in MultiProcessCollector.merge(files) if metric.name == LOOP_FAILING]
    return sorted(sample.labels["loop"] for metric in found for sample in metric.samples if sample.value)
