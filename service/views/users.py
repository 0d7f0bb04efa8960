"""What a user is offered, why, and what the user did."""

from flask import abort
from flask_openapi3 import APIBlueprint, Tag

from service import schemas
from service.graph_access import graph_access
from service.problems import PATH_PROBLEMS, PROBLEMS
from service.responses import Reply, reply

# Draws one explanation in Neo4j Browser: the user, the movies of the history, the edges to the recommended movie.
DRAWING = """\
MATCH (catalogue:Catalogue)
MATCH path = (user:User {{userId: {user_id}}})-[:RATED|WATCHED|LIKED|LISTED|CLICKED]->(:Movie)
             -[similar:SIMILAR]->(:Movie {{movieId: {movie_id}}})
WHERE similar.version IN [catalogue.model, "incremental"]
RETURN path
ORDER BY abs(similar.weight) DESC
LIMIT 25"""

blueprint = APIBlueprint(
    "users",
    __name__,
    url_prefix="/v1/users/<int:userId>",
    abp_tags=[Tag(name="users")],
    abp_responses={**PROBLEMS, **PATH_PROBLEMS},
)


@blueprint.get("/recommendations", responses={200: schemas.Recommendations})
def recommend(path: schemas.UserPath, query: schemas.FilterQuery) -> Reply:
    """What the user should watch next: from the history, then what is trending, then what is popular.

    Pages fit together, each movie once, until no rated movie is left. A user who is not known gets what is trending.
    """
    found = graph_access().recommendations.recommend_for_user(
        path.user_id, query.limit, query.offset, query.movie_filter(), query.diversity
    )
    return reply(schemas.Recommendations.model_validate(found))


@blueprint.get("/recommendations/<int:movieId>/explanation", responses={200: schemas.Explanation})
def explain(path: schemas.UserMoviePath) -> Reply:
    """Why a movie is recommended to the user: every contribution, and the Cypher that draws them."""
    found = graph_access().recommendations.explain_recommendation(path.user_id, path.movie_id)
    if found is None:
        abort(404, f"movie {path.movie_id} is no candidate for user {path.user_id}: seen, or no path leads there")
    return reply(
        schemas.Explanation(
            user_id=path.user_id,
            movie_id=found.movie_id,
            title=found.title,
            score=found.score,
            because=[schemas.Reason.model_validate(reason) for reason in found.because],
            cypher=DRAWING.format(user_id=path.user_id, movie_id=path.movie_id),
        )
    )


@blueprint.get("/history", responses={200: schemas.History})
def history(path: schemas.UserPath, query: schemas.PageQuery) -> Reply:
    """The user's ratings and viewings, newest first."""
    entries = graph_access().history.get_history(path.user_id, query.offset, query.limit)
    listed = [schemas.HistoryEntry.model_validate(entry) for entry in entries]
    return reply(schemas.History(user_id=path.user_id, history=listed))
