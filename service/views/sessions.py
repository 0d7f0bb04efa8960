"""Recommendations for somebody without a name."""

from flask_openapi3 import APIBlueprint, Tag

from service import schemas
from service.components import components
from service.http.policy import asks
from service.http.responses import Reply, reply
from service.views.prices import SESSION_LIST

blueprint = APIBlueprint("sessions", __name__, url_prefix="/v1/sessions", abp_tags=[Tag(name="sessions")])


@blueprint.post("/recommendations", responses={200: schemas.SessionList})
@asks(leads_to={"movies_movie": {"movieId": "/recommendations/0/movieId"}}, price=SESSION_LIST)
def recommend(body: schemas.SessionBody) -> Reply:
    """What to watch next after these movies; those that are not known are named, and count for nothing."""
    found = components().recommendations.recommend_for_session(
        tuple(body.movie_ids), body.limit, body.offset, body.movie_filter(), body.current
    )
    return reply(schemas.SessionList.of(found, components().movies.find_missing_movies(body.movie_ids)))
