"""Figures of what the recommendations are worth."""

from datetime import timedelta

from flask_openapi3 import APIBlueprint, Tag

from graph.repositories.feedback import measure_feedback
from graph.times import utc_now
from service import schemas
from service.graph_access import graph_access
from service.problems import PROBLEMS
from service.responses import Reply, reply

blueprint = APIBlueprint(
    "stats", __name__, url_prefix="/v1/stats", abp_tags=[Tag(name="operations")], abp_responses=PROBLEMS
)


@blueprint.get("/feedback", responses={200: schemas.Feedback})
def feedback(query: schemas.FeedbackQuery) -> Reply:
    """How many of the stored recommendations were watched, how soon, and at which rank.

    Lists older than the hit window (RECOMMENDER_HIT_WINDOW) are not kept, and not counted.
    """
    days = min(query.days, graph_access().settings.hit_window)
    found = measure_feedback(graph_access().database, utc_now() - timedelta(days=days))
    return reply(schemas.Feedback.model_validate(found))
