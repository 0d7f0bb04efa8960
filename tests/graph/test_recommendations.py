"""The traversals on a small graph whose scores can be added up by hand."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from common.times import utc_now
from graph.database import Database
from graph.repositories.ingest import Ingest
from graph.repositories.movies import MovieFilter
from graph.repositories.recommendations import LONGEST, Recommendations
from graph.serving_rule import ServingRule

# No boost of the newest, and all movies equally current, so that a score is 1 and what the history says.
PLAIN = ServingRule(
    rated=(-0.5, -0.5, -0.5, -0.5, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0),
    finished=1.0,
    started=0.25,
    liked=1.5,
    disliked=-1.0,
    listed=0.5,
    clicked=0.125,
    place_boost=0.0,
    half_life=1,
    current=0.5,
    tastes=1e9,
    popularity_offset=1e9,
    long_run=0.0,
)

GRAPH = """
CREATE (model:Model {version: 'v1'}), (:Model {version: 'v0'}), (:Catalogue {name: 'movielens', model: 'v1'}),
       (:Sequence {name: 'applied', newestAt: localdatetime('2020-01-01T00:00:00')})
SET model += $rule
WITH 1 AS ignored
UNWIND range(1, 9) AS id
CREATE (:Movie {movieId: id, title: 'Movie ' + id, year: 1990 + id,
                genres: [CASE id % 2 WHEN 0 THEN 'even' ELSE 'odd' END],
                ratingCount: id, ratingMean: 3.0 + id / 10.0, viewers: 1, recent1: 18262.0, recent: 18262.0})
WITH count(*) AS ignored
UNWIND [[1, 5, 0.5], [1, 6, 0.25], [2, 5, 0.25], [2, 7, 0.75], [3, 6, 1.0], [4, 8, -0.5], [4, 5, 0.125], [1, 2, 9.0],
        [2, 8, 0.25]] AS edge
MATCH (source:Movie {movieId: edge[0]}), (target:Movie {movieId: edge[1]})
CREATE (source)-[:SIMILAR {weight: edge[2], rank: 1, version: 'v1'}]->(target),
       (source)-[:SIMILAR {weight: 100.0, rank: 1, version: 'v0'}]->(target)
