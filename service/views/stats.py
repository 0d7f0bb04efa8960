"""Figures of what the recommendations are worth, and the model that they come from."""

from datetime import datetime, timedelta

from flask_openapi3 import APIBlueprint, Tag

from common.times import utc_now
from graph.repositories.feedback import measure_feedback, measure_reach
from service import schemas
from service.components import components
from service.http.policy import reads
from service.http.responses import Reply, reply
from service.views.prices import REACH

blueprint = APIBlueprint("stats", __name__, url_prefix="/v1/stats", abp_tags=[Tag(name="operations")])


@blueprint.get("/feedback", responses={200: schemas.Feedback})
@reads()
def feedback(query: schemas.FeedbackQuery) -> Reply:
    """How many of the stored recommendations were watched, how soon, and at which rank.

    Lists older than the hit window (RECOMMENDER_HIT_WINDOW) are not kept, and not counted; of very many, the latest
    100,000 recommendations count.
    """
    return reply(measure_feedback(components().database, _since(query)))


@blueprint.get("/reach", responses={200: schemas.Reach})
@reads(price=REACH)
def reach(query: schemas.FeedbackQuery) -> Reply:
    """How much of the catalogue the stored lists offer, and how popular that is."""
    return reply(measure_reach(components().database, _since(query)))


@blueprint.get("/model", responses={200: schemas.ModelVersions})
@reads()
def model() -> Reply:
    """The model in use and earlier versions: from what they were fitted, by what they serve, and how well they did."""
    models, settings = components().models, components().settings
    found = schemas.ModelVersions(
        catalogue=models.get_catalogue(),
        current=models.get_current_model(),
        overrides=schemas.Overrides(current=settings.current, history_limit=settings.history_limit),
        versions=models.list_models(),
    )
    return reply(found)


def _since(query: schemas.FeedbackQuery) -> datetime:
    return utc_now() - timedelta(days=min(query.days, components().settings.hit_window))
