"""For notebooks: the graph as py2neo objects, and pandas tables of it. The only module that uses py2neo."""

import json
from typing import Any

import pandas as pd
from py2neo import Graph
from py2neo.ogm import GraphObject, Property, RelatedFrom, RelatedTo

from common.settings import Settings
from graph.credentials import read_password
from graph.queries import query


class Movie(GraphObject):
    """A movie. What an edge says is had from its list: `movie.similar.get(other, "weight")`."""

    __primarykey__ = "movieId"

    movie_id = Property("movieId")
    title = Property()
    year = Property()
    genres = Property()
    rating_count = Property("ratingCount")
    rating_mean = Property("ratingMean")

    similar = RelatedTo("Movie", "SIMILAR")
    raters = RelatedFrom("User", "RATED")
    viewers = RelatedFrom("User", "WATCHED")


class User(GraphObject):
    """A user, and the movies they have to do with: `user.rated.get(movie, "rating")`."""

    __primarykey__ = "userId"

    user_id = Property("userId")

    rated = RelatedTo(Movie, "RATED")
    watched = RelatedTo(Movie, "WATCHED")
    liked = RelatedTo(Movie, "LIKED")
    listed = RelatedTo(Movie, "LISTED")
    recommended = RelatedTo(Movie, "RECOMMENDED")


def connect(settings: Settings | None = None) -> Graph:
    """The configured graph; by default as the environment says. `User.match(graph, 1).first()` is user 1."""
    settings = settings or Settings.from_environment()
    auth = (settings.neo4j_user, read_password(settings))
    return Graph(settings.bolt_uri, auth=auth, name=settings.neo4j_database)


def ratings_per_year(graph: Graph, users: int = 1000) -> pd.DataFrame:
    """year, ratings, mean: the ratings of so many users by the year they were given in."""
    return _table(graph, "count_ratings_by_year", users=users).set_index("year")


def popularity(graph: Graph) -> pd.DataFrame:
    """movieId, title, year, ratings, mean, share of all movies, most ratings first; `share` is cumulated."""
    movies = _table(graph, "read_popularity")
    return movies.astype({"year": "Int64"}).assign(share=movies["ratings"].cumsum() / max(1, movies["ratings"].sum()))


def taste(graph: Graph, user_id: int) -> pd.DataFrame:
    """kind (genre, or decade where genres are not known), ratings, mean, above (stars above the mean of all kinds)."""
    kinds = _table(graph, "read_taste", userId=user_id)
    usual = (kinds["mean"] * kinds["ratings"]).sum() / max(1, kinds["ratings"].sum())
    return kinds.assign(above=kinds["mean"] - usual).set_index("kind")


def neighbourhood(graph: Graph, movie_id: int, neighbours: int = 12) -> pd.DataFrame:
    """source, target, weight: the SIMILAR edges among a movie and those most similar to it."""
    return _table(graph, "read_neighbourhood", movieId=movie_id, neighbours=neighbours)


def accuracy(graph: Graph) -> pd.DataFrame:
    """One row a version of the model, the newest first, with a column for each measure it was judged by."""
    versions = _table(graph, "list_accuracy").set_index("version")
    measures = [json.loads(text or "{}") for text in versions.pop("metrics")]
    return versions.join(pd.DataFrame(measures, index=versions.index))


def _table(graph: Graph, name: str, **parameters: Any) -> pd.DataFrame:
    text = query(f"explore/{name}")
    result = graph.run(text, parameters)
    return pd.DataFrame(result.data(), columns=result.keys())
