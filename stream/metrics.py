"""What the worker counts."""

from prometheus_client import Counter, Gauge, Histogram

FEED_CALLS = Counter("recommender_feed_calls_total", "Calls to the live feed by outcome", ["outcome"])
FEED_ROWS = Counter("recommender_feed_rows_total", "Rows of the live feed by outcome", ["outcome"])
FEED_CIRCUIT_OPEN = Gauge(
    "recommender_feed_circuit_open",
    "1 while the feed counts as down and is only tried now and then",
    multiprocess_mode="max",
)
LOOP_FAILING = Gauge(
    "recommender_worker_loop_failing",
    "1 while a loop of the worker does nothing but fail",
    ["loop"],
    multiprocess_mode="max",
)
WEBHOOK_DELIVERIES = Counter(
    "recommender_webhook_deliveries_total", "Lists for the webhook by what became of them", ["outcome"]
)
EVENTS_APPLIED = Counter("recommender_events_applied_total", "Records of the event log applied to the graph")
FINISH_TO_LIST_SECONDS = Histogram(
    "recommender_finish_to_list_seconds",
    "From a finish to its stored recommendations, by the worker",
    buckets=(0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0),
)

# Also what has not happened yet is there, as 0: rates and alerts need a first value.
for _outcome in ("answered", "failed", "unreadable"):
    FEED_CALLS.labels(_outcome)
for _outcome in ("decoded", "unreadable"):
    FEED_ROWS.labels(_outcome)
for _outcome in ("delivered", "failed", "given_up"):
    WEBHOOK_DELIVERIES.labels(_outcome)
