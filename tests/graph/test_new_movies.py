"""Movies that the fit has not seen: neighbours from what their viewers liked, until a fit knows them."""

from datetime import datetime

import pytest

import graph.repositories.models
from graph.database import Database
from graph.repositories.models import Model, Models
from graph.repositories.recommendations import Recommendations

NOON = datetime(2026, 1, 1, 12)
# Movies 1 to 4 are known to the fit; 9 is new. 100 users in all, 3 of whom finish 9.
GRAPH = """
CREATE (:Catalogue {name: 'movielens', model: 'v1'}), (:Model {version: 'v1'})
WITH 1 AS ignored
UNWIND [[1, 50], [2, 10], [3, 0], [4, 0], [9, 0]] AS row
CREATE (:Movie {movieId: row[0], title: 'x', ratingCount: row[1], ratingMean: 3.0, viewers: 1,
               recent10: 1.0, recent: 1.0})
WITH count(*) AS ignored
UNWIND range(1, 100) AS id
CREATE (:User {userId: id})
WITH count(*) AS ignored
UNWIND [[1, 2], [2, 1], [3, 4], [4, 3]] AS pair
MATCH (source:Movie {movieId: pair[0]}), (target:Movie {movieId: pair[1]})
CREATE (source)-[:SIMILAR {weight: 0.5, rank: 1, version: 'v1'}]->(target)
"""


@pytest.fixture
def filled(database: Database) -> Database:
    database.run_text(GRAPH)
    watch(database, {1: [1, 2, 3], 2: [1, 2], 3: [1, 2], 4: [1, 4]})
    return database


def watch(database: Database, watched: dict[int, list[int]], *, finished: bool = True) -> None:
    database.run_text(
        """
        UNWIND $pairs AS pair
        MATCH (user:User {userId: pair[0]}), (movie:Movie {movieId: pair[1]})
        CREATE (user)-[:WATCHED {eventId: pair[0] + ':' + pair[1], startedAt: $now, lastSeenAt: $now,
                                 finishedAt: CASE WHEN $finished THEN $now END}]->(movie)
        """,
        pairs=[[user, movie] for user, movies in watched.items() for movie in movies],
        now=NOON,
        finished=finished,
    )


def edges(database: Database) -> dict[tuple[int, int], float]:
    rows = database.run_text(
        "MATCH (a)-[s:SIMILAR {version: 'incremental'}]->(b) RETURN a.movieId AS a, b.movieId AS b, s.weight AS weight"
    )
    return {(row["a"], row["b"]): row["weight"] for row in rows}


def test_a_few_viewings_link_a_new_movie(filled: Database) -> None:
    models = Models(filled)
    watch(filled, {1: [9], 2: [9]})
    assert [models.link_new_movie(movie_id) for movie_id in (9, 1)] == [0, 0]  # too few viewers; known
    watch(filled, {4: [9]}, finished=False)
    assert models.link_new_movie(9) == 0  # not finished yet
    watch(filled, {3: [9]})
    assert models.link_new_movie(9) == 1
    # All three viewers liked 1 and 2; but half of all users rated 1, and only a tenth rated 2. One viewer liked 3.
    # Ten users know 2; three of them watched 9, as did three of all.
    assert edges(filled) == {(9, 2): pytest.approx(3 / 8 - 0.1), (2, 9): pytest.approx(3 / 15 - 0.03)}


def test_a_movie_that_many_know_says_little_of_a_new_one(filled: Database) -> None:
    """Nor does one that is new itself, and has no ratings, say everything."""
    filled.run_text("MATCH (movie:Movie {movieId: 1}) SET movie.ratingCount = 20")
    filled.run_text("CREATE (:Movie {movieId: 10, ratingCount: 0})")
    watch(filled, {user: [9, 10] for user in (1, 2, 3)})
    Models(filled).link_new_movie(9)
    found = edges(filled)
    assert {source: found[source, 9] for source in (1, 2, 10)} == {
        1: pytest.approx(3 / (20 + 5) - 0.03),
        2: pytest.approx(3 / (10 + 5) - 0.03),
        10: pytest.approx(3 / (3 + 5) - 0.03),
    }
    assert (found[9, 1], found[9, 10]) == (pytest.approx(3 / 8 - 0.2), pytest.approx(3 / 8 - 0.03))


