"""The traversals on a small graph whose scores can be added up by hand."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.movies import MovieFilter
from graph.repositories.recommendations import HistoryWeights, Recommendations
from graph.times import utc_now

# No boost of the newest, so that weights are round.
PLAIN = HistoryWeights(
    rated=(-0.5, -0.5, -0.5, -0.5, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0),
    finished=1.0,
    started=0.25,
    liked=1.5,
    disliked=-1.0,
    listed=0.5,
    clicked=0.125,
    place_boost=0.0,
)

GRAPH = """
CREATE (:Model {version: 'v1'}), (:Model {version: 'v0'}), (:Catalogue {name: 'movielens', model: 'v1'})
WITH 1 AS ignored
UNWIND range(1, 9) AS id
CREATE (:Movie {movieId: id, title: 'Movie ' + id, year: 1990 + id,
                genres: [CASE id % 2 WHEN 0 THEN 'even' ELSE 'odd' END],
                ratingCount: id, ratingMean: 3.0 + id / 10.0, viewers: id})
WITH count(*) AS ignored
UNWIND [[1, 5, 0.5], [1, 6, 0.25], [2, 5, 0.25], [2, 7, 0.75], [3, 6, 1.0], [4, 8, -0.5], [4, 5, 0.125], [1, 2, 9.0],
        [2, 8, 0.25]] AS edge
MATCH (source:Movie {movieId: edge[0]}), (target:Movie {movieId: edge[1]})
CREATE (source)-[:SIMILAR {weight: edge[2], rank: 1, version: 'v1'}]->(target),
       (source)-[:SIMILAR {weight: 100.0, rank: 1, version: 'v0'}]->(target)
