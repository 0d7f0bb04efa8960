"""What the repositories count."""

from prometheus_client import Histogram

# Of what people wait for: from an answer of this process's memory to one that is given up.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)

TRAVERSAL_SECONDS = Histogram(
    "recommender_traversal_seconds", "One recommendation traversal in Neo4j, seen from here", buckets=SECONDS
)