def test_a_linked_movie_is_recommended_and_leads_on(filled: Database) -> None:
    watch(filled, {1: [9], 2: [9], 3: [9]})
    Models(filled).link_new_movie(9)
    recommendations = Recommendations(filled, current=0)
    watch(filled, {50: [2]})
    found = recommendations.recommend_for_user(50)
    assert (found.basis, [movie.movie_id for movie in found.recommendations]) == ("history", [1, 9, 3, 4])
    watch(filled, {51: [9]})
    found = recommendations.recommend_for_user(51)
    assert [movie.movie_id for movie in found.recommendations if movie.because] == [2]


def test_linking_again_replaces_what_was_there(filled: Database) -> None:
    watch(filled, {1: [9], 2: [9], 3: [9]})
    models = Models(filled)
    assert models.link_new_movie(9) == models.link_new_movie(9) == 1
    before = edges(filled)
    watch(filled, {4: [9]})
    models.link_new_movie(9)
    assert edges(filled).keys() == before.keys()
    assert edges(filled)[9, 2] == pytest.approx(3 / 9 - 0.1)


def test_neighbours_are_bounded_both_ways(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(graph.repositories.models.NEW_MOVIES, "neighbours", 1)
    filled.run_text("CREATE (:Movie {movieId: 10, ratingCount: 0})")
    watch(filled, {user: [9, 10] for user in (1, 2, 3)})
    models = Models(filled)
    models.link_new_movie(9)
    models.link_new_movie(10)
    out: dict[int, int] = {}
    for source, _ in edges(filled):
        out[source] = out.get(source, 0) + 1
    assert max(out.values()) == 1


def test_a_fit_that_knows_the_movie_takes_its_place(filled: Database) -> None:
    watch(filled, {1: [9], 2: [9], 3: [9]})
    models = Models(filled)
    models.link_new_movie(9)
    models.switch_model(Model("v2", NOON, 1, 1, {}, {}))
    models.write_similar("v2", [(1, 2, 0.5, 1), (2, 1, 0.5, 1)], lambda _: None)
    models.remove_unused_similar()
    assert (2, 9) in edges(filled)  # v2 does not know 9 either
    models.write_similar("v2", [(9, 2, 0.5, 1)], lambda _: None)
    models.remove_unused_similar()
    assert edges(filled) == {}


def test_with_the_switch_to_a_fit_that_knows_the_movie_its_own_edges_are_gone(filled: Database) -> None:
    watch(filled, {1: [9], 2: [9], 3: [9]})
    models = Models(filled)
    models.link_new_movie(9)
    models.write_similar("v2", [(9, 2, 0.5, 1)], lambda _: None)
    assert (2, 9) in edges(filled)
    models.switch_model(Model("v2", NOON, 1, 1, {}, {}))
    assert edges(filled) == {}


def test_refreshing_one_new_movie_leaves_the_others_edges(filled: Database) -> None:
    filled.run_text("CREATE (:Movie {movieId: 10, ratingCount: 0})")
    watch(filled, {user: [9, 10] for user in (1, 2, 3)})
    models = Models(filled)
    models.link_new_movie(9)
    models.link_new_movie(10)
    before = edges(filled)
    assert {(9, 10), (10, 9), (2, 10), (10, 2)} <= before.keys()
    models.link_new_movie(9)
    assert edges(filled) == before


def test_a_movie_that_fitted_edges_only_lead_to_is_known(filled: Database) -> None:
    watch(filled, {1: [9], 2: [9], 3: [9]})
    models = Models(filled)
    models.write_similar("v1", [(2, 9, 0.5, 1)], lambda _: None)
    assert models.link_new_movie(9) == 0


def test_without_a_model_nothing_is_new(filled: Database) -> None:
    filled.run_text("MATCH (catalogue:Catalogue) REMOVE catalogue.model")
    watch(filled, {1: [9], 2: [9], 3: [9]})
    assert Models(filled).link_new_movie(9) == 0
