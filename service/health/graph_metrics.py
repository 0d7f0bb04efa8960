"""Figures of the graph, the event log and the disks, so that any process says the same: looked up, not counted."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from common.times import utc_now
from service.health.readiness import Measurements


class GraphMetrics(Collector):
    """Gauges of what was found out; what is not known is absent."""

    def __init__(self, figures: Measurements) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        yield self._ready()
        figures, model = self._figures, self._figures.model
        age = (utc_now() - model.fitted_at).total_seconds() if model else None
        for name, told, value in (
            ("neo4j_up", "1 if Neo4j answers", float(figures.parts["neo4j"].ready)),
            ("event_log_lag_events", "Events on the log that are not in the graph yet", figures.backlog),
            (
                "webhook_lag_seconds",
                "How long the first list waits for the webhook",
                figures.webhook_lag,
            ),
            ("dead_letters", "Dead letters that are kept", figures.dead_letters),
            ("hit_rate", "Share of the last day's lists of which a movie was watched", figures.hit_rate),
            ("model_age_seconds", "Since the model in use was fitted", age),
            ("model_edges", "SIMILAR edges of the model in use", model.edges if model else None),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"recommender_{name}", told, value)
        if figures.free is not None:
            yield self._free(figures.free)

    def _free(self, free: dict[str, int]) -> Metric:
        gauge = GaugeMetricFamily("recommender_disk_free_bytes", "Free where a folder is", labels=["folder"])
        for folder, size in free.items():
            gauge.add_metric([folder], float(size))
        return gauge

    def _ready(self) -> Metric:
        gauge = GaugeMetricFamily("recommender_ready", "1 if the part is ready", labels=["part"])
        for part, state in self._figures.parts.items():
            gauge.add_metric([part], float(state.ready))
        return gauge
