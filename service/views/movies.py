"""The catalogue."""

from flask import abort
from flask_openapi3 import APIBlueprint, Tag

from graph.repositories.movies import Movie, ScoredMovie
from service import schemas
from service.components import components
from service.http.policy import About, reads, writes
from service.http.responses import Reply, reply

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


def _get_movie(movie_id: int) -> Movie:
    found = components().movies.get_movie(movie_id)
    if found is None:
        abort(404, f"there is no movie {movie_id}")
    return found


def _reply_list(found: list[ScoredMovie]) -> Reply:
    return reply(schemas.MovieList(movies=found))
