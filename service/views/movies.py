"""The catalogue."""

import time

from flask import abort
from flask_openapi3 import APIBlueprint, Tag

from graph.repositories.movies import Movie, ScoredMovie
from service import schemas
from service.components import components
from service.http.policy import About, reads, writes
from service.http.responses import Reply, reply
from service.push.change_feed import FRESH_SECONDS

LISTED = {
    "movies_movie": {"movieId": "/movies/0/movieId"},
    "movies_similar": {"movieId": "/movies/0/movieId"},
}

blueprint = APIBlueprint("movies", __name__, url_prefix="/v1/movies", abp_tags=[Tag(name="movies")])


@blueprint.get("", responses={200: schemas.MovieList})
@reads(About.EVERYBODY, LISTED)
def search(query: schemas.SearchQuery) -> Reply:
    """Movies by title; accents and one-letter typos are forgiven. Also those that are not available."""
    return _reply_list(components().movies.search_movies(query.query, query.offset, query.limit))


@blueprint.get("/popular", responses={200: schemas.MovieList})
@reads(About.EVERYBODY, LISTED)
def popular(query: schemas.PageQuery) -> Reply:
    """The movies watched by most people; a rating of at least three stars counts as watched."""
    return _reply_list(components().movies.find_popular_movies(query.offset, query.limit))


@blueprint.get("/trending", responses={200: schemas.MovieList})
@reads(About.EVERYBODY, LISTED)
def trending(query: schemas.PageQuery) -> Reply:
    """The movies watched most lately: of what happened, half counts after some days."""
    return _reply_list(components().movies.find_trending_movies(query.offset, query.limit))


@blueprint.get("/genres", responses={200: schemas.GenreList})
@reads(About.EVERYBODY)
def genres() -> Reply:
    """The genres of the catalogue."""
    found = components().movies.list_genres()
    return reply(schemas.GenreList(genres=found))


@blueprint.get("/unknown", responses={200: schemas.UnknownMovieList})
@reads()
def unknown(query: schemas.PageQuery) -> Reply:
    """Movies that events speak of and no catalogue has, the most frequent first; none of them is offered."""
    found = components().unknown_movies.list(query.offset, query.limit)
    return reply(schemas.UnknownMovieList(movies=found))


@blueprint.get("/<int:movieId>", responses={200: schemas.Movie})
@reads(About.EVERYBODY, {"movies_similar": {"movieId": "/movieId"}})
def movie(path: schemas.MoviePath) -> Reply:
    """One movie."""
    return reply(_get_movie(path.movie_id))


@blueprint.get("/<int:movieId>/similar", responses={200: schemas.MovieList})
@reads(About.EVERYBODY, LISTED)
def similar(path: schemas.MoviePath, query: schemas.PageQuery) -> Reply:
    """The movies most similar to one."""
    _get_movie(path.movie_id)
    return _reply_list(components().movies.find_similar_movies(path.movie_id, query.offset, query.limit))


@blueprint.get("/<int:movieId>/ratings", responses={200: schemas.RatingCounts})
@reads(About.EVERYBODY)
def ratings(path: schemas.MoviePath) -> Reply:
    """How the movie was rated: ratings by stars and by year."""
    movie = _get_movie(path.movie_id)
    counted = components().movies.count_ratings(path.movie_id)
    return reply(schemas.RatingCounts.of(movie, counted))


@blueprint.put(
    "/<int:movieId>",
    responses={200: schemas.Movie, 201: schemas.Movie},
)
@writes(deadline=True, leads_to={"movies_movie": {"movieId": "/movieId"}, "movies_similar": {"movieId": "/movieId"}})
def put(path: schemas.MoviePath, body: schemas.MovieBody) -> Reply:
    """Make a movie (201), or change all that is told of it.

    From the moment of the answer a movie that is not available is recommended to nobody.
    """
    created = components().ingest.transact(
        lambda batch: batch.put_movie(path.movie_id, body.title, body.year, body.genres, body.available)
    )
    return reply(_get_movie(path.movie_id), 201 if created else 200)


@blueprint.delete("/<int:movieId>", responses={200: schemas.DeletedMovie, 202: schemas.DeletedMovie})
@writes(deadline=True)
def delete(path: schemas.MoviePath) -> Reply:
    """Delete a movie and what happened with it. From the moment of the answer no process offers it to anybody.

    200: removed. 202: withdrawn, and its ratings, viewings and marks are being removed; the worker sees to the rest.
    What happens with it later counts as with any movie that is in no catalogue; PUT alone brings it back.
    """
    access = components()
    if not access.deletions.withdraw(path.movie_id):
        abort(404, f"there is no movie {path.movie_id}")
    complete = access.deletions.remove(path.movie_id, access.budget.erase)
    time.sleep(FRESH_SECONDS)  # other processes may know so late that what they have answered holds no more
    return reply(schemas.DeletedMovie(movie_id=path.movie_id, applied=complete), 200 if complete else 202)


def _get_movie(movie_id: int) -> Movie:
    found = components().movies.get_movie(movie_id)
    if found is None:
        abort(404, f"there is no movie {movie_id}")
    return found


def _reply_list(found: list[ScoredMovie]) -> Reply:
    return reply(schemas.MovieList(movies=found))
