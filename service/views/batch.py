"""Recommendations for many users at once."""

import time

from flask_openapi3 import APIBlueprint, Tag

from service import schemas
from service.capacity.executor import DeadlineError
from service.components import components
from service.http.policy import asks
from service.http.responses import Reply, reply

blueprint = APIBlueprint("batch", __name__, url_prefix="/v1", abp_tags=[Tag(name="users")])


@blueprint.post("/recommendations", responses={200: schemas.RecommendationLists})
@asks(leads_to={"users_recommend": {"userId": "/lists/0/userId"}})
def recommend(body: schemas.BatchBody) -> Reply:
    """What up to 100 users should watch next: for each the list that they would get alone."""
    access = components()
    until = time.monotonic() + access.settings.deadline
    # One after the other, so that a batch takes one connection and one core from those who ask for one list. All in one
    # query would hold the histories and candidates of all users in memory at once.
    lists = []
    for user_id in body.user_ids:
        if time.monotonic() > until:  # nobody waits for the answer any more
            raise DeadlineError("it took longer than an answer may; ask for fewer users at a time")
        found = access.recommendations.recommend_for_user(
            user_id, body.limit, body.offset, body.movie_filter(), current=body.current
        )
        lists.append(found)
    return reply(schemas.RecommendationLists(lists=lists))
