"""Recommendations for many users at once."""

import time
from http import HTTPStatus

from flask_openapi3 import APIBlueprint, Tag

from common.errors import RecommenderError
from graph.errors import DatabaseUnavailableError
from graph.repositories.recommendations import RecommendationList
from service import schemas
from service.capacity.executor import DeadlineError
from service.components import Components, components
from service.http.policy import asks
from service.http.responses import Reply, reply
from service.views.prices import USER_LISTS

blueprint = APIBlueprint("batch", __name__, url_prefix="/v1", abp_tags=[Tag(name="users")])


@blueprint.post("/recommendations", responses={200: schemas.RecommendationLists, 207: schemas.ListsInTime})
@asks(leads_to={"users_recommend": {"userId": "/lists/0/userId"}}, deadline=False, price=USER_LISTS)
def recommend(body: schemas.BatchBody) -> Reply:
    """What up to 100 users should watch next: for each the list that they would get alone.

    200: all lists. 207: those that were made in time, and for each user whether the list is among them; ask for the
    others again, fewer at a time. 503: none was made in time.
    """
    access = components()
    made: list[RecommendationList] = []
    failure: RecommenderError = DeadlineError("no list was made in time; try again")
    until = time.monotonic() + access.budget.batch
    try:
        access.views.do(lambda: _make_lists(access, body, until, made))
    except (DeadlineError, DatabaseUnavailableError) as error:
        failure = error
    in_time = made.copy()  # a late list may still be added
    if not in_time:
        raise failure
    return _reply_lists(body, in_time)


def _make_lists(access: Components, body: schemas.BatchBody, until: float, made: list[RecommendationList]) -> None:
    """Make one list after the other, and begin none when the time is up.

    So a batch takes one connection and one core from those who ask for one list. All in one query would hold the
    histories and candidates of all users in memory at once.
    """
    keep = body.movie_filter()
    for user_id in body.user_ids:
        if time.monotonic() > until:
            return
        found = access.recommendations.recommend_for_user(user_id, body.limit, body.offset, keep, current=body.current)
        made.append(found)


def _reply_lists(body: schemas.BatchBody, made: list[RecommendationList]) -> Reply:
    if len(made) == len(body.user_ids):
        return reply(schemas.RecommendationLists(lists=made))
    statuses = [HTTPStatus.OK] * len(made) + [HTTPStatus.SERVICE_UNAVAILABLE] * (len(body.user_ids) - len(made))
    results = [
        schemas.ListResult(user_id=user_id, status=status)
        for user_id, status in zip(body.user_ids, statuses, strict=True)
    ]
    return reply(schemas.ListsInTime(lists=made, results=results), HTTPStatus.MULTI_STATUS)