"""


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database, PLAIN)
    rate(database, 1, {1: 5.0, 2: 4.0, 3: 3.0, 4: 1.0})
    return database


def fill(database: Database, rule: ServingRule) -> None:
    database.run_text(GRAPH, rule=rule.to_properties())


def serve_by(database: Database, rule: ServingRule) -> Recommendations:
    database.run_text("MATCH (model:Model {version: 'v1'}) SET model += $rule", rule=rule.to_properties())
    return Recommendations(database)


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


def tastes(
    recommendations: Recommendations, user_id: int = 1, total: float = 1.0, **arguments: object
) -> list[tuple[int, float]]:
    """What the history says of movies that it speaks for, times `total`, the sum of its weights."""
    found = recommendations.recommend_for_user(user_id, **arguments)  # type: ignore[arg-type]
    return [
        (movie.movie_id, round((movie.score - movie.current) * total, 6))
        for movie in found.recommendations
        if movie.because
    ]


def test_scores_are_sums_over_the_history(filled: Database) -> None:
    # 5: 2 · .5 + 1 · .25 − .5 · .125; 7: .75; 6: 2 · .25, the 3 stars of movie 3 count nothing; 8: .25 + .5 · .5
    assert tastes(Recommendations(filled), total=3.5) == [(5, 1.1875), (7, 0.75), (6, 0.5), (8, 0.5)]


def test_current_part_and_taste_make_the_score_by_the_rule(filled: Database) -> None:
    """d 2 and 1/2, p 2/4 and 3/4 of the four users; exponent 3/2 at a dial of .6."""
    filled.run_text(
        "UNWIND [[5, 2, 18263.0], [7, 3, 18261.0]] AS row MATCH (movie:Movie {movieId: row[0]}) "
        "SET movie.viewers = row[1], movie.recent1 = row[2] WITH count(*) AS ignored "
        "UNWIND [97, 98, 99] AS id CREATE (:User {userId: id})"
    )
    rule = replace(PLAIN, current=0.6, tastes=3.0, popularity_offset=0.5, long_run=4.0)
    found = {movie.movie_id: movie for movie in serve_by(filled, rule).recommend_for_user(1).recommendations}
    current = {5: (2 + 4 * 2 / 4) ** 1.5, 7: (0.5 + 4 * 3 / 4) ** 1.5}
    taste = {5: 1.1875 / 3.5, 7: 0.75 / 3.5}
    for movie_id, share in ((5, 2 / 4), (7, 3 / 4)):
        assert found[movie_id].current == pytest.approx(current[movie_id])
        wanted = current[movie_id] * (1 + 3 * taste[movie_id] / (share + 0.5))
        assert found[movie_id].score == pytest.approx(wanted)


@pytest.mark.parametrize(("dial", "first"), [(0.0, 5), (1.0, 9)])
def test_the_dial_goes_from_the_history_alone_to_what_is_current_alone(
    filled: Database, dial: float, first: int
) -> None:
    filled.run_text("MATCH (movie:Movie {movieId: 9}) SET movie.recent1 = 18270.0")
    asked = Recommendations(filled).recommend_for_user(1, current=dial)
    configured = Recommendations(filled, current=dial).recommend_for_user(1)
    chosen = serve_by(filled, replace(PLAIN, current=dial)).recommend_for_user(1)
    assert asked.recommendations == configured.recommendations == chosen.recommendations
    assert asked.recommendations[0].movie_id == first
    assert asked.basis == ("trending" if dial else "history")


def test_new_movies_appear_without_similar_edges(filled: Database) -> None:
    filled.run_text("CREATE (:Movie {movieId: 50, title: 'Premiere', viewers: 1, recent1: 18275.0, recent: 18275.0})")
    first, *others = Recommendations(filled).recommend_for_user(1).recommendations
    assert (first.movie_id, first.because, first.score) == (50, [], first.current)
    assert 5 in {movie.movie_id for movie in others}


def test_movies_without_a_title_are_offered_to_nobody(filled: Database) -> None:
    filled.run_text("MATCH (movie:Movie {movieId: 5}) REMOVE movie.title SET movie.recent1 = 18275.0")
    for user_id in (1, 99):
        found = Recommendations(filled).recommend_for_user(user_id, 100)
        assert 5 not in {movie.movie_id for movie in found.recommendations}


def test_what_is_of_one_moment_shares_the_mean_of_its_places(filled: Database) -> None:
    """Movies 3 and 2 at once, then 1: places (1 + 1/2) / 2 twice and 1/4; the ids decide nothing."""
    rule = replace(PLAIN, finished=1.0, place_boost=8.0, place_decay=0.5)
    for movie_id, day in ((3, 3), (2, 3), (1, 2)):
        moment = f"localdatetime('2020-01-0{day}T00:00:00')"
        interact(filled, 4, movie_id, f"WATCHED {{eventId: '{movie_id}', startedAt: {moment}, finishedAt: {moment}}}")
    newest, before = 1 + 8 * 0.75, 1 + 8 * 0.25
    found = dict(tastes(serve_by(filled, rule), 4, total=2 * newest + before))
    assert found[7] == pytest.approx(0.75 * newest)
    assert found[6] == pytest.approx(1.0 * newest + 0.25 * before)


def test_reasons_are_the_terms_of_the_score(filled: Database) -> None:
    recommendations = Recommendations(filled)
    found = recommendations.recommend_for_user(1)
    first = found.recommendations[0]
    contributions = [(reason.movie_id, round(reason.contribution * 3.5, 6)) for reason in first.because]
    assert contributions == [(1, 1.0), (2, 0.25), (4, -0.0625)]
    assert (found.basis, found.model_version, first.title, first.year) == ("history", "v1", "Movie 5", 1995)
    explained = recommendations.explain_recommendation(1, 5)
    assert explained is not None
    whole = explained.current + sum(reason.contribution for reason in explained.because)
    assert explained.score == pytest.approx(whole)
    assert explained.score == first.score
    assert recommendations.explain_recommendation(1, 2) is None


def test_what_was_seen_is_never_recommended(filled: Database) -> None:
    interact(filled, 1, 5, "WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now, source: 'feed'}")
    interact(filled, 1, 7, "LIKED {value: -1, at: $now, eventId: 'n'}")
    assert {movie for movie, _ in tastes(Recommendations(filled))} == {6, 8}


@pytest.mark.parametrize(
    ("edge", "weight"),
    [
        ("WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now, finishedAt: $now}", 1.0),
        ("WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now}", 0.25),
        ("LIKED {value: 1, at: $now}", 1.5),
        ("LISTED {at: $now}", 0.5),
        ("CLICKED {at: $now}", 0.125),
    ],
)
def test_every_kind_of_interaction_has_its_weight(filled: Database, edge: str, weight: float) -> None:
    rate(filled, 2, {9: 4.0})  # leads nowhere, and counts 1
    interact(filled, 2, 3, edge)
    assert tastes(Recommendations(filled), 2, total=1 + weight) == [(6, weight)]


def test_what_speaks_against_a_movie_takes_nothing_from_it(filled: Database) -> None:
    interact(filled, 2, 3, "LIKED {value: -1, at: $now}")
    found = {movie.movie_id: movie for movie in Recommendations(filled).recommend_for_user(2).recommendations}
    assert (found[6].because, found[6].score) == ([], found[6].current)


def test_a_rating_tells_more_than_a_viewing(filled: Database) -> None:
    rate(filled, 3, {3: 0.5})
    interact(filled, 3, 3, "WATCHED {eventId: 'e', startedAt: $now, lastSeenAt: $now, finishedAt: $now}")
    assert tastes(Recommendations(filled), 3) == []  # half a star, and not a finished movie


def test_recent_interactions_count_more(filled: Database) -> None:
    rule = replace(PLAIN, finished=1.0, place_boost=1.0, place_decay=0.5)
    for movie_id, age in ((3, timedelta(0)), (2, timedelta(days=7))):
        moment = (utc_now() - age).isoformat()
        edge = f"WATCHED {{eventId: '{movie_id}', startedAt: $now, finishedAt: localdatetime('{moment}')}}"
        interact(filled, 4, movie_id, edge)
    found = dict(tastes(serve_by(filled, rule), 4, total=3.5))
    assert found[6] == pytest.approx(2.0)
    assert found[7] == pytest.approx(0.75 * 1.5)


def test_only_the_newest_interactions_that_count_are_followed(filled: Database) -> None:
    """Of those of one moment the one that counts most; the others are seen, and not offered."""
    recommendations = Recommendations(filled, history_limit=1)
    assert tastes(recommendations, total=2) == [(5, 1.0), (6, 0.5)]
    assert tastes(serve_by(filled, replace(PLAIN, history_limit=1)), total=2) == [(5, 1.0), (6, 0.5)]
    interact(filled, 1, 2, "WATCHED {eventId: 'e', startedAt: $now, finishedAt: $now}")
    assert tastes(recommendations) == [(7, 0.75), (5, 0.25), (8, 0.25)]
    interact(filled, 1, 3, "CLICKED {eventId: 'c', at: $now}")
    serve_by(filled, replace(PLAIN, clicked=0.0, rated=(0.0,) * 10))
    assert not tastes(recommendations)


def test_where_a_moment_is_cut_ids_decide_nothing(filled: Database) -> None:
    """Ten movies of one moment and weight, of which five are followed, are neither the lowest nor the highest ids."""
    filled.run_text(
        "UNWIND range(101, 110) AS id "
        "CREATE (m:Movie {movieId: id, title: 'x'})-[:SIMILAR {weight: 1.0, version: 'v1'}]->"
        "(:Movie {movieId: id + 100, title: 'y', viewers: 1, recent1: 18262.0, recent: 18262.0})"
    )
    rate(filled, 8, dict.fromkeys(range(101, 111), 4.0))
    found = {movie for movie, _ in tastes(Recommendations(filled, history_limit=5), 8, limit=100)}
    assert len(found) == 5
    assert found not in ({201, 202, 203, 204, 205}, {206, 207, 208, 209, 210})


def test_the_heaviest_user_fits_in_memory(filled: Database) -> None:
    """Rows that each carry the whole history were charged with its square, and refused."""
    filled.run_text(
        "UNWIND range(1000, 18652) AS id CREATE (m:Movie {movieId: id}) "
        "MERGE (u:User {userId: 77}) CREATE (u)-[:RATED {rating: 4.0, at: localdatetime('2019-01-01T00:00:00')}]->(m)"
    )
    rate(filled, 77, {1: 5.0})
    whole = Recommendations(filled, history_limit=1000)
    assert [movie for movie, _ in tastes(whole, 77)] == [2, 5, 6]


def test_filters_and_pages(filled: Database) -> None:
    recommendations = Recommendations(filled)
    assert tastes(recommendations, total=3.5, limit=2, offset=1) == [(7, 0.75), (6, 0.5)]
    assert tastes(recommendations, total=3.5, keep=MovieFilter(exclude=(5, 6))) == [(7, 0.75), (8, 0.5)]
    assert tastes(recommendations, total=3.5, keep=MovieFilter(year_from=1996, year_to=1997)) == [(7, 0.75), (6, 0.5)]
    assert tastes(recommendations, total=3.5, keep=MovieFilter(genre="even")) == [(6, 0.5), (8, 0.5)]
    filled.run_text("MATCH (movie:Movie {movieId: 5}) SET movie.available = false")
    assert tastes(recommendations, total=3.5)[0] == (7, 0.75)


@pytest.mark.parametrize(("user_id", "diversity"), [(1, 0), (1, 0.9), (2, 0), (99, 0.5)])
def test_pages_fit_together_until_nothing_is_left(filled: Database, user_id: int, diversity: float) -> None:
    """User 1 has a history, 2 watched something that leads nowhere, 99 is not known."""
    interact(filled, 2, 7, "WATCHED {eventId: 'e', startedAt: $now, finishedAt: $now}")
    interact(filled, 3, 4, "WATCHED {eventId: 'f', startedAt: $now, finishedAt: $now}")
    recommendations = Recommendations(filled)

    def page(size: int, offset: int) -> list[int]:
        found = recommendations.recommend_for_user(user_id, size, offset, diversity=diversity)
        return [movie.movie_id for movie in found.recommendations]

    whole = page(50, 0)
    for size in (1, 2, 3):
        assert [movie for offset in range(0, 12, size) for movie in page(size, offset)] == whole
    seen = {1: {1, 2, 3, 4}, 2: {7}, 99: set()}[user_id]
    assert sorted(whole) == sorted(set(range(1, 10)) - seen)


def test_a_list_ends_when_it_is_long_enough(filled: Database) -> None:
    """What lies behind costs more than it is worth: a page there is empty, and one that reaches there is shorter."""
    filled.run_text("UNWIND range(1001, 2500) AS id CREATE (:Movie {movieId: id, title: 'More', viewers: 1})")
    recommendations = Recommendations(filled)
    pages = [recommendations.recommend_for_user(1, 150, offset).recommendations for offset in range(0, 1500, 150)]
    assert [len(page) for page in pages] == [150] * 6 + [100, 0, 0, 0]
    listed = [movie.movie_id for page in pages for movie in page]
    assert len(set(listed)) == LONGEST
    assert recommendations.recommend_for_user(1, 200, LONGEST).recommendations == []
    assert len(recommendations.recommend_for_session((1, 2), 200, LONGEST - 1).recommendations) == 1
    assert len(recommendations.recommend_for_user(1, 200, LONGEST - 1, diversity=0.5).recommendations) == 1


def test_a_session_is_recommended_for_like_finished_movies(filled: Database) -> None:
    """Its movies are of one moment, so that their order and the boost of the newest change nothing."""
    recommendations = serve_by(filled, replace(PLAIN, place_boost=16.0))
    found = recommendations.recommend_for_session((2, 3, 12345))
    told = [(movie.movie_id, round((movie.score - movie.current) * 2, 6)) for movie in found.recommendations]
    assert told == [(6, 1.0), (7, 0.75), (5, 0.25), (8, 0.25), (1, 0.0), (4, 0.0), (9, 0.0)]
    assert (found.basis, found.user_id) == ("history", None)
    assert recommendations.recommend_for_session((3, 2)).recommendations == found.recommendations


def test_an_unknown_user_gets_what_is_current(filled: Database) -> None:
    filled.run_text("MATCH (movie:Movie {movieId: 3}) SET movie.recent1 = 18264.0")
    filled.run_text("MATCH (movie:Movie {movieId: 4}) SET movie.viewers = 7")
    recommendations = serve_by(filled, replace(PLAIN, long_run=0.5))
    found = recommendations.recommend_for_user(99)
    assert (found.basis, found.model_version) == ("trending", "v1")
    assert [movie.movie_id for movie in found.recommendations[:2]] == [3, 4]
    assert serve_by(filled, replace(PLAIN, long_run=1000.0)).recommend_for_user(99).basis == "popular"


def test_without_a_model_there_is_still_an_answer(database: Database) -> None:
    database.run_text(
        "CREATE (:Movie {movieId: 1, title: 'Only', viewers: 2, recent10: 1.0, recent: 1.0}), (:User {userId: 2})"
    )
    found = Recommendations(database).recommend_for_user(1)
    assert [movie.title for movie in found.recommendations] == ["Only"]
    assert found.model_version is None


def test_a_batch_is_stored_once_and_old_ones_go(filled: Database) -> None:
    ingest, recommendations = Ingest(filled), Recommendations(filled)
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
    offered = [movie.model_dump(exclude={"predicted_rating"}) for movie in found.recommendations]
    assert [movie.model_dump() for movie in batch.recommendations] == offered


def test_variety_is_traded_for_relevance(filled: Database) -> None:
    # User 1's list is 6 (0.5 and more) and others; 5 and 6 are made alike.
    filled.run_text(
        "MATCH (a:Movie {movieId: 5}), (b:Movie {movieId: 7}) "
        "CREATE (a)-[:SIMILAR {weight: 5.0, rank: 1, version: 'v1'}]->(b)"
    )
    recommendations = Recommendations(filled)
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
    assert recommendations.recommend_for_user(99, diversity=0.5).basis == "trending"
