"""For those who operate the service."""

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from service import schemas
from service.health.graph_metrics import GraphMetrics
from service.health.metrics import SharedMetrics
from service.health.readiness import readiness
from service.http.policy import OPEN, SHOWN
from service.http.responses import Reply, reply

MEDIA_TYPE = "text/plain"
METRICS = {"description": "Prometheus text format", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}

blueprint = APIBlueprint("health", __name__, abp_tags=[Tag(name="operations")])


@blueprint.get("/health/live", responses={200: schemas.Liveness})
@OPEN
def live() -> Reply:
    """The process answers."""
    return reply(schemas.Liveness())


@blueprint.get("/health/ready", responses={200: schemas.Readiness, 503: schemas.Readiness})
@OPEN
def ready() -> Reply:
    """Whether requests can be answered, and which part keeps the service from it.

    Neo4j and the model are tried by a real traversal, the event log must take events, the worker must keep up.
    """
    parts = readiness().check_parts()
    answer = schemas.Readiness(ready=all(part.ready for part in parts.values()), parts=parts)
    return reply(answer, 200 if answer.ready else 503)


@blueprint.get("/metrics", responses={200: METRICS})
@SHOWN
def metrics() -> Response:
    """Metrics for Prometheus, of all processes on this machine; what is not known now is left out."""
    registry = CollectorRegistry()
    registry.register(SharedMetrics())
    registry.register(GraphMetrics(readiness().measure()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