"""


@pytest.fixture
def filled(database: Database) -> Database:
    database.run_text(GRAPH)
    rate(database, 1, {1: 5.0, 2: 4.0, 3: 3.0, 4: 1.0})
    return database


def rate(database: Database, user_id: int, stars: dict[int, float]) -> None:
    database.run_text(
        """
        MERGE (user:User {userId: $userId}) WITH user
        UNWIND $ratings AS row
        MATCH (movie:Movie {movieId: row[0]})
        CREATE (user)-[:RATED {rating: row[1], at: localdatetime('2020-01-01T00:00:00')}]->(movie)
        """,
        userId=user_id,
        ratings=[[movie, rating] for movie, rating in stars.items()],
    )


def let_trend(database: Database, movie_id: int) -> None:
    """Somebody watched it lately."""
    database.run_text(
        "MATCH (movie:Movie {movieId: $movieId}) SET movie.recent3 = 1.0 "
        "MERGE (applied:Sequence {name: 'applied'}) SET applied.newestAt = localdatetime('1970-01-04T00:00')",
        movieId=movie_id,
    )


def interact(database: Database, user_id: int, movie_id: int, edge: str) -> None:
    database.run_text(
        f"""
        MERGE (user:User {{userId: $userId}}) WITH user
        MATCH (movie:Movie {{movieId: $movieId}})
        CREATE (user)-[:{edge}]->(movie)
        """,
        userId=user_id,
        movieId=movie_id,
        now=utc_now(),
    )


def scores(recommendations: Recommendations, user_id: int = 1, **arguments: object) -> list[tuple[int, float]]:
    """What the history leads to; the other movies that follow have no reasons."""
    found = recommendations.recommend_for_user(user_id, **arguments)  # type: ignore[arg-type]
    return [(movie.movie_id, movie.score) for movie in found.recommendations if movie.because]


def test_scores_are_sums_over_the_history(filled: Database) -> None:
    # 5: 2 · .5 + 1 · .25 − .5 · .125; 7: .75; 6: 2 · .25, the 3 stars of movie 3 count nothing; 8: .25 + .5 · .5
    assert scores(Recommendations(filled, weights=PLAIN)) == [(5, 1.1875), (7, 0.75), (6, 0.5), (8, 0.5)]


def test_reasons_are_the_terms_of_the_score(filled: Database) -> None:
    recommendations = Recommendations(filled, weights=PLAIN)
    found = recommendations.recommend_for_user(1)
    first = found.recommendations[0]
    assert [(reason.movie_id, reason.contribution) for reason in first.because] == [(1, 1.0), (2, 0.25), (4, -0.0625)]
    assert (found.basis, found.model_version, first.title, first.year) == ("history", "v1", "Movie 5", 1995)
    explained = recommendations.explain_recommendation(1, 5)
    assert explained is not None
    assert explained.score == sum(reason.contribution for reason in explained.because) == first.score
    assert recommendations.explain_recommendation(1, 2) is None


def test_what_was_seen_is_never_recommended(filled: Database) -> None:
    interact(filled, 1, 5, "WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now, source: 'feed'}")
    interact(filled, 1, 7, "LIKED {value: -1, at: $now, eventId: 'n'}")
    assert {movie for movie, _ in scores(Recommendations(filled, weights=PLAIN))} == {6, 8}


@pytest.mark.parametrize(
    ("edge", "weight"),
    [
        ("WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now, finishedAt: $now}", 1.0),
        ("WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now}", 0.25),
        ("LIKED {value: 1, at: $now}", 1.5),
        ("LIKED {value: -1, at: $now}", -1.0),
        ("LISTED {at: $now}", 0.5),
        ("CLICKED {at: $now}", 0.125),
    ],
)
def test_every_kind_of_interaction_has_its_weight(filled: Database, edge: str, weight: float) -> None:
    interact(filled, 2, 3, edge)
    assert scores(Recommendations(filled, weights=PLAIN), 2) == [(6, weight)]


def test_a_rating_tells_more_than_a_viewing(filled: Database) -> None:
    rate(filled, 3, {3: 0.5})
    interact(filled, 3, 3, "WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now, finishedAt: $now}")
    assert scores(Recommendations(filled, weights=PLAIN), 3) == [(6, -0.5)]


def test_recent_interactions_count_more(filled: Database) -> None:
    weights = HistoryWeights(finished=1.0, place_boost=1.0, place_decay=0.5)
    for movie_id, age in ((3, timedelta(0)), (2, timedelta(days=7))):
        moment = (utc_now() - age).isoformat()
        edge = f"WATCHED {{eventId: '{movie_id}', startedAt: $now, finishedAt: localdatetime('{moment}')}}"
        interact(filled, 4, movie_id, edge)
    found = dict(scores(Recommendations(filled, weights=weights), 4))
    assert found[6] == pytest.approx(2.0)
    assert found[7] == pytest.approx(0.75 * 1.5)


def test_only_the_newest_interactions_that_count_are_followed(filled: Database) -> None:
    recommendations = Recommendations(filled, history_limit=1, weights=PLAIN)
    assert scores(recommendations) == [(5, 1.0), (6, 0.5)]
    interact(filled, 1, 2, "WATCHED {eventId: 'e', startedAt: $now, finishedAt: $now}")
    assert scores(recommendations) == [(7, 0.75), (5, 0.25), (8, 0.25)]
    interact(filled, 1, 3, "CLICKED {eventId: 'c', at: $now}")
    nothing_for_clicks = Recommendations(filled, history_limit=1, weights=replace(PLAIN, clicked=0, rated=(0,) * 10))
    assert nothing_for_clicks.recommend_for_user(1).basis == "popular"


def test_the_heaviest_user_fits_in_memory(filled: Database) -> None:
    """Rows that each carry the whole history were charged with its square, and refused."""
    filled.run_text(
        "UNWIND range(1000, 18652) AS id CREATE (m:Movie {movieId: id}) "
        "MERGE (u:User {userId: 77}) CREATE (u)-[:RATED {rating: 4.0, at: localdatetime()}]->(m)"
    )
    rate(filled, 77, {1: 5.0})
    whole = Recommendations(filled, history_limit=100_000, weights=PLAIN)
    assert [movie for movie, _ in scores(whole, 77)] == [2, 5, 6]


def test_filters_and_pages(filled: Database) -> None:
    recommendations = Recommendations(filled, weights=PLAIN)
    assert scores(recommendations, limit=2, offset=1) == [(7, 0.75), (6, 0.5)]
    assert scores(recommendations, keep=MovieFilter(exclude=(5, 6))) == [(7, 0.75), (8, 0.5)]
    assert scores(recommendations, keep=MovieFilter(year_from=1996, year_to=1997)) == [(7, 0.75), (6, 0.5)]
    assert scores(recommendations, keep=MovieFilter(genre="even")) == [(6, 0.5), (8, 0.5)]
    filled.run_text("MATCH (movie:Movie {movieId: 5}) SET movie.available = false")
    assert scores(recommendations)[0] == (7, 0.75)


@pytest.mark.parametrize(("user_id", "diversity"), [(1, 0), (1, 0.9), (2, 0), (99, 0.5)])
def test_pages_fit_together_until_nothing_is_left(filled: Database, user_id: int, diversity: float) -> None:
    """User 1 has a history, 2 watched something that leads nowhere, 99 is not known; movie 4 is trending."""
    interact(filled, 2, 7, "WATCHED {eventId: 'e', startedAt: $now, finishedAt: $now}")
    interact(filled, 3, 4, "WATCHED {eventId: 'f', startedAt: $now, finishedAt: $now}")
    let_trend(filled, 4)
    recommendations = Recommendations(filled, weights=PLAIN)

    def page(size: int, offset: int) -> list[int]:
        found = recommendations.recommend_for_user(user_id, size, offset, diversity=diversity)
        return [movie.movie_id for movie in found.recommendations]

    whole = page(50, 0)
    for size in (1, 2, 3):
        assert [movie for offset in range(0, 12, size) for movie in page(size, offset)] == whole
    seen = {1: {1, 2, 3, 4}, 2: {7}, 99: set()}[user_id]
    assert sorted(whole) == sorted(set(range(1, 10)) - seen)


def test_a_session_is_recommended_for_like_finished_movies(filled: Database) -> None:
    found = Recommendations(filled, weights=PLAIN).recommend_for_session((2, 3, 12345))
    assert [(movie.movie_id, movie.score) for movie in found.recommendations if movie.because] == [
        (6, 1.0),
        (7, 0.75),
        (5, 0.25),
        (8, 0.25),
    ]
    assert [movie.movie_id for movie in found.recommendations[4:]] == [9, 4, 1]
    assert (found.basis, found.user_id) == ("history", None)


def test_a_sessions_movies_have_no_order(filled: Database) -> None:
    """Each counts alike, with the weights that are served, and none is left out, however many there are."""
    found = Recommendations(filled, history_limit=1).recommend_for_session((3, 2))
    finished = HistoryWeights().finished
    assert [(movie.movie_id, movie.score) for movie in found.recommendations if movie.because] == [
        (6, pytest.approx(finished)),
        (7, pytest.approx(0.75 * finished)),
        (5, pytest.approx(0.25 * finished)),
        (8, pytest.approx(0.25 * finished)),
    ]


def test_an_unknown_user_gets_what_is_popular_then_what_is_trending(filled: Database) -> None:
    recommendations = Recommendations(filled)
    popular = recommendations.recommend_for_user(99)
    assert (popular.basis, popular.model_version) == ("popular", None)
    assert popular.recommendations[0].movie_id == 9
    interact(filled, 5, 3, "WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now}")
    let_trend(filled, 3)
    trending = recommendations.recommend_for_user(99)
    assert (trending.basis, trending.recommendations[0].movie_id) == ("trending", 3)
    assert [movie.movie_id for movie in trending.recommendations[1:]] == [
        movie.movie_id for movie in popular.recommendations if movie.movie_id != 3
    ]
    # The one who watches it is offered something else, though the weight of a started movie is all there is.
    assert scores(recommendations, 5) == [(6, 0.25 * (1 + HistoryWeights().place_boost))]


def test_without_a_model_there_is_still_an_answer(database: Database) -> None:
    database.run_text("CREATE (:Movie {movieId: 1, title: 'Only', ratingCount: 2, ratingMean: 4.0, viewers: 2})")
    found = Recommendations(database).recommend_for_user(1)
    assert (found.basis, [movie.title for movie in found.recommendations]) == ("popular", ["Only"])


def test_a_batch_is_stored_once_and_old_ones_go(filled: Database) -> None:
    ingest, recommendations = Ingest(filled), Recommendations(filled, weights=PLAIN)
    found = recommendations.recommend_for_user(1, limit=2)
    ingest.store_lists([("first", found)])
    ingest.store_lists([("first", found)])
    edges = (
        "MATCH (:User {userId: 1})-[edge:RECOMMENDED]->(movie) RETURN edge.batchId AS batch, movie.movieId AS movie, "
    )
    rows = filled.run_text(edges + "edge.rank AS rank, edge.because AS because, edge.contributions AS contributions")
    assert {(row["batch"], row["movie"], row["rank"]) for row in rows} == {("first", 5, 1), ("first", 7, 2)}
    assert [row["because"] for row in rows if row["movie"] == 5] == [[1, 2, 4]]

    filled.run_text("MATCH ()-[edge:RECOMMENDED]->() SET edge.at = $old", old=datetime(2020, 1, 1))
    ingest.store_lists([("second", found)])
    assert {row["batch"] for row in filled.run_text(edges + "1 AS one")} == {"second"}

    [batch] = recommendations.read_recommendations_since(0, ingest.get_sequence())
    assert (batch.batch_id, batch.user_id, batch.sequence) == ("second", 1, 2)
    assert batch.recommendations == found.recommendations


def test_variety_is_traded_for_relevance(filled: Database) -> None:
    # User 1's list is 6 (0.5 and more) and others; 5 and 6 are made alike.
    filled.run_text(
        "MATCH (a:Movie {movieId: 5}), (b:Movie {movieId: 7}) "
        "CREATE (a)-[:SIMILAR {weight: 5.0, rank: 1, version: 'v1'}]->(b)"
    )
    recommendations = Recommendations(filled, weights=PLAIN)
    plain = [movie.movie_id for movie in recommendations.recommend_for_user(1).recommendations]
    varied = recommendations.recommend_for_user(1, diversity=0.9)
    assert varied.basis == "history"
    assert sorted(movie.movie_id for movie in varied.recommendations) == sorted(plain)
    assert plain.index(7) < plain.index(6)
    order = [movie.movie_id for movie in varied.recommendations]
    assert order[0] == plain[0] == 5
    assert order.index(6) < order.index(7)
    pages = [recommendations.recommend_for_user(1, limit=1, offset=place, diversity=0.9) for place in range(len(order))]
    assert [page.recommendations[0].movie_id for page in pages] == order
    assert recommendations.recommend_for_user(99, diversity=0.5).basis == "popular"
