"""For those who operate the service."""

import logging

from flask_openapi3 import APIBlueprint, Tag

from graph.errors import DatabaseUnavailableError, RecommenderError
from graph.schema import require_known_schema
from service import schemas
from service.graph_access import graph_access
from service.responses import Reply, reply

logger = logging.getLogger(__name__)

blueprint = APIBlueprint("health", __name__, url_prefix="/health", abp_tags=[Tag(name="operations")])


@blueprint.get("/live", responses={200: schemas.Liveness})
def live() -> Reply:
    """The process answers."""
    return reply(schemas.Liveness())


@blueprint.get("/ready", responses={200: schemas.Readiness, 503: schemas.Readiness})
def ready() -> Reply:
    """Whether requests can be answered: Neo4j with a model, tried by a real traversal, and the event log."""
    parts = {"neo4j": _model_state(), "eventLog": _log_state()}
    answer = schemas.Readiness(ready=all(part.ready for part in parts.values()), parts=parts)
    return reply(answer, 200 if answer.ready else 503)


def _model_state() -> schemas.PartState:
    try:
        require_known_schema(graph_access().database)
        model = graph_access().models.get_current_model()
        graph_access().recommendations.recommend_for_session((), limit=1)
    except RecommenderError as error:
        return schemas.PartState(ready=False, detail=str(error))
    if model is None:
        return schemas.PartState(ready=False, detail="no model: run `python -m loader bulk PATH`")
    return schemas.PartState(ready=True, detail=f"model {model.version}, {model.edges} edges")


def _log_state() -> schemas.PartState:
    try:
        detail = graph_access().log.check()
        graph_access().backlog.require_room()
        detail += f", the graph is {graph_access().backlog.measure()} events behind"
    except DatabaseUnavailableError:
        logger.debug("how far the graph is behind is not known while Neo4j is away")
    except RecommenderError as error:
        return schemas.PartState(ready=False, detail=str(error))
    return schemas.PartState(ready=True, detail=detail)
