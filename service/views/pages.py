"""What people look at: frames of pages, which fill themselves from the REST API."""

from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from common.errors import RecommenderError
from graph.queries import query
from graph.repositories.movies import Movie
from service.access.logins import COOKIE
from service.components import components
from service.http.policy import SHOWN

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True)
class Source:
    """Where a part of a page comes from: a REST call and the Cypher behind it."""

    what: str
    path: str
    query: str

    @property
    def cypher(self) -> str:
        """The query's text."""
        return query(self.query)


@blueprint.get("/")
@SHOWN
def live() -> ResponseReturnValue:
    """Viewings and fresh recommendations as they happen."""
    return render_page(
        "live.html",
        Source("Viewings as they start and finish", "/v1/stream?recent=40", "read_viewings_since"),
        Source("Fresh lists", "/v1/stream?recent=40", "read_recommendations_since"),
        Source("Hits", "/v1/stats/feedback", "measure_feedback"),
    )


@blueprint.get("/users/<int:userId>")
@SHOWN
def user(userId: int) -> ResponseReturnValue:  # noqa: N803
    """One user: history, recommendations, and why."""
    return render_page(
        "user.html",
        Source("Recommendations and their explanation", f"/v1/users/{userId}/recommendations", "recommend_movies"),
        Source("Predicted stars", f"/v1/users/{userId}/predictions?movies=318,260", "predict_stars"),
        Source("History", f"/v1/users/{userId}/history", "get_history"),
        user_id=userId,
    )


@blueprint.get("/movies/<int:movieId>")
@SHOWN
def movie(movieId: int) -> ResponseReturnValue:  # noqa: N803
    """One movie: facts, ratings, and similar movies."""
    found, known = find_movie(movieId)
    if known and found is None:
        return render_page("missing.html", movie_id=movieId), HTTPStatus.NOT_FOUND
    return render_page(
        "movie.html",
        Source("Facts", f"/v1/movies/{movieId}", "get_movie"),
        Source("Ratings by stars and year", f"/v1/movies/{movieId}/ratings", "count_ratings"),
        Source("Similar movies", f"/v1/movies/{movieId}/similar", "find_similar_movies"),
        movie_id=movieId,
        movie=found,
    )


@blueprint.get("/search")
@SHOWN
def search() -> ResponseReturnValue:
    """Movies by title, as one types."""
    return render_page(
        "search.html",
        Source("Search by title", "/v1/movies?query=terminatr", "search_movies"),
        Source("The most watched", "/v1/movies/popular", "find_popular_movies"),
    )


@blueprint.get("/model")
@SHOWN
def model() -> ResponseReturnValue:
    """The model in use, and what it recommends."""
    return render_page(
        "model.html",
        Source("Version in use", "/v1/stats/model", "get_current_model"),
        Source("Coverage and popularity", "/v1/stats/reach", "measure_reach"),
        Source("Hits", "/v1/stats/feedback", "measure_feedback"),
    )


def find_movie(movie_id: int) -> tuple[Movie | None, bool]:
    """The movie, and whether the graph could be asked at all."""
    access = components()
    try:
        return access.views.do(lambda: access.movies.get_movie(movie_id), access.budget.title), True
    except RecommenderError:
        return None, False


def render_page(template: str, *sources: Source, **values: object) -> Response:
    """A page, asked for again each time: who is logged in sees another one."""
    logged_in = COOKIE in request.cookies
    page = make_response(render_template(template, sources=sources, logged_in=logged_in, **values))
    page.headers["Cache-Control"] = "private, no-cache"
    return page
