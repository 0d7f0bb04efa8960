"""What a user is offered, why, and what the user did; and the right to be forgotten."""

import logging

from flask import abort
from flask_openapi3 import APIBlueprint, Tag

from common.times import utc_now
from graph.errors import DatabaseRefusedError, DatabaseUnavailableError
from graph.favourites import draw_recommendation
from graph.repositories.recommendations import LIST_LENGTH, RecommendationList
from service import schemas
from service.components import components
from service.http.policy import About, reads, writes
from service.http.responses import Reply, reply
from service.views.prices import ERASURE, PREDICTIONS, USER_LIST
from stream.erasing import erase_user
from stream.events import API, Event, EventType

logger = logging.getLogger(__name__)

REMOVED = {
    "RATED": "ratings",
    "WATCHED": "viewings",
    "LIKED": "likes",
    "LISTED": "listings",
    "CLICKED": "clicks",
    "RECOMMENDED": "recommendations",
}

blueprint = APIBlueprint(
    "users",
    __name__,
    url_prefix="/v1/users/<int:userId>",
    abp_tags=[Tag(name="users")],
)


@blueprint.get("/recommendations", responses={200: schemas.RecommendationList})
@reads(
    About.USER,
    {
        "users_explain": {"userId": "/userId", "movieId": "/recommendations/0/movieId"},
        "users_history": {"userId": "/userId"},
        "users_predict": {"userId": "/userId", "movies": "/recommendations/0/movieId"},
        "movies_movie": {"movieId": "/recommendations/0/movieId"},
    },
    price=USER_LIST,
)
def recommend(path: schemas.UserPath, query: schemas.FilterQuery) -> Reply:
    """What the user should watch next: by the history and by what is current, then the other watched movies.

    Pages fit together, each movie once, until no watched movie is left, or 1,000 were listed. A user who is not known
    gets what is current. What the user does changes the list at once; what others do, within ten minutes
    (`generatedAt`).
    """
    found = _find_stored(path.user_id, query) or components().recommendations.recommend_for_user(
        path.user_id, query.limit, query.offset, query.movie_filter(), query.diversity, query.current
    )
    answer = _predict_ratings(path.user_id, found) if query.stars else found
    return reply(answer, generated_at=found.generated_at)


@blueprint.get("/recommendations/<int:movieId>/explanation", responses={200: schemas.Explanation})
@reads(About.USER)
def explain(path: schemas.UserMoviePath, query: schemas.ExplanationQuery) -> Reply:
    """Why a movie is recommended to the user: all that adds up to its score, and the Cypher that draws it.

    A list that was asked for with `current` is explained with the same.
    """
    now = utc_now()
    found = components().recommendations.explain_recommendation(path.user_id, path.movie_id, query.current)
    if found is None:
        why = "seen, not available, or nobody has watched it"
        abort(404, f"movie {path.movie_id} is no candidate for user {path.user_id}: {why}")
    return reply(
        schemas.Explanation(
            user_id=path.user_id,
            movie_id=found.movie_id,
            title=found.title,
            generated_at=now,
            score=found.score,
            current=found.current,
            because=found.because,
            cypher=draw_recommendation(path.user_id, path.movie_id),
        )
    )


@blueprint.get("/predictions", responses={200: schemas.Predictions})
@reads(About.USER, price=PREDICTIONS)
def predict(path: schemas.UserPath, query: schemas.PredictionsQuery) -> Reply:
    """How many stars the user would give some movies, and which of the user's ratings say so.

    A user who is not known gets each movie's mean, with a wide interval. Movies that are not known are named.
    """
    movie_ids = query.movie_ids()
    found = components().stars.predict_stars(path.user_id, movie_ids)
    known = {prediction.movie_id for prediction in found}
    answer = schemas.Predictions(
        user_id=path.user_id,
        model_version=found[0].model_version if found else None,
        predictions=found,
        unknown_movies=[movie_id for movie_id in dict.fromkeys(movie_ids) if movie_id not in known],
    )
    return reply(answer)


@blueprint.get("/history", responses={200: schemas.UserHistory})
@reads(About.USER, {"movies_movie": {"movieId": "/history/0/movieId"}})
def history(path: schemas.UserPath, query: schemas.PageQuery) -> Reply:
    """The user's ratings and viewings, newest first."""
    entries = components().history.get_history(path.user_id, query.offset, query.limit)
    return reply(schemas.UserHistory(user_id=path.user_id, history=entries))


@blueprint.delete("", responses={200: schemas.ErasedUser, 202: schemas.ErasedUser})
@writes(deadline=True, price=ERASURE)
def erase(path: schemas.UserPath) -> Reply:
    """Forget a user: all edges, and whatever comes again or later, until that is lifted.

    200: removed. 202: on the durable log, and under way or waiting for Neo4j; the worker removes what is left.
    """
    access = components()
    events = access.log.append([Event(type=EventType.ERASED, source=API, at=utc_now(), user_id=path.user_id)])
    try:
        access.apply(events)
        removal = erase_user(access.log, access.erasures, path.user_id, access.budget.erase)
    except (DatabaseUnavailableError, DatabaseRefusedError) as error:
        logger.warning("an erasure is logged, not applied yet: %s", error)
        return reply(schemas.ErasedUser(user_id=path.user_id, applied=False, removed=None), 202)
    removed = schemas.RemovedEdges(**{REMOVED[kind]: count for kind, count in removal.edges.items()})
    erased = schemas.ErasedUser(user_id=path.user_id, applied=removal.complete, removed=removed)
    return reply(erased, 200 if removal.complete else 202)


def _find_stored(user_id: int, query: schemas.FilterQuery) -> RecommendationList | None:
    """The list that a finish has just led to, perhaps in another process, if it answers the query."""
    access = components()
    plain = query.model_copy(update={"limit": LIST_LENGTH}) == schemas.FilterQuery()
    if not plain or query.limit > LIST_LENGTH or not access.changes.has_heard_of(user_id):
        return None
    found = access.recommendations.get_current_list(user_id)
    if found is None or len(found.recommendations) < LIST_LENGTH:  # it may be being stored just now
        return None
    return found.with_movies(found.recommendations[: query.limit])


def _predict_ratings(user_id: int, found: RecommendationList) -> RecommendationList:
    movie_ids = [movie.movie_id for movie in found.recommendations]
    predictions = components().stars.predict_stars(user_id, movie_ids)
    stars = {prediction.movie_id: prediction.stars for prediction in predictions}
    movies = [
        movie.model_copy(update={"predicted_rating": stars.get(movie.movie_id)}) for movie in found.recommendations
    ]
    return found.with_movies(movies)
